import { Group, Text, TextInput } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { type Range, rangeOfDays } from "./range";

const iso = (seconds: number) => new Date(seconds * 1000).toISOString().slice(0, 10);

/** Two days, in the browser's own way of choosing them. */
export function DayRange({ range, onChange }: { range: Range; onChange: (range: Range) => void }) {
  const { t } = useTranslation("usage");
  const first = iso(range.from);
  const last = iso(range.until - 1);
  const change = (from: string, to: string) => {
    const next = rangeOfDays(from, to);
    if (next) onChange(next);
  };
  return (
    <Group gap={6} wrap="nowrap">
      <TextInput
        type="date"
        size="xs"
        aria-label={t("range.from")}
        value={first}
        max={last}
        onChange={(event) => change(event.currentTarget.value, last)}
      />
      <Text size="sm" c="dimmed" aria-hidden>
        –
      </Text>
      <TextInput
        type="date"
        size="xs"
        aria-label={t("range.until")}
        value={last}
        min={first}
        onChange={(event) => change(first, event.currentTarget.value)}
      />
    </Group>
  );
}
