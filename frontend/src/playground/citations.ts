import type { Schema } from "@/api/paths";

export type Citation = Schema<"ChatCompletionAnnotation">;

export type Part = { text: string } | { citation: Citation };

/** An answer cut at its markers. The server counts characters, JavaScript counts halves of some of them. */
export function cut(text: string, citations: Citation[]): Part[] {
  const characters = [...text];
  const parts: Part[] = [];
  let at = 0;
  const sorted = [...citations].sort((a, b) => a.url_citation.start_index - b.url_citation.start_index);
  for (const citation of sorted) {
    const { start_index: start, end_index: end } = citation.url_citation;
    // What is not there yet, or overlaps the one before, is left as text.
    if (start < at || end > characters.length || end <= start) continue;
    if (start > at) parts.push({ text: characters.slice(at, start).join("") });
    parts.push({ citation });
    at = end;
  }
  if (at < characters.length) parts.push({ text: characters.slice(at).join("") });
  return parts;
}

/** Where the cited words are in a passage: before, they themselves, behind. Null if they are not there (any more). */
export function highlight(
  chunk: { text: string; start_char: number },
  cited: { start: number; end: number; quote: string },
): [string, string, string] | null {
  const characters = [...chunk.text];
  const from = cited.start - chunk.start_char;
  const until = cited.end - chunk.start_char;
  const words = from >= 0 && until <= characters.length ? characters.slice(from, until).join("") : "";
  if (words && flat(words) === flat(cited.quote)) {
    return [characters.slice(0, from).join(""), words, characters.slice(until).join("")];
  }
  const found = chunk.text.indexOf(cited.quote);
  if (found < 0) return null;
  return [chunk.text.slice(0, found), cited.quote, chunk.text.slice(found + cited.quote.length)];
}

/** Line breaks of the file are spaces in a quotation. */
const flat = (text: string) => text.replaceAll(/\s+/g, " ").trim();
