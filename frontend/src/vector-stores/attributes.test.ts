import { expect, test } from "vitest";
import { fromRows, toRows } from "./attributes";

test("attributes come back as they were, with their types", () => {
  const attributes = { lang: "en", year: 2024, public: false, zip: "00501" };
  expect(fromRows(toRows(attributes))).toEqual(attributes);
});

test("what is no number, no truth value, or named twice is refused", () => {
  const row = { key: 0, name: "a", kind: "number", value: "x" } as const;
  expect(fromRows([row])).toBeNull();
  expect(fromRows([{ ...row, value: "" }])).toBeNull();
  expect(fromRows([{ ...row, kind: "boolean", value: "yes" }])).toBeNull();
  expect(
    fromRows([
      { ...row, value: "1" },
      { ...row, value: "2" },
    ]),
  ).toBeNull();
});
