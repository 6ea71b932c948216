/** Everything that is said with figures, in the words and digits of one language. */
export interface Format {
  number: (value: number) => string;
  /** 12,345 as "12.3K". */
  compact: (value: number) => string;
  /** A share of one as per cent. */
  percent: (value: number) => string;
  /** US dollars; small sums keep the digits that tell them apart. */
  money: (usd: number | string) => string;
  /** Milliseconds, in the unit that suits them. */
  duration: (ms: number) => string;
  bytes: (bytes: number) => string;
  /** Unix seconds as a day. */
  date: (seconds: number) => string;
  /** Unix seconds at which a day of UTC begins, without the year: for axes. */
  day: (seconds: number) => string;
  /** Unix seconds as an hour, for axes. */
  hour: (seconds: number) => string;
  /** The same with its day. */
  dayHour: (seconds: number) => string;
  dateTime: (seconds: number) => string;
  relative: (seconds: number, now?: number) => string;
  /** Seconds that are left, as a clock: 4:05, 1:04:05. */
  clock: (seconds: number) => string;
  /** A month as reports write it, 2026-11. */
  month: (text: string) => string;
  list: (parts: string[]) => string;
  /** The name of a language by its ISO 639 code. */
  language: (code: string) => string;
}

const units: [Intl.RelativeTimeFormatUnit, number][] = [
  ["year", 31_536_000],
  ["month", 2_592_000],
  ["day", 86_400],
  ["hour", 3_600],
  ["minute", 60],
];

function make(language: string): Format {
  const number = new Intl.NumberFormat(language);
  const compact = new Intl.NumberFormat(language, { notation: "compact", maximumFractionDigits: 1 });
  const percent = new Intl.NumberFormat(language, { style: "percent", maximumFractionDigits: 1 });
  // Dollars are written as everywhere, and in a sentence from right to left as one piece (U+2066 to U+2069).
  const usd = { style: "currency", currency: "USD" } as const;
  const dollars = new Intl.NumberFormat("en-US", usd);
  const cents = new Intl.NumberFormat("en-US", { ...usd, maximumSignificantDigits: 3 });
  const piece = (text: string) => (language.startsWith("ar") ? `\u2066${text}\u2069` : text);
  const unit = (name: string, digits: number) =>
    new Intl.NumberFormat(language, {
      style: "unit",
      unit: name,
      unitDisplay: "short",
      maximumFractionDigits: digits,
    });
  const ms = unit("millisecond", 0);
  const fineMs = unit("millisecond", 1);
  const seconds = unit("second", 2);
  const minutes = unit("minute", 1);
  // The short word for bytes has no plural.
  const bytes = new Intl.NumberFormat(language, { style: "unit", unit: "byte", unitDisplay: "long" });
  const sizes = [bytes, ...["kilobyte", "megabyte", "gigabyte", "terabyte"].map((name) => unit(name, 1))];
  const date = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", year: "numeric" });
  const day = new Intl.DateTimeFormat(language, { day: "numeric", month: "short", timeZone: "UTC" });
  const hour = new Intl.DateTimeFormat(language, { hour: "numeric", minute: "2-digit" });
  const dayHour = new Intl.DateTimeFormat(language, {
    day: "numeric",
    month: "short",
    hour: "numeric",
    minute: "2-digit",
  });
  const dateTime = new Intl.DateTimeFormat(language, {
    day: "numeric",
    month: "short",
    year: "numeric",
    hour: "numeric",
    minute: "2-digit",
    second: "2-digit",
  });
  const month = new Intl.DateTimeFormat(language, { month: "long", year: "numeric", timeZone: "UTC" });
  const relative = new Intl.RelativeTimeFormat(language, { numeric: "auto" });
  const list = new Intl.ListFormat(language, { type: "conjunction" });
  const names = new Intl.DisplayNames(language, { type: "language" });
  const time = (unix: number) => new Date(unix * 1000);

  return {
    number: (value) => number.format(value),
    compact: (value) => (Math.abs(value) < 10_000 ? number.format(value) : compact.format(value)),
    percent: (value) => percent.format(value),
    money: (sum) => {
      const value = Number(sum);
      const whole = Math.abs(value) >= 1 || Math.abs(value * 100 - Math.round(value * 100)) < 1e-9;
      return piece((whole ? dollars : cents).format(value));
    },
    duration: (value) => {
      if (value < 10) return fineMs.format(value);
      if (value < 1_000) return ms.format(value);
      return value < 120_000 ? seconds.format(value / 1_000) : minutes.format(value / 60_000);
    },
    bytes: (value) => {
      const index = Math.min(Math.floor(Math.log10(Math.max(value, 1)) / 3), sizes.length - 1);
      return sizes[index]?.format(value / 1000 ** index) ?? "";
    },
    date: (unix) => date.format(time(unix)),
    day: (unix) => day.format(time(unix)),
    hour: (unix) => hour.format(time(unix)),
    dayHour: (unix) => dayHour.format(time(unix)),
    dateTime: (unix) => dateTime.format(time(unix)),
    relative: (unix, now = Date.now() / 1000) => {
      const away = unix - now;
      for (const [name, length] of units) {
        if (Math.abs(away) >= length) return relative.format(Math.round(away / length), name);
      }
      // "in 12 seconds" and "12 seconds ago" change faster than anybody reads.
      return relative.format(0, "minute");
    },
    clock: (left) => {
      const two = (value: number) => String(value).padStart(2, "0");
      const [hours, minutes, rest] = [
        Math.floor(left / 3_600),
        Math.floor(left / 60) % 60,
        Math.floor(left % 60),
      ];
      return hours ? `${hours}:${two(minutes)}:${two(rest)}` : `${minutes}:${two(rest)}`;
    },
    month: (text) => {
      const at = new Date(`${text}-01T00:00:00Z`);
      return Number.isNaN(at.getTime()) ? text : month.format(at);
    },
    list: (parts) => list.format(parts),
    language: (code) => names.of(code) ?? code,
  };
}

const made = new Map<string, Format>();

/** Intl's formatters are dear to make and cheap to use: one set for each language. */
export function formatOf(language: string): Format {
  let format = made.get(language);
  if (!format) {
    // Browsers disagree on the digits of plain "ar". These are the ones of today's locale data, and of every id and code here.
    format = make(`${language}-u-nu-latn`);
    made.set(language, format);
  }
  return format;
}

/** The browser's zone, as people write it. */
export function timeZone(): string {
  return Intl.DateTimeFormat().resolvedOptions().timeZone.replaceAll("_", " ");
}
