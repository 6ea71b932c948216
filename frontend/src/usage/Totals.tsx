import { SimpleGrid, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { StatCard } from "@/components/StatCard";
import { useFormat } from "@/lib/useFormat";
import { useCan } from "@/session/session";
import { before, type Range } from "./range";
import { budgetStates, change, type Sum } from "./sums";
import { useUsage } from "./useUsage";

/** The figures of a range in one row, beside those of the same time before. */
export function Totals({ range }: { range: Range }) {
  const { t } = useTranslation("usage");
  const format = useFormat();
  const now = useUsage(range, { width: "all" });
  const past = useUsage(before(range), { width: "all" });
  const sum = now.data?.data[0];
  const earlier = past.data?.data[0];
  // No row is no call: every figure is there, and is zero.
  const value = (of: (sum: Sum) => string, none = "–") => (now.data ? (sum ? of(sum) : none) : undefined);
  const trend = (of: (sum: Sum) => number) => {
    const share = sum && earlier ? change(of(sum), of(earlier)) : null;
    if (share === null) return null;
    const text = format.percent(Math.abs(share));
    return share === 0
      ? t("trend.same")
      : share > 0
        ? t("trend.more", { share: text })
        : t("trend.less", { share: text });
  };
  const rate = (of: Sum) => (of.requests > 0 ? of.failed / of.requests : 0);
  return (
    <SimpleGrid cols={{ base: 2, sm: 3, xl: 6 }} spacing="sm">
      <StatCard
        label={t("metric.requests")}
        value={value((s) => format.compact(s.requests), format.number(0))}
        note={trend((s) => s.requests)}
      />
      <StatCard
        label={t("metric.tokens")}
        value={value((s) => format.compact(s.input_tokens + s.output_tokens), format.number(0))}
        note={
          sum &&
          t("tokensNote", {
            input: format.compact(sum.input_tokens),
            output: format.compact(sum.output_tokens),
          })
        }
      />
      <StatCard
        label={t("metric.cost")}
        value={value((s) => format.money(s.cost_usd), format.money(0))}
        note={trend((s) => Number(s.cost_usd))}
      />
      <StatCard
        label={t("latency.p50")}
        help={t("latency.help")}
        value={value((s) => (s.latency_p50_ms == null ? "–" : format.duration(s.latency_p50_ms)))}
        note={
          sum?.latency_p95_ms != null && t("latency.p95Note", { time: format.duration(sum.latency_p95_ms) })
        }
      />
      <StatCard
        label={t("errorRate")}
        value={value((s) => format.percent(rate(s)), format.percent(0))}
        note={sum && t("failed", { count: sum.failed })}
      />
      <BudgetCard />
    </SimpleGrid>
  );
}

function BudgetCard() {
  const { t } = useTranslation("usage");
  const format = useFormat();
  const may = useCan("budgets.read");
  const budgets = $api.useQuery("get", "/v1/insula/budgets", {}, { enabled: may });
  const tightest = budgets.data && budgetStates(budgets.data.data)[0];
  const label = t("budget.left");
  if (!may) return <StatCard label={label} value="–" note={t("budget.hidden")} />;
  if (budgets.error) return <StatCard label={label} value="–" />;
  if (budgets.data && !tightest)
    return <StatCard label={label} value={t("budget.none")} note={t("budget.noneNote")} />;
  return (
    <StatCard
      label={label}
      value={tightest && format.money(tightest.left)}
      note={
        tightest && (
          <Text span inherit c={tightest.share >= 0.8 ? "var(--mantine-color-error)" : undefined}>
            {t(`budget.of.${tightest.budget.period}`, {
              share: format.percent(tightest.share),
              amount: format.money(tightest.budget.amount_usd),
            })}
          </Text>
        )
      }
    />
  );
}
