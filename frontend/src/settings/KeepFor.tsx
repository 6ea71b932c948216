import { Group, NumberInput, Select } from "@mantine/core";
import { useTranslation } from "react-i18next";

interface Props {
  label: string;
  description: string;
  /** Days; null: for ever; 0: not at all. */
  value: number | null;
  onChange: (days: number | null) => void;
  /** Whether "not at all" is a choice. */
  none?: boolean;
  disabled?: boolean;
}

export function KeepFor({ label, description, value, onChange, none, disabled }: Props) {
  const { t } = useTranslation("data");
  const mode = value === null ? "ever" : value === 0 ? "none" : "days";
  return (
    <Group align="flex-end" gap="xs">
      <Select
        flex="1 1 220px"
        maw={360}
        label={label}
        description={description}
        disabled={disabled}
        value={mode}
        onChange={(next) => onChange(next === "ever" ? null : next === "none" ? 0 : 30)}
        data={(["days", "ever", ...(none ? (["none"] as const) : [])] as const).map((key) => ({
          value: key,
          label: t(`keep.${key}`),
        }))}
      />
      {mode === "days" && (
        <NumberInput
          w={110}
          aria-label={t("keep.count", { what: label })}
          min={1}
          max={3650}
          allowDecimal={false}
          disabled={disabled}
          value={value ?? ""}
          onChange={(next) => onChange(Math.max(1, Number(next) || 1))}
          suffix={` ${t("keep.unit")}`}
        />
      )}
    </Group>
  );
}
