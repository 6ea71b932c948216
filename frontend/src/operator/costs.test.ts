import { expect, it } from "vitest";
import { stack } from "./costs";

const bucket = (start_time: number, ...results: [string, number][]) => ({ start_time, results });

it("puts the largest first and what is too small into one", () => {
  const names = ["a", "b", "c", "d", "e", "f", "g", "h", "i"];
  const buckets = [
    bucket(0, ...names.map((name, index): [string, number] => [name, index + 1])),
    bucket(1, ["i", 5], ["nothing", 0]),
  ];
  const { points, series } = stack(
    buckets,
    ([name]) => name,
    ([, value]) => value,
    String,
    "rest",
  );
  expect(series.map((one) => one.label)).toEqual(["i", "h", "g", "f", "e", "d", "c", "rest"]);
  expect(points[0]?.values).toMatchObject({ s0: 9, s6: 3, rest: 3 });
  expect(points[1]?.values).toMatchObject({ s0: 5, s1: 0, rest: 0 });
});

it("has no rest where all are named", () => {
  const { series } = stack(
    [bucket(0, ["a", 1])],
    ([name]) => name,
    ([, value]) => value,
    String,
    "rest",
  );
  expect(series).toEqual([{ key: "s0", label: "a" }]);
});
