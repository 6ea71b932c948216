import { expect, test } from "vitest";
import { type Citation, cut, highlight } from "./citations";

const at = (start_index: number, end_index: number) =>
  ({ url_citation: { start_index, end_index } }) as Citation;

test("markers become citations, also behind letters that count twice in JavaScript", () => {
  const citation = at(3, 6);
  expect(cut("𝔸b [1] end", [citation])).toEqual([{ text: "𝔸b " }, { citation }, { text: " end" }]);
});

test("what has not arrived yet and what overlaps stays text", () => {
  expect(cut("ab", [at(5, 8)])).toEqual([{ text: "ab" }]);
  const first = at(0, 3);
  expect(cut("[1] x", [first, at(1, 3)])).toEqual([{ citation: first }, { text: " x" }]);
});

test("the quotation is found by its place, or else by its words", () => {
  const chunk = { text: "One. Two\nthree. Four.", start_char: 100 };
  expect(highlight(chunk, { start: 105, end: 115, quote: "Two three." })).toEqual([
    "One. ",
    "Two\nthree.",
    " Four.",
  ]);
  expect(highlight(chunk, { start: 5, end: 9, quote: "Four." })).toEqual(["One. Two\nthree. ", "Four.", ""]);
  expect(highlight(chunk, { start: 100, end: 104, quote: "gone" })).toBeNull();
});
