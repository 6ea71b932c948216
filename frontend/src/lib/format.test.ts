import { expect, test } from "vitest";
import { formatOf } from "./format";

const en = formatOf("en");
const ar = formatOf("ar");

test("small sums keep the digits that tell them apart", () => {
  expect(en.money("12.5")).toBe("$12.50");
  expect(en.money("0.00001234")).toBe("$0.0000123");
  expect(en.money(0)).toBe("$0.00");
  expect(en.money("0.6")).toBe("$0.60");
});

test("durations and sizes come in a unit that suits them", () => {
  expect(en.duration(3.42)).toBe("3.4 ms");
  expect(en.duration(412)).toBe("412 ms");
  expect(en.duration(2_345)).toBe("2.35 sec");
  expect(en.bytes(0)).toBe("0 bytes");
  expect(en.bytes(35_400)).toBe("35.4 kB");
});

test("languages have names", () => {
  expect(en.language("ara")).toBe("Arabic");
  expect(ar.language("eng")).toBe("الإنجليزية");
});

test("times away from now", () => {
  expect(en.relative(1_000, 1_020)).toBe("this minute");
  expect(en.relative(1_000, 1_000 + 7_200)).toBe("2 hours ago");
});

test("clocks and months", () => {
  expect(en.clock(0)).toBe("0:00");
  expect(en.clock(245)).toBe("4:05");
  expect(en.clock(3_845)).toBe("1:04:05");
  expect(en.month("2026-11")).toBe("November 2026");
  expect(en.month("?")).toBe("?");
});

test("Arabic has one kind of digits, whatever the browser holds for its own", () => {
  expect(ar.number(1234)).toBe("1,234");
  for (const text of [
    ar.money(3.5),
    ar.percent(0.5),
    ar.bytes(1500),
    ar.duration(5),
    ar.date(0),
    ar.relative(0, 9e3),
  ]) {
    expect(text).not.toMatch(/[٠-٩]/);
  }
  expect(ar.date(0)).toMatch(/1970/);
});
