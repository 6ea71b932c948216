import { Select } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { ChartWithTable } from "@/components/charts/ChartWithTable";
import type { Range } from "./range";
import { type Group, groups, isGroup, isMetric, type Metric, metrics, stack } from "./sums";
import { useGroupName } from "./useNames";
import { type Filters, useBucketLabel, useMetricFormat, useUsage } from "./useUsage";

interface Props {
  range: Range;
  metric: Metric;
  group: Group;
  filters?: Filters;
  height?: number;
  onMetric: (metric: Metric) => void;
  onGroup: (group: Group) => void;
}

/** One figure over time, stacked by what it came from. */
export function UsageChart({ range, metric, group, filters, height, onMetric, onGroup }: Props) {
  const { t } = useTranslation("usage");
  const usage = useUsage(range, { group, filters });
  const name = useGroupName(group);
  const label = useBucketLabel(range);
  const format = useMetricFormat(metric);
  const stacked = usage.data && stack(usage.data.data, range, group, metric, label, name);
  return (
    <ChartWithTable
      title={t(`metric.${metric}`)}
      kind="bar"
      parts={metric === "cost"}
      points={stacked?.points}
      series={stacked?.series ?? []}
      error={usage.error}
      format={format}
      height={height}
      axis={range.width === "1h" ? t("axis.hour") : t("axis.day")}
      file={`insula-${metric}-by-${group}`}
      controls={
        <>
          <Select
            size="xs"
            w={130}
            aria-label={t("metric.label")}
            value={metric}
            onChange={(value) => isMetric(value) && onMetric(value)}
            data={metrics.map((value) => ({ value, label: t(`metric.${value}`) }))}
          />
          <Select
            size="xs"
            w={140}
            aria-label={t("group.label")}
            value={group}
            onChange={(value) => isGroup(value) && onGroup(value)}
            data={groups.map((value) => ({ value, label: t(`group.${value}`) }))}
          />
        </>
      }
    />
  );
}
