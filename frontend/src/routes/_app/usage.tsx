import { Stack } from "@mantine/core";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/PageHeader";
import { Breakdown } from "@/usage/Breakdown";
import { DayRange } from "@/usage/DayRange";
import { FilterBar } from "@/usage/FilterBar";
import { LatencyChart } from "@/usage/LatencyChart";
import { RangePicker } from "@/usage/RangePicker";
import { isPreset, type Preset, type Range, rangeOf } from "@/usage/range";
import { filtersOf, secondsOf } from "@/usage/search";
import { type Group, isGroup, isMetric, type Metric } from "@/usage/sums";
import { UsageChart } from "@/usage/UsageChart";
import { type Filters, usageOptions } from "@/usage/useUsage";

interface Search extends Filters {
  range?: Preset;
  /** Unix seconds, in place of a preset. */
  from?: number;
  until?: number;
  metric?: Metric;
  by?: Group;
}

const day = 86_400;

function asked({ range, from, until }: Search): Range {
  if (from && until && until > from && until - from <= 400 * day) {
    return { from, until, width: until - from <= 3 * day ? "1h" : "1d" };
  }
  return rangeOf(range ?? "30d");
}

export const Route = createFileRoute("/_app/usage")({
  validateSearch: (search: Record<string, unknown>): Search => ({
    range: isPreset(search.range) ? search.range : undefined,
    from: secondsOf(search.from),
    until: secondsOf(search.until),
    metric: isMetric(search.metric) ? search.metric : undefined,
    by: isGroup(search.by) ? search.by : undefined,
    ...filtersOf(search),
  }),
  loaderDeps: ({ search }) => search,
  loader: ({ context, deps }) => {
    const group = deps.by ?? "model";
    void context.queries.prefetchQuery(usageOptions(asked(deps), { group, filters: filtersOf({ ...deps }) }));
  },
  component: Usage,
});

function Usage() {
  const { t } = useTranslation("usage");
  const search = Route.useSearch();
  const navigate = Route.useNavigate();
  const change = (next: Search) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true, resetScroll: false });
  const range = asked(search);
  const filters = filtersOf({ ...search });
  const metric = search.metric ?? "cost";
  const group = search.by ?? "model";
  const preset = search.from ? null : (search.range ?? "30d");
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} />
      <FilterBar value={filters} onChange={(next) => change({ model: undefined, ...next })}>
        <RangePicker
          value={preset}
          onChange={(next) => change({ range: next, from: undefined, until: undefined })}
        />
        <DayRange range={range} onChange={({ from, until }) => change({ from, until, range: undefined })} />
      </FilterBar>
      <Stack gap="md">
        <UsageChart
          range={range}
          metric={metric}
          group={group}
          filters={filters}
          height={300}
          onMetric={(next) => change({ metric: next })}
          onGroup={(next) => change({ by: next })}
        />
        <Breakdown range={range} group={group} metric={metric} filters={filters} />
        <LatencyChart range={range} filters={filters} height={200} />
      </Stack>
    </>
  );
}
