import { NumberInput, Select, SimpleGrid, Switch, TagsInput, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { FormBody, fieldError } from "@/components/FormBody";
import { type Draft, periods, subjects } from "./budget";

interface Props {
  draft: Draft;
  /** What it is on stays once it is made. */
  fixed: boolean;
  busy: boolean;
  error: unknown;
  onSubmit: (draft: Draft) => void;
  onCancel: () => void;
}

export function BudgetForm({ draft: first, fixed, busy, error, onSubmit, onCancel }: Props) {
  const { t } = useTranslation(["budgets", "common"]);
  const [draft, setDraft] = useState(first);
  const set = (change: Partial<Draft>) => setDraft((before) => ({ ...before, ...change }));
  const { subject_kind: kind } = draft;
  return (
    <FormBody
      submit={fixed ? t("save") : t("create")}
      onSubmit={() => onSubmit(draft)}
      onCancel={onCancel}
      busy={busy}
      disabled={draft.amount_usd === ""}
      error={error}
      fields={["amount_usd", "subject", "alert_at"]}
    >
      <SimpleGrid cols={{ base: 1, xs: 2 }} spacing="sm">
        <NumberInput
          label={t("amount")}
          prefix="$"
          min={0}
          decimalScale={6}
          thousandSeparator=","
          hideControls
          data-autofocus
          dir="ltr"
          value={draft.amount_usd}
          onChange={(value) => set({ amount_usd: value === "" ? "" : String(value) })}
          error={fieldError(error, "amount_usd")}
        />
        <Select
          label={t("period.label")}
          value={draft.period}
          disabled={fixed}
          onChange={(value) => value && set({ period: value as Draft["period"] })}
          data={periods.map((value) => ({ value, label: t(`period.${value}`) }))}
        />
        <Select
          label={t("subject.label")}
          value={kind}
          disabled={fixed}
          onChange={(value) =>
            value && set({ subject_kind: value as Draft["subject_kind"], subject: undefined })
          }
          data={subjects.map((value) => ({ value, label: t(`subject.${value}`) }))}
        />
        {kind !== "tenant" && (
          <TextInput
            label={t(`which.${kind}`)}
            placeholder={t("which.each")}
            disabled={fixed}
            dir="ltr"
            value={draft.subject ?? ""}
            onChange={(event) => set({ subject: event.currentTarget.value.trim() || undefined })}
            error={fieldError(error, "subject")}
          />
        )}
      </SimpleGrid>
      <TextInput
        label={t("name")}
        value={draft.name ?? ""}
        maxLength={128}
        dir="auto"
        onChange={(event) => set({ name: event.currentTarget.value || undefined })}
      />
      <Switch
        label={t("hard.label")}
        description={t("hard.help")}
        checked={draft.hard ?? true}
        onChange={(event) => set({ hard: event.currentTarget.checked })}
      />
      <TagsInput
        label={t("alerts.label")}
        description={t("alerts.help")}
        value={(draft.alert_at ?? []).map(String)}
        maxTags={10}
        dir="ltr"
        onChange={(values) =>
          set({
            alert_at: values
              .map(Number)
              .filter((value) => Number.isInteger(value) && value > 0 && value <= 1000),
          })
        }
        error={fieldError(error, "alert_at")}
      />
    </FormBody>
  );
}
