import type { Schema } from "@/api/paths";

export type Budget = Schema<"Budget">;
export type Draft = Schema<"CreateBudgetRequest">;

export const subjects: Schema<"BudgetSubject">[] = ["tenant", "key", "model", "end_user"];
export const periods: Schema<"BudgetPeriodKind">[] = ["day", "month", "total"];

export const newDraft = (): Draft => ({
  amount_usd: "",
  period: "month",
  subject_kind: "tenant",
  hard: true,
  alert_at: [80, 100],
});

/** A budget as it would be made anew: for the operator's, which are all replaced at once. */
export const draftOf = ({
  name,
  amount_usd,
  period,
  subject_kind,
  subject,
  hard,
  alert_at,
}: Budget): Draft => ({
  name,
  amount_usd,
  period,
  subject_kind,
  hard,
  alert_at,
  ...(subject ? { subject } : {}),
});

/** What counts now: the latest period, and in it the subject that has spent most. */
export function current(budget: Budget): Budget["spent"][number] | null {
  const latest = Math.max(...budget.spent.map((one) => one.starts_at));
  const now = budget.spent.filter((one) => one.starts_at === latest);
  return now.reduce<Budget["spent"][number] | null>(
    (top, one) => (top === null || Number(one.spent_usd) > Number(top.spent_usd) ? one : top),
    null,
  );
}
