import { ActionIcon, Button, Group, MultiSelect, Select, Stack, Text } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { type Kind, kinds, type Place, personalActions, places } from "./rules";
import classes from "./rules.module.css";

type Rule = Schema<"GuardrailsPersonalData">;

export function PersonalData({ rules, onChange }: { rules: Rule[]; onChange: (rules: Rule[]) => void }) {
  const { t } = useTranslation("guardrails");
  const set = (index: number, part: Partial<Rule>) =>
    onChange(rules.map((rule, at) => (at === index ? { ...rule, ...part } : rule)));
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        {rules.length ? t("personal.help") : t("personal.none")}
      </Text>
      {rules.map((rule, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: rules have no name, and their order is what tells them apart
        <div key={index} className={classes.rule}>
          <Select
            label={t("action")}
            value={rule.action}
            onChange={(value) => value && set(index, { action: value as Rule["action"] })}
            data={personalActions.map((value) => ({ value, label: t(`do.${value}`) }))}
          />
          <MultiSelect
            label={t("personal.kinds")}
            placeholder={rule.kinds?.length ? undefined : t("personal.all")}
            value={rule.kinds ?? []}
            onChange={(values) => set(index, { kinds: values as Kind[] })}
            data={kinds.map((value) => ({ value, label: t(`kind.${value}`) }))}
            clearable
          />
          <MultiSelect
            label={t("places")}
            placeholder={rule.places?.length ? undefined : t("usual")}
            value={rule.places ?? []}
            onChange={(values) => set(index, { places: values.length ? (values as Place[]) : null })}
            data={places.map((value) => ({ value, label: t(`place.${value}`) }))}
            clearable
          />
          <ActionIcon
            size="lg"
            aria-label={t("remove", { number: index + 1 })}
            onClick={() => onChange(rules.filter((_, at) => at !== index))}
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
          onClick={() => onChange([...rules, { action: "redact" }])}
        >
          {t("personal.add")}
        </Button>
      </Group>
    </Stack>
  );
}
