import { expect, test } from "vitest";
import { saidIn } from "./messages";

test("messages are found in what was asked and in what was answered", () => {
  expect(saidIn({ messages: [{ role: "user", content: [{ type: "text", text: "hi" }] }] })).toEqual([
    { role: "user", text: "hi" },
  ]);
  expect(saidIn({ choices: [{ message: { role: "assistant", content: "yes" } }] })).toEqual([
    { role: "assistant", text: "yes" },
  ]);
  expect(saidIn({ content: "plain" })).toEqual([{ role: "assistant", text: "plain" }]);
});

test("what is no conversation has none", () => {
  expect(saidIn({ truncated: "{…" })).toEqual([]);
  expect(saidIn(null)).toEqual([]);
});
