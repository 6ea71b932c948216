import type { Schema } from "@/api/paths";
import type { Point, Series } from "@/components/charts/Chart";

type Bucket = Schema<"ReportBucket_CostsResult">;

/** More series than that nobody tells apart: the rest are one. */
const most = 7;

export interface Stacked {
  points: Point[];
  series: Series[];
}

/** What buckets have, stacked by name; the largest first. `rest` names what is too small to be named. */
export function stack<Result>(
  buckets: { start_time: number; results: Result[] }[],
  nameOf: (result: Result) => string,
  figure: (result: Result) => number,
  label: (at: number) => string,
  rest: string,
): Stacked {
  const sums = new Map<string, number>();
  for (const { results } of buckets)
    for (const one of results) sums.set(nameOf(one), (sums.get(nameOf(one)) ?? 0) + figure(one));
  const names = [...sums].filter(([, sum]) => sum > 0).sort(([, a], [, b]) => b - a);
  const named = new Set(names.slice(0, most).map(([name]) => name));
  const series = [...named].map((name, index) => ({ key: `s${index}`, label: name }));
  if (names.length > most) series.push({ key: "rest", label: rest });
  const keys = new Map(series.map(({ key, label: name }) => [name, key]));
  const points = buckets.map(({ start_time, results }) => {
    const values: Record<string, number> = Object.fromEntries(series.map(({ key }) => [key, 0]));
    for (const one of results) {
      const key = keys.get(nameOf(one)) ?? (names.length > most ? "rest" : undefined);
      if (key) values[key] = (values[key] ?? 0) + figure(one);
    }
    return { label: label(start_time), values };
  });
  return { points, series };
}

export const stackCosts = (
  buckets: Bucket[],
  nameOf: (result: Bucket["results"][number]) => string,
  label: (at: number) => string,
  rest = "…",
) => stack(buckets, nameOf, (one) => one.amount.value, label, rest);
