import { SegmentedControl } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { type Preset, presets } from "./range";

export function RangePicker({
  value,
  onChange,
}: {
  value: Preset | null;
  onChange: (preset: Preset) => void;
}) {
  const { t } = useTranslation("usage");
  return (
    <SegmentedControl
      size="xs"
      aria-label={t("range.label")}
      value={value ?? ""}
      onChange={(next) => onChange(next as Preset)}
      data={presets.map((preset) => ({ value: preset, label: t(`range.${preset}`) }))}
    />
  );
}
