import { ActionIcon, Button, Group, Select, Stack, TextInput } from "@mantine/core";
import { IconFilter, IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { type FilterRow, operators } from "./filters";

/** Conditions on the attributes of files. */
export function FilterRows({ rows, onChange }: { rows: FilterRow[]; onChange: (rows: FilterRow[]) => void }) {
  const { t } = useTranslation("playground");
  const patch = (key: number, change: Partial<FilterRow>) =>
    onChange(rows.map((row) => (row.key === key ? { ...row, ...change } : row)));
  return (
    <Stack gap="xs" align="stretch">
      {rows.map((row) => (
        <Group key={row.key} gap={6} wrap="nowrap">
          <TextInput
            flex={2}
            aria-label={t("filter.name")}
            placeholder={t("filter.name")}
            value={row.name}
            onChange={(event) => patch(row.key, { name: event.currentTarget.value })}
          />
          <Select
            w={76}
            flex="none"
            aria-label={t("filter.operator")}
            value={row.type}
            onChange={(value) => value && patch(row.key, { type: value as FilterRow["type"] })}
            data={operators.map((value) => ({ value, label: t(`filter.${value}`) }))}
          />
          <TextInput
            flex={2}
            aria-label={t("filter.value")}
            placeholder={t("filter.value")}
            value={row.value}
            onChange={(event) => patch(row.key, { value: event.currentTarget.value })}
          />
          <ActionIcon
            onClick={() => onChange(rows.filter((one) => one.key !== row.key))}
            aria-label={t("filter.remove")}
          >
            <IconX size={15} />
          </ActionIcon>
        </Group>
      ))}
      <Button
        variant="subtle"
        size="compact-sm"
        style={{ alignSelf: "flex-start" }}
        leftSection={<IconFilter size={14} />}
        onClick={() => onChange([...rows, { key: Date.now(), name: "", type: "eq", value: "" }])}
      >
        {t("filter.add")}
      </Button>
    </Stack>
  );
}
