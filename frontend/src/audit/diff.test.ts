import { expect, test } from "vitest";
import { actorOf, changesOf, detailsOf, type Entry, written } from "./diff";

const entry = (details: unknown, actor: unknown = {}) =>
  ({ type: "budget.updated", "budget.updated": details, actor }) as unknown as Entry;

test("of a change only what is different is shown", () => {
  const details = detailsOf(
    entry({
      id: "b",
      changes_requested: { amount: "8", name: "a", rules: { pii: true } },
      before: { amount: "5", name: "a", rules: { pii: false } },
    }),
  );
  expect(changesOf(details)).toEqual([
    { field: "amount", before: "5", after: "8" },
    { field: "rules.pii", before: false, after: true },
  ]);
});

test("of something new all that it has", () => {
  expect(changesOf({ id: "b", data: { name: "x", note: null } })).toEqual([
    { field: "name", before: undefined, after: "x" },
  ]);
  expect(changesOf({ id: "b", before: { name: "x" } })).toEqual([
    { field: "name", before: "x", after: undefined },
  ]);
  expect(changesOf({})).toEqual([]);
});

test("values and actors in words", () => {
  expect(written([80, 100])).toBe("80, 100");
  expect(written(null)).toBe("–");
  expect(actorOf(entry({}, { api_key: { id: "key_1" } }))).toEqual({ key: "key_1" });
  expect(actorOf(entry({}, { session: { user: { id: "console", email: null } } }))).toEqual({
    id: "console",
    email: undefined,
  });
});
