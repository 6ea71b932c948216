import { ActionIcon, Group, Modal, Stack, Text, Tooltip } from "@mantine/core";
import { IconPencil, IconTrash } from "@tabler/icons-react";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { type Column, DataTable } from "@/components/DataTable";
import { Tag } from "@/components/Tag";
import { useFormat } from "@/lib/useFormat";
import { BudgetBar } from "./BudgetBar";
import { BudgetForm } from "./BudgetForm";
import { type Budget, current, type Draft, draftOf, newDraft } from "./budget";

interface Act<Input> {
  mutate: (input: Input, then: { onSuccess: () => void }) => void;
  isPending: boolean;
  error: unknown;
  reset: () => void;
}

interface Props {
  budgets: Budget[] | undefined;
  error: unknown;
  retry: () => void;
  empty: ReactNode;
  /** Why a budget cannot be changed here; null: it can. */
  fixed: (budget: Budget) => string | null;
  /** Opens the form of a new one, from the outside. */
  creating: boolean;
  onCreating: (on: boolean) => void;
  save: Act<{ draft: Draft; before: Budget | null }>;
  remove: Act<Budget>;
}

export function BudgetList(props: Props) {
  const { budgets, error, retry, empty, fixed, creating, onCreating, save, remove } = props;
  const { t } = useTranslation("budgets");
  const format = useFormat();
  const [edited, setEdited] = useState<Budget | null>(null);
  const [doomed, setDoomed] = useState<Budget | null>(null);
  const close = () => {
    setEdited(null);
    onCreating(false);
    save.reset();
  };
  const nameOf = (budget: Budget) =>
    budget.subject_kind === "tenant"
      ? t("subject.tenant")
      : budget.subject
        ? t(`one.${budget.subject_kind}`, { name: budget.subject })
        : t(`each.${budget.subject_kind}`);
  const columns: Column<Budget>[] = [
    {
      key: "subject",
      header: t("column.subject"),
      cell: (budget) => (
        <Stack gap={2}>
          <Group gap={6}>
            <Text inherit fw={500}>
              <bdi>{budget.name || nameOf(budget)}</bdi>
            </Text>
            {budget.set_by === "operator" && <Tag>{t("byOperator")}</Tag>}
          </Group>
          <Text size="xs" c="dimmed">
            {format.list([
              ...(budget.name ? [nameOf(budget)] : []),
              t(`period.${budget.period}`),
              budget.hard ? t("hard.on") : t("hard.off"),
            ])}
          </Text>
        </Stack>
      ),
    },
    {
      key: "spent",
      header: t("column.spent"),
      width: "34%",
      cell: (budget) => {
        const spent = current(budget);
        return (
          <Stack gap={2}>
            <BudgetBar
              spent={spent?.spent_usd ?? "0"}
              amount={budget.amount_usd}
              label={t("barOf", { name: budget.name || nameOf(budget) })}
            />
            {budget.subject === null && spent?.subject && (
              <Text size="xs" c="dimmed">
                {t("most")} <span className="ltr">{spent.subject}</span>
              </Text>
            )}
          </Stack>
        );
      },
    },
    {
      key: "alerts",
      header: t("column.alerts"),
      from: "md",
      cell: (budget) =>
        budget.alert_at.length ? format.list(budget.alert_at.map((at) => format.percent(at / 100))) : "–",
    },
    {
      key: "actions",
      header: t("column.actions"),
      hiddenHeader: true,
      align: "end",
      cell: (budget) => {
        const reason = fixed(budget);
        const off = reason ? { "data-disabled": true, "aria-disabled": true, bg: "transparent" } : {};
        return (
          <Group gap={2} justify="flex-end" wrap="nowrap">
            <Tooltip label={reason ?? t("edit")}>
              <ActionIcon
                aria-label={t("editOf", { name: budget.name || nameOf(budget) })}
                {...off}
                onClick={() => !reason && setEdited(budget)}
              >
                <IconPencil size={16} />
              </ActionIcon>
            </Tooltip>
            <Tooltip label={reason ?? t("delete.action")}>
              <ActionIcon
                aria-label={t("deleteOf", { name: budget.name || nameOf(budget) })}
                {...off}
                onClick={() => !reason && setDoomed(budget)}
              >
                <IconTrash size={16} />
              </ActionIcon>
            </Tooltip>
          </Group>
        );
      },
    },
  ];
  return (
    <>
      <DataTable
        label={t("title")}
        columns={columns}
        rows={budgets}
        rowKey={(budget) => budget.id}
        error={error}
        retry={retry}
        empty={empty}
      />
      <Modal opened={creating || edited !== null} onClose={close} title={edited ? t("edit") : t("new")}>
        <BudgetForm
          draft={edited ? draftOf(edited) : newDraft()}
          fixed={edited !== null}
          busy={save.isPending}
          error={save.error}
          onCancel={close}
          onSubmit={(draft) => save.mutate({ draft, before: edited }, { onSuccess: close })}
        />
      </Modal>
      <ConfirmDialog
        opened={doomed !== null}
        onClose={() => {
          setDoomed(null);
          remove.reset();
        }}
        title={t("delete.title", { name: doomed ? doomed.name || nameOf(doomed) : "" })}
        confirm={t("delete.action")}
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => doomed && remove.mutate(doomed, { onSuccess: () => setDoomed(null) })}
      >
        {t("delete.text")}
      </ConfirmDialog>
    </>
  );
}
