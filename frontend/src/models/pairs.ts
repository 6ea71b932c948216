/** Lines of `name = value`, as people write them down; `:` does as well. What is no pair is told apart. */
export function pairsOf(text: string): { pairs: Record<string, string>; wrong: string[] } {
  const pairs: Record<string, string> = {};
  const wrong: string[] = [];
  for (const line of text.split("\n").map((line) => line.trim())) {
    if (!line) continue;
    const [, name, value] = line.match(/^([^=:]+?)\s*[=:]\s*(.+)$/) ?? [];
    if (name && value) pairs[name] = value;
    else wrong.push(line);
  }
  return { pairs, wrong };
}

/** The same where every value has to be a number. */
export function numbersOf(text: string): { pairs: Record<string, number>; wrong: string[] } {
  const { pairs, wrong } = pairsOf(text);
  const numbers: Record<string, number> = {};
  for (const [name, value] of Object.entries(pairs)) {
    const number = Number(value);
    if (Number.isFinite(number)) numbers[name] = number;
    else wrong.push(`${name} = ${value}`);
  }
  return { pairs: numbers, wrong };
}
