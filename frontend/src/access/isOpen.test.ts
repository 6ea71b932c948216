import { expect, test } from "vitest";
import { isOpen } from "./isOpen";

test("an access is over when it was ended, and when its time is up", () => {
  expect(isOpen({ ended_at: null, expires_at: 200 }, 100)).toBe(true);
  expect(isOpen({ ended_at: null, expires_at: 100 }, 100)).toBe(false);
  expect(isOpen({ ended_at: 90, expires_at: 200 }, 100)).toBe(false);
});
