import { expect, it } from "vitest";
import { actorOf, changesOf, type Entry, written } from "./changes";

const entry = (type: string, details: unknown): Entry =>
  ({
    id: "audit_log-1",
    type,
    effective_at: 1,
    sequence: 1,
    hash: "00",
    actor: { type: "session", session: { user: { id: "console", email: null } }, ip_address: null },
    [type]: details,
  }) as unknown as Entry;

it("puts before and after side by side", () => {
  const changed = entry("user.updated", {
    id: "user-1",
    before: { role: "viewer", left: 1 },
    changes_requested: { role: "admin", came: true },
  });
  expect(changesOf(changed)).toEqual([
    { field: "role", before: "viewer", after: "admin" },
    { field: "left", before: 1 },
    { field: "came", after: true },
  ]);
});

it("shows what something new was made with", () => {
  expect(changesOf(entry("invite.sent", { id: "i", data: { email: "a@b.c" } }))).toEqual([
    { field: "email", after: "a@b.c" },
  ]);
  expect(changesOf(entry("nothing.known", null))).toEqual([]);
});

it("writes values on one line and names who acted", () => {
  expect(written({ a: [1, 2] })).toBe('{ "a": [ 1, 2 ] }');
  expect(actorOf(entry("x", {}))).toBe("console");
});
