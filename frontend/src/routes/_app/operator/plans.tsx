import { Button, Group, Modal, Stack, TextInput } from "@mantine/core";
import { IconPlus, IconTicket } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { FormBody } from "@/components/FormBody";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { LimitList } from "@/operator/LimitList";
import { LimitRows } from "@/operator/LimitRows";
import { PriceList } from "@/operator/PriceList";
import { plansOptions, pricesOptions } from "@/operator/queries";

type Plan = Schema<"Plan">;

export const Route = createFileRoute("/_app/operator/plans")({
  loader: ({ context: { queries } }) => {
    void queries.prefetchQuery(plansOptions());
    void queries.prefetchQuery(pricesOptions());
  },
  component: Plans,
});

function Plans() {
  const { t } = useTranslation("plans");
  const queries = useQueryClient();
  const plans = useQuery(plansOptions());
  const [edited, setEdited] = useState<Plan | "new" | null>(null);
  const [doomed, setDoomed] = useState<Plan | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: plansOptions().queryKey });
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: (id: string) =>
      bodyOf(
        operatorClient.DELETE("/v1/insula/operator/plans/{plan_name}", {
          params: { path: { plan_name: id } },
        }),
      ),
    onSuccess: () => refresh().then(() => setDoomed(null)),
  });
  const create = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setEdited("new")}>
      {t("create")}
    </Button>
  );
  const columns: Column<Plan>[] = [
    { key: "name", header: t("name"), cell: (plan) => <strong>{plan.id}</strong> },
    { key: "limits", header: t("limits"), cell: (plan) => <LimitList limits={plan.limits} /> },
    {
      key: "actions",
      header: t("edit"),
      hiddenHeader: true,
      align: "end",
      cell: (plan) => (
        <Group gap="xs" justify="flex-end">
          <Button
            size="xs"
            variant="default"
            aria-label={t("editOf", { name: plan.id })}
            onClick={() => setEdited(plan)}
          >
            {t("edit")}
          </Button>
          <Button
            size="xs"
            variant="default"
            aria-label={t("delete.label", { name: plan.id })}
            onClick={() => setDoomed(plan)}
          >
            {t("delete.action")}
          </Button>
        </Group>
      ),
    },
  ];
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} actions={create} />
      <Stack gap="md">
        <Panel flush title={t("plans")}>
          <DataTable
            label={t("plans")}
            columns={columns}
            rows={plans.data?.data}
            rowKey={(plan) => plan.id}
            error={plans.error}
            retry={() => void plans.refetch()}
            empty={<EmptyState icon={IconTicket} title={t("none")} text={t("noneHelp")} action={create} />}
          />
        </Panel>
        <PriceList />
      </Stack>
      <Modal
        opened={edited !== null}
        onClose={() => setEdited(null)}
        title={edited === "new" ? t("create") : t("editOf", { name: edited?.id ?? "" })}
        size="xl"
      >
        <Form
          plan={edited === "new" ? null : edited}
          onCancel={() => setEdited(null)}
          onDone={() => refresh().then(() => setEdited(null))}
        />
      </Modal>
      <ConfirmDialog
        opened={doomed !== null}
        onClose={() => {
          setDoomed(null);
          remove.reset();
        }}
        title={t("delete.title", { name: doomed?.id ?? "" })}
        confirm={t("delete.action")}
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => doomed && remove.mutate(doomed.id)}
      >
        {t("delete.text")}
      </ConfirmDialog>
    </>
  );
}

function Form({ plan, onDone, onCancel }: { plan: Plan | null; onDone: () => void; onCancel: () => void }) {
  const { t } = useTranslation("plans");
  const [name, setName] = useState(plan?.id ?? "");
  const [limits, setLimits] = useState(plan?.limits ?? []);
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        operatorClient.PUT("/v1/insula/operator/plans/{plan_name}", {
          params: { path: { plan_name: name.trim() } },
          body: { limits },
        }),
      ),
    onSuccess: onDone,
  });
  return (
    <FormBody
      submit={t("save")}
      onSubmit={() => save.mutate()}
      onCancel={onCancel}
      busy={save.isPending}
      disabled={!name.trim()}
      error={save.error}
    >
      {!plan && (
        <TextInput
          label={t("name")}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          dir="ltr"
          maxLength={63}
          autoComplete="off"
          data-autofocus
        />
      )}
      <LimitRows limits={limits} onChange={setLimits} />
    </FormBody>
  );
}
