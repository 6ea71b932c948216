import { Group, Select } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type Group as By, groups } from "./sums";
import type { Filters } from "./useUsage";
import { useValues } from "./useValues";

interface Props {
  value: Filters;
  onChange: (filters: Filters) => void;
  children?: ReactNode;
}

/** Narrows figures and lists to one model, key, end user or endpoint. */
export function FilterBar({ value, onChange, children }: Props) {
  return (
    <Group gap="xs" mb="md">
      {children}
      {groups.map((group) => (
        <One
          key={group}
          group={group}
          value={value[group]}
          onChange={(next) => onChange({ ...value, [group]: next })}
        />
      ))}
    </Group>
  );
}

function One({ group, value, onChange }: { group: By; value?: string; onChange: (value?: string) => void }) {
  const { t } = useTranslation("usage");
  const values = useValues(group);
  // What an address names is shown, though nobody called it lately.
  const data =
    value && !values.some((one) => one.value === value) ? [{ value, label: value }, ...values] : values;
  return (
    <Select
      size="xs"
      w={{ base: "calc(50% - 5px)", xs: 170 }}
      aria-label={t(`filter.${group}`)}
      placeholder={t(`filter.${group}`)}
      data={data}
      value={value ?? null}
      onChange={(next) => onChange(next ?? undefined)}
      clearable
      searchable
      allowDeselect
    />
  );
}
