import { expect, it } from "vitest";
import { lastDays } from "./range";

it("takes whole days, today included", () => {
  const noon = Date.UTC(2026, 0, 31, 12) / 1000;
  const { start_time, end_time } = lastDays(30, noon);
  expect(new Date(end_time * 1000).toISOString()).toBe("2026-02-01T00:00:00.000Z");
  expect(new Date(start_time * 1000).toISOString()).toBe("2026-01-02T00:00:00.000Z");
});
