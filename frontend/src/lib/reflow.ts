/** Joins lines that a file was broken at; paragraphs, lists, headings, tables and indented code keep theirs. */
export function reflow(text: string): string {
  return text.replaceAll(/(\S)[ \t]*\n(?!\s*\n| {4}|\t|[ \t]*(?:[-*+•#>|]|\d+[.)]\s|```))[ \t]*/g, "$1 ");
}
