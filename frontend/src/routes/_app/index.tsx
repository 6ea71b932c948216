import { Stack, Text } from "@mantine/core";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { AnchorLink } from "@/components/links";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { EventTable } from "@/usage/EventTable";
import { useEvents } from "@/usage/events";
import { FirstRun } from "@/usage/FirstRun";
import { LatencyChart } from "@/usage/LatencyChart";
import { RangePicker } from "@/usage/RangePicker";
import { isPreset, type Preset, rangeOf } from "@/usage/range";
import { type Group, isGroup, isMetric, type Metric } from "@/usage/sums";
import { Totals } from "@/usage/Totals";
import { UsageChart } from "@/usage/UsageChart";
import { usageOptions, useUsage } from "@/usage/useUsage";

interface Search {
  range?: Preset;
  metric?: Metric;
  by?: Group;
}

export const Route = createFileRoute("/_app/")({
  validateSearch: (search: Record<string, unknown>): Search => ({
    range: isPreset(search.range) ? search.range : undefined,
    metric: isMetric(search.metric) ? search.metric : undefined,
    by: isGroup(search.by) ? search.by : undefined,
  }),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => {
    const range = rangeOf(deps.range ?? "30d");
    void context.queries.prefetchQuery(usageOptions(range, { width: "all" }));
    void context.queries.prefetchQuery(usageOptions(range, { group: deps.by ?? "model" }));
  },
  component: Overview,
});

function Overview() {
  const { t } = useTranslation("overview");
  const { range: preset = "30d", metric = "requests", by = "model" } = Route.useSearch();
  const navigate = Route.useNavigate();
  const change = (search: Search) =>
    void navigate({ search: (before) => ({ ...before, ...search }), replace: true, resetScroll: false });
  const range = rangeOf(preset);
  // Whether anything was ever called: the longest range tells, whatever is looked at.
  const ever = useUsage(rangeOf("90d"), { width: "all" });
  const first = ever.data !== undefined && !ever.data.data.some((sum) => sum.requests > 0);
  const recent = useEvents({}, 6);
  return (
    <>
      <PageHeader
        title={t("title")}
        help={t("help")}
        actions={!first && <RangePicker value={preset} onChange={(next) => change({ range: next })} />}
      />
      {first ? (
        <FirstRun />
      ) : (
        <Stack gap="md">
          <Totals range={range} />
          <UsageChart
            range={range}
            metric={metric}
            group={by}
            height={260}
            onMetric={(next) => change({ metric: next })}
            onGroup={(next) => change({ by: next })}
          />
          <LatencyChart range={range} height={200} />
          <Panel
            flush
            title={t("recent")}
            actions={
              <AnchorLink to="/requests" size="sm">
                {t("all")}
              </AnchorLink>
            }
          >
            <EventTable brief events={recent} empty={<Text p="md">{t("none")}</Text>} />
          </Panel>
        </Stack>
      )}
    </>
  );
}
