import { useTranslation } from "react-i18next";
import { ChartWithTable } from "@/components/charts/ChartWithTable";
import { useFormat } from "@/lib/useFormat";
import { buckets, type Range } from "./range";
import { type Filters, useBucketLabel, useUsage } from "./useUsage";

export function LatencyChart({
  range,
  filters,
  height,
}: {
  range: Range;
  filters?: Filters;
  height?: number;
}) {
  const { t } = useTranslation("usage");
  const format = useFormat();
  const label = useBucketLabel(range);
  const usage = useUsage(range, { filters });
  const found = new Map(usage.data?.data.map((sum) => [sum.start_time, sum]));
  return (
    <ChartWithTable
      title={t("latency.title")}
      kind="line"
      parts
      height={height}
      error={usage.error}
      points={
        usage.data &&
        buckets(range).map((at) => ({
          label: label(at),
          values: { p50: found.get(at)?.latency_p50_ms ?? null, p95: found.get(at)?.latency_p95_ms ?? null },
        }))
      }
      series={[
        { key: "p50", label: t("latency.p50") },
        { key: "p95", label: t("latency.p95") },
      ]}
      format={format.duration}
      axis={range.width === "1h" ? t("axis.hour") : t("axis.day")}
      file="insula-latency"
    />
  );
}
