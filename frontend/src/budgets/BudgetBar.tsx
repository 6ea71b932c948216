import { Group, Progress, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/useFormat";

/** How much of an amount is spent. The colour follows what the words beside it say. */
export function BudgetBar({ spent, amount, label }: { spent: string; amount: string; label: string }) {
  const { t } = useTranslation("budgets");
  const format = useFormat();
  const share = Number(amount) > 0 ? Number(spent) / Number(amount) : Number(spent) > 0 ? 1 : 0;
  const color = share >= 1 ? "red.7" : share >= 0.8 ? "orange.6" : "sea.6";
  return (
    <Stack gap={4} miw={140}>
      <Group justify="space-between" gap="xs" wrap="nowrap">
        <Text size="xs" span style={{ whiteSpace: "nowrap" }}>
          {t("spent", { spent: format.money(spent), amount: format.money(amount) })}
        </Text>
        <Text size="xs" c="dimmed" span>
          {format.percent(share)}
        </Text>
      </Group>
      <Progress value={Math.min(100, share * 100)} color={color} size={6} aria-label={label} />
    </Stack>
  );
}
