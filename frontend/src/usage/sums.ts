import type { Schema } from "@/api/paths";
import type { Point, Series } from "@/components/charts/Chart";
import { buckets, type Range } from "./range";

export type Sum = Schema<"UsageSum">;

export const metrics = ["requests", "tokens", "cost", "errors"] as const;
export type Metric = (typeof metrics)[number];

export const groups = ["model", "api_key_id", "end_user", "endpoint"] as const;
export type Group = (typeof groups)[number];

export const isMetric = (value: unknown): value is Metric => metrics.includes(value as Metric);
export const isGroup = (value: unknown): value is Group => groups.includes(value as Group);

export function amount(sum: Sum, metric: Metric): number {
  switch (metric) {
    case "requests":
      return sum.requests;
    case "tokens":
      return sum.input_tokens + sum.output_tokens;
    case "cost":
      // Exact in the ledger; a chart and a rounded total lose nothing by binary fractions.
      return Number(sum.cost_usd);
    case "errors":
      return sum.failed;
  }
}

/** The series of all that are too small to be told apart. No model is called so: names have no spaces. */
export const rest = "  rest";
/** The series of what has no value: calls without a key, or without an end user. */
export const none = "  none";

/** Sums by bucket as series, the largest first; beyond `most` they become one. */
export function stack(
  sums: Sum[],
  range: Range,
  group: Group,
  metric: Metric,
  label: (bucket: number) => string,
  name: (value: string) => string,
  most = 7,
): { points: Point[]; series: Series[] } {
  const totals = new Map<string, number>();
  for (const sum of sums) {
    const key = sum[group] ?? none;
    totals.set(key, (totals.get(key) ?? 0) + amount(sum, metric));
  }
  const order = [...totals].filter(([, total]) => total > 0).sort((a, b) => b[1] - a[1]);
  const shown = order.slice(0, order.length > most + 1 ? most : most + 1).map(([key]) => key);
  const keys = shown.length < order.length ? [...shown, rest] : shown;
  const known = new Set(shown);
  const empty = () => Object.fromEntries(keys.map((key) => [key, 0]));
  const points = new Map(buckets(range).map((at) => [at, { label: label(at), values: empty() }]));
  for (const sum of sums) {
    const point = points.get(sum.start_time);
    if (!point) continue;
    const value = sum[group] ?? none;
    const key = known.has(value) ? value : rest;
    point.values[key] = (point.values[key] ?? 0) + amount(sum, metric);
  }
  return { points: [...points.values()], series: keys.map((key) => ({ key, label: name(key) })) };
}

/** Change from one period to the next as a share; null where there was nothing before. */
export function change(now: number, past: number): number | null {
  return past > 0 ? (now - past) / past : null;
}

export interface BudgetState {
  budget: Schema<"Budget">;
  spent: number;
  left: number;
  /** 0 to 1 and beyond. */
  share: number;
}

/** The budgets on the tenant as a whole, the tightest first. */
export function budgetStates(budgets: Schema<"Budget">[], now = Date.now() / 1000): BudgetState[] {
  return budgets
    .filter((budget) => budget.subject_kind === "tenant")
    .map((budget) => {
      const starts = periodStart(budget.period, now);
      const spent = budget.spent
        .filter((one) => one.subject === null && one.starts_at >= starts)
        .reduce((sum, one) => sum + Number(one.spent_usd), 0);
      const whole = Number(budget.amount_usd);
      return { budget, spent, left: Math.max(0, whole - spent), share: whole > 0 ? spent / whole : 1 };
    })
    .sort((a, b) => b.share - a.share);
}

/** When the present period began. The server's periods are those of UTC. */
function periodStart(period: Schema<"Budget">["period"], now: number): number {
  const date = new Date(now * 1000);
  if (period === "total") return 0;
  const day = period === "day" ? date.getUTCDate() : 1;
  return Date.UTC(date.getUTCFullYear(), date.getUTCMonth(), day) / 1000;
}
