import { ActionIcon, Button, Group, NumberInput, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import classes from "./limits.module.css";

export type Limit = Schema<"Limit">;

const subjects: Limit["subject_kind"][] = ["tenant", "key", "model"];
const fields = ["requests_per_minute", "tokens_per_minute", "concurrency"] as const;

/** Limits to be edited, one row for each subject. */
export function LimitRows({ limits, onChange }: { limits: Limit[]; onChange: (limits: Limit[]) => void }) {
  const { t } = useTranslation("limits");
  const set = (index: number, part: Partial<Limit>) =>
    onChange(limits.map((limit, at) => (at === index ? { ...limit, ...part } : limit)));
  return (
    <Stack gap="sm">
      {limits.length === 0 && (
        <Text size="sm" c="dimmed">
          {t("none")}
        </Text>
      )}
      {limits.map((limit, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rows have no other name while they are typed
        <div key={index} className={classes.row}>
          <Select
            label={t("subject.label")}
            value={limit.subject_kind}
            onChange={(value) =>
              value && set(index, { subject_kind: value as Limit["subject_kind"], subject: undefined })
            }
            data={subjects.map((value) => ({ value, label: t(`subject.${value}`) }))}
          />
          <TextInput
            label={t("which")}
            placeholder={limit.subject_kind === "tenant" ? "–" : t("each")}
            disabled={limit.subject_kind === "tenant"}
            dir="ltr"
            value={limit.subject ?? ""}
            onChange={(event) => set(index, { subject: event.currentTarget.value.trim() || undefined })}
          />
          {fields.map((field) => (
            <NumberInput
              key={field}
              label={t(`field.${field}`)}
              placeholder={t("any")}
              min={1}
              max={1_000_000_000}
              allowDecimal={false}
              hideControls
              value={limit[field] ?? ""}
              onChange={(value) => set(index, { [field]: typeof value === "number" ? value : null })}
            />
          ))}
          <ActionIcon
            size="lg"
            aria-label={t("remove", { number: index + 1 })}
            onClick={() => onChange(limits.filter((_, at) => at !== index))}
          >
            <IconTrash size={16} />
          </ActionIcon>
        </div>
      ))}
      <Group>
        <Button
          size="xs"
          variant="default"
          leftSection={<IconPlus size={14} />}
          onClick={() => onChange([...limits, { subject_kind: limits.length ? "key" : "tenant" }])}
        >
          {t("add")}
        </Button>
      </Group>
    </Stack>
  );
}
