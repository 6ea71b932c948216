import { ActionIcon, Button, Group, Select, Stack, TagsInput, Text, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { termActions } from "./rules";
import classes from "./rules.module.css";

type Rule = Schema<"GuardrailsTerms">;

export function Terms({ rules, onChange }: { rules: Rule[]; onChange: (rules: Rule[]) => void }) {
  const { t } = useTranslation("guardrails");
  const set = (index: number, part: Partial<Rule>) =>
    onChange(rules.map((rule, at) => (at === index ? { ...rule, ...part } : rule)));
  return (
    <Stack gap="sm">
      <Text size="sm" c="dimmed">
        {t("terms.help")}
      </Text>
      {rules.map((rule, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: the name is being typed, so it is no key
        <div key={index} className={classes.rule}>
          <TextInput
            label={t("terms.name")}
            value={rule.name}
            maxLength={64}
            dir="ltr"
            onChange={(event) => set(index, { name: event.currentTarget.value.replace(/[^\w-]/g, "-") })}
          />
          <TagsInput
            label={t("terms.words")}
            placeholder={rule.terms.length ? undefined : t("terms.placeholder")}
            value={rule.terms}
            onChange={(terms) => set(index, { terms })}
            splitChars={[","]}
          />
          <Select
            label={t("action")}
            value={rule.action}
            onChange={(value) => value && set(index, { action: value as Rule["action"] })}
            data={termActions.map((value) => ({ value, label: t(`do.${value}`) }))}
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
          onClick={() =>
            onChange([...rules, { name: `rule-${rules.length + 1}`, action: "block", terms: [] }])
          }
        >
          {t("terms.add")}
        </Button>
      </Group>
    </Stack>
  );
}
