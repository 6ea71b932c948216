import { expect, test } from "vitest";
import { reflow } from "./reflow";

test("broken lines are joined, what has a form keeps it", () => {
  expect(reflow("one\ntwo\n\nthree")).toBe("one two\n\nthree");
  expect(reflow("# Title\n\n* a\n  goes on\n* b\n1. c")).toBe("# Title\n\n* a goes on\n* b\n1. c");
  expect(reflow("| a | b |\n| - | - |\n    code\n    more")).toBe("| a | b |\n| - | - |\n    code\n    more");
});
