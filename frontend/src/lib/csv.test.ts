import { expect, test } from "vitest";
import { toCsv } from "./csv";

test("quotes what needs it and begins with a byte order mark", () => {
  expect(
    toCsv(
      ["name", "cost"],
      [
        ['a "b", c', 1.5],
        ["two\nlines", null],
      ],
    ),
  ).toBe('\uFEFFname,cost\r\n"a ""b"", c",1.5\r\n"two\nlines",\r\n');
});

test("a text that would be a formula stays a text, a negative number stays a number", () => {
  expect(toCsv(["x"], [["=1+1"], ["@x"], [-3]])).toBe("\uFEFFx\r\n'=1+1\r\n'@x\r\n-3\r\n");
});
