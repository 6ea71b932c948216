import { SimpleGrid, Stack } from "@mantine/core";
import { keepPreviousData } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { PageHeader } from "@/components/PageHeader";
import { StatCard } from "@/components/StatCard";
import { useFormat } from "@/lib/useFormat";
import { Keeping } from "@/search-analytics/Keeping";
import { QueryTable } from "@/search-analytics/QueryTable";
import { RangePicker } from "@/usage/RangePicker";
import { isPreset, type Preset, rangeOf } from "@/usage/range";

export const Route = createFileRoute("/_app/search-analytics")({
  validateSearch: (search: Record<string, unknown>): { range?: Preset } =>
    isPreset(search.range) ? { range: search.range } : {},
  component: SearchAnalytics,
});

function SearchAnalytics() {
  const { t } = useTranslation("searchAnalytics");
  const format = useFormat();
  const { range: preset = "30d" } = Route.useSearch();
  const navigate = Route.useNavigate();
  const range = rangeOf(preset);
  const found = $api.useQuery(
    "get",
    "/v1/insula/search_analytics",
    { params: { query: { start_time: range.from, end_time: range.until } } },
    { placeholderData: keepPreviousData },
  );
  const data = found.data;
  const share = data && data.searches > 0 ? data.zero_result / data.searches : 0;
  return (
    <>
      <PageHeader
        title={t("title")}
        help={t("help")}
        actions={
          <RangePicker
            value={preset}
            onChange={(next) => void navigate({ search: { range: next }, replace: true })}
          />
        }
      />
      <Stack gap="md">
        <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
          <StatCard label={t("searches")} value={data && format.compact(data.searches)} />
          <StatCard
            label={t("zero")}
            value={data && format.percent(share)}
            note={data && t("zeroNote", { count: data.zero_result })}
          />
          <StatCard
            label={t("score")}
            help={t("scoreHelp")}
            value={
              data &&
              (data.mean_top_score === null
                ? "–"
                : format.number(Math.round(data.mean_top_score * 100) / 100))
            }
          />
        </SimpleGrid>
        <Keeping />
        <QueryTable
          title={t("top.title")}
          rows={data?.top}
          error={found.error}
          figures={["score", "zero"]}
          none={t("top.none")}
        />
        <SimpleGrid cols={{ base: 1, lg: 2 }} spacing="md">
          <QueryTable
            title={t("none.title")}
            rows={data?.zero}
            error={found.error}
            figures={["last"]}
            none={t("none.none")}
          />
          <QueryTable
            title={t("low.title")}
            rows={data?.low}
            error={found.error}
            figures={["score", "last"]}
            none={t("low.none")}
          />
        </SimpleGrid>
      </Stack>
    </>
  );
}
