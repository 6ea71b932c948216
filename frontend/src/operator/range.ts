const day = 86_400;

/** Whole days of UTC up to and with today, as the reports of the operator count them. */
export function lastDays(days: number, now = Date.now() / 1000): { start_time: number; end_time: number } {
  const end = Math.floor(now / day) * day + day;
  return { start_time: end - days * day, end_time: end };
}
