/** How good a new password looks while it is typed. The server judges with dictionaries and has the last word. */
export interface Strength {
  /** 0 to 4; the server takes none below 3 of its own scale. */
  score: number;
  long: boolean;
  /** Nothing of the person's own names is in it. */
  foreign: boolean;
  /** Not one character, row of keys or word over and over. */
  varied: boolean;
}

export const shortest = 10;

const rows = ["abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "asdfghjkl", "zxcvbnm", "01234567890", "password"];

function repeats(text: string): boolean {
  if (new Set(text).size < Math.min(6, text.length)) return true;
  const lower = text.toLowerCase();
  for (const row of rows) {
    for (const line of [row, [...row].reverse().join("")]) {
      for (let at = 0; at + 5 <= line.length; at += 1)
        if (lower.includes(line.slice(at, at + 5))) return true;
    }
  }
  return false;
}

export function strengthOf(password: string, names: (string | null | undefined)[]): Strength {
  const characters = [...password];
  const lower = password.toLowerCase();
  const parts = ["insula", ...names.flatMap((name) => name?.toLowerCase().split(/[@.\s_-]+/) ?? [])].filter(
    (part) => part.length > 2,
  );
  const long = characters.length >= shortest;
  const foreign = !parts.some((part) => lower.includes(part));
  const varied = characters.length > 0 && !repeats(password);
  const kinds = [/\p{Ll}|\p{Lo}/u, /\p{Lu}/u, /\d/, /\s/, /[^\p{L}\d\s]/u].filter((kind) =>
    kind.test(password),
  );
  if (!long) return { score: characters.length > 5 ? 1 : 0, long, foreign, varied };
  let score = 2;
  if (varied && foreign) score += 1;
  if (score === 3 && (characters.length >= 16 || (characters.length >= 12 && kinds.length >= 3))) score += 1;
  return { score, long, foreign, varied };
}
