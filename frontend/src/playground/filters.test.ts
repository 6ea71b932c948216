import { expect, test } from "vitest";
import { filterOf } from "./filters";

const row = { key: 0, type: "eq", name: "year", value: "2024" } as const;

test("values get the type that they look like", () => {
  expect(filterOf([row])).toEqual({ type: "eq", key: "year", value: 2024 });
  expect(filterOf([{ ...row, value: '"2024"' }])).toMatchObject({ value: "2024" });
  expect(filterOf([{ ...row, value: "true" }])).toMatchObject({ value: true });
});

test("several are joined, nameless ones are left out", () => {
  expect(filterOf([{ ...row, name: " " }])).toBeUndefined();
  expect(filterOf([row, { ...row, key: 1, name: "lang", value: "en" }])).toEqual({
    type: "and",
    filters: [
      { type: "eq", key: "year", value: 2024 },
      { type: "eq", key: "lang", value: "en" },
    ],
  });
});
