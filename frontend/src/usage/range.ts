const hour = 3_600;
const day = 86_400;

export const presets = ["24h", "7d", "30d", "90d"] as const;
export type Preset = (typeof presets)[number];

/** What the server is asked for: seconds from (included) and until (not included), in buckets of one width. */
export interface Range {
  from: number;
  until: number;
  width: "1h" | "1d";
}

export const isPreset = (value: unknown): value is Preset => presets.includes(value as Preset);

/** A preset up to now. It begins where a bucket does, so that the first one is not half empty by its cut. */
export function rangeOf(preset: Preset, now = Date.now() / 1000): Range {
  const hours = Math.floor(now / hour) * hour + hour;
  if (preset === "24h") return { from: hours - 24 * hour, until: hours, width: "1h" };
  const days = Math.floor(now / day) * day + day;
  return { from: days - Number.parseInt(preset, 10) * day, until: days, width: "1d" };
}

/** Whole days, both included, as `2026-01-31`. The server's days are those of UTC. */
export function rangeOfDays(first: string, last: string): Range | null {
  const from = Date.parse(`${first}T00:00:00Z`) / 1000;
  const until = Date.parse(`${last}T00:00:00Z`) / 1000 + day;
  if (Number.isNaN(from) || Number.isNaN(until) || until <= from || until - from > 400 * day) return null;
  return { from, until, width: until - from <= 3 * day ? "1h" : "1d" };
}

/** The same length of time before it. */
export function before(range: Range): Range {
  return { ...range, from: range.from - (range.until - range.from), until: range.from };
}

/** The beginnings of all its buckets. */
export function buckets(range: Range): number[] {
  const width = range.width === "1h" ? hour : day;
  const starts = [];
  for (let at = range.from; at < range.until; at += width) starts.push(at);
  return starts;
}
