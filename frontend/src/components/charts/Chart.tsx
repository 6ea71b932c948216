import { BarChart, LineChart } from "@mantine/charts";
import "@mantine/charts/styles.css";
import { useDirection } from "@mantine/core";
import { seriesColors } from "@/theme";

export interface Series {
  key: string;
  label: string;
}

export interface Point {
  /** Where on the axis, in words. */
  label: string;
  /** By the series' key. */
  values: Record<string, number | null>;
}

export interface ChartProps {
  points: Point[];
  series: Series[];
  kind: "bar" | "line";
  format: (value: number) => string;
  height?: number;
  /** Amounts have parts: money, time. Else the axis counts whole things. */
  parts?: boolean;
}

/** In a module of its own, because the library behind it is as large as everything else together. */
export default function Chart({ points, series, kind, format, height = 240, parts = false }: ChartProps) {
  const rtl = useDirection().dir === "rtl";
  const common = {
    h: height,
    data: points.map((point) => ({ label: point.label, ...point.values })),
    dataKey: "label",
    series: series.map((one, index) => ({
      name: one.key,
      label: one.label,
      color: seriesColors[index % seriesColors.length] ?? "gray.5",
    })),
    valueFormatter: format,
    tickLine: "none" as const,
    withLegend: series.length > 1,
    legendProps: {
      verticalAlign: "bottom" as const,
      align: rtl ? ("right" as const) : ("left" as const),
      height: 32,
    },
    // Time runs as the language does.
    xAxisProps: { reversed: rtl, minTickGap: 24, tickMargin: 8, interval: "preserveStartEnd" as const },
    yAxisProps: {
      orientation: rtl ? ("right" as const) : ("left" as const),
      width: 76,
      tickMargin: 6,
      allowDecimals: parts,
    },
    tooltipAnimationDuration: 0,
  };
  if (kind === "line") {
    return (
      <LineChart
        {...common}
        xAxisProps={{ ...common.xAxisProps, padding: { left: 10, right: 10 } }}
        curveType="monotone"
        withDots={points.length < 40}
        strokeWidth={2}
        connectNulls={false}
      />
    );
  }
  return <BarChart {...common} type="stacked" maxBarWidth={36} barProps={{ isAnimationActive: false }} />;
}
