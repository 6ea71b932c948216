import { expect, it } from "vitest";
import { type Budget, current, draftOf } from "./budget";

const budget: Budget = {
  id: "budget_1",
  object: "insula.budget",
  name: "Models",
  amount_usd: "10",
  period: "day",
  subject_kind: "model",
  subject: null,
  hard: false,
  set_by: "operator",
  alert_at: [50],
  created_at: 1,
  spent: [
    { starts_at: 2, subject: "a", spent_usd: "0.5" },
    { starts_at: 2, subject: "b", spent_usd: "1.5" },
    { starts_at: 1, subject: "a", spent_usd: "9" },
  ],
};

it("looks at the latest period and the dearest subject", () => {
  expect(current(budget)?.subject).toBe("b");
  expect(current({ ...budget, spent: [] })).toBeNull();
});

it("makes the same budget again", () => {
  const draft = draftOf(budget);
  expect(draft).toMatchObject({ name: "Models", amount_usd: "10", alert_at: [50], hard: false });
  expect("subject" in draft).toBe(false);
});
