import { expect, test } from "vitest";
import { before, buckets, rangeOf, rangeOfDays } from "./range";
import { budgetStates, change, none, rest, type Sum, stack } from "./sums";

const day = 86_400;
const range = { from: 0, until: 2 * day, width: "1d" } as const;
const sum = (start_time: number, model: string | null, requests: number) =>
  ({ start_time, model, requests, failed: 0, input_tokens: 2, output_tokens: 1, cost_usd: "0.5" }) as Sum;

test("a preset begins and ends with whole buckets", () => {
  const now = 10 * day + 5_000;
  expect(rangeOf("7d", now)).toEqual({ from: 4 * day, until: 11 * day, width: "1d" });
  expect(buckets(rangeOf("7d", now))).toHaveLength(7);
  expect(buckets(rangeOf("24h", now))).toHaveLength(24);
  expect(before(rangeOf("7d", now))).toEqual({ from: -3 * day, until: 4 * day, width: "1d" });
});

test("days that are none, and too many of them, are no range", () => {
  expect(rangeOfDays("2026-01-01", "2026-01-01")).toEqual({
    from: 1_767_225_600,
    until: 1_767_312_000,
    width: "1h",
  });
  expect(rangeOfDays("2026-01-02", "2026-01-01")).toBeNull();
  expect(rangeOfDays("2020-01-01", "2026-01-01")).toBeNull();
  expect(rangeOfDays("yesterday", "")).toBeNull();
});

test("every bucket is there, and what is small becomes the rest", () => {
  const sums = [
    sum(0, "a", 5),
    sum(0, "b", 3),
    sum(0, "c", 1),
    sum(day, "a", 2),
    sum(day, null, 1),
    sum(day, "d", 1),
  ];
  const { points, series } = stack(sums, range, "model", "requests", String, (key) => key, 2);
  expect(series.map((one) => one.key)).toEqual(["a", "b", rest]);
  expect(points).toEqual([
    { label: "0", values: { a: 5, b: 3, [rest]: 1 } },
    { label: "86400", values: { a: 2, b: 0, [rest]: 2 } },
  ]);
  const all = stack(sums, range, "model", "requests", String, (key) => key, 7);
  expect(all.series.map((one) => one.key)).toContain(none);
});

test("money and tokens add up", () => {
  const sums = [sum(0, "a", 5), sum(0, "a", 3)];
  expect(stack(sums, range, "model", "cost", String, String).points[0]?.values.a).toBe(1);
  expect(stack(sums, range, "model", "tokens", String, String).points[0]?.values.a).toBe(6);
});

test("nothing before is no change", () => {
  expect(change(5, 0)).toBeNull();
  expect(change(5, 4)).toBe(0.25);
});

test("only what was spent in this period counts", () => {
  const budget = {
    subject_kind: "tenant",
    period: "month",
    amount_usd: "10",
    spent: [
      { subject: null, starts_at: Date.UTC(2026, 10, 1) / 1000, spent_usd: "4" },
      { subject: null, starts_at: Date.UTC(2026, 9, 1) / 1000, spent_usd: "9" },
    ],
  } as never;
  const [state] = budgetStates([budget], Date.UTC(2026, 10, 21) / 1000);
  expect(state).toMatchObject({ spent: 4, left: 6, share: 0.4 });
});
