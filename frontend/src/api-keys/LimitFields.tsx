import { NumberInput, SimpleGrid } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";

export type Limits = Schema<"ApiKeyLimits">;

const fields = ["requests_per_minute", "tokens_per_minute", "concurrency"] as const;

export function LimitFields({ value, onChange }: { value: Limits; onChange: (limits: Limits) => void }) {
  const { t } = useTranslation("apiKeys");
  return (
    <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="sm">
      {fields.map((field) => (
        <NumberInput
          key={field}
          label={t(`limit.${field}`)}
          placeholder={t("limit.none")}
          min={1}
          max={1_000_000_000}
          allowDecimal={false}
          hideControls
          value={value[field] ?? ""}
          onChange={(next) => onChange({ ...value, [field]: typeof next === "number" ? next : null })}
        />
      ))}
    </SimpleGrid>
  );
}

/** As the server takes it: nothing set is no limits. */
export function limitsOf(value: Limits): Limits | null {
  return fields.some((field) => value[field] != null) ? value : null;
}
