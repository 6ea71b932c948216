import { Button, Group, Select, Skeleton, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { $operator, bodyOf, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ErrorState } from "@/components/ErrorState";
import { notifyDone } from "@/components/notifyError";
import { Panel } from "@/components/Panel";
import { LimitList } from "../LimitList";
import { LimitRows } from "../LimitRows";
import { plansOptions } from "../queries";

type Limits = Schema<"TenantLimits">;

export function TenantLimits({ id }: { id: string }) {
  const { t } = useTranslation("tenants");
  const limits = useQuery(
    $operator.queryOptions("get", "/v1/insula/operator/tenants/{tenant_id}/limits", {
      params: { path: { tenant_id: id } },
    }),
  );
  return (
    <Panel title={t("limits.title")}>
      {limits.error ? (
        <ErrorState error={limits.error} retry={() => void limits.refetch()} />
      ) : limits.data ? (
        <Form key={JSON.stringify(limits.data)} id={id} stored={limits.data} />
      ) : (
        <Skeleton h={120} />
      )}
    </Panel>
  );
}

function Form({ id, stored }: { id: string; stored: Limits }) {
  const { t } = useTranslation(["tenants", "data"]);
  const queries = useQueryClient();
  const plans = useQuery(plansOptions());
  const [value, setValue] = useState(stored);
  const dirty = JSON.stringify(value) !== JSON.stringify(stored);
  const plan = plans.data?.data.find((one) => one.id === value.plan);
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        operatorClient.PUT("/v1/insula/operator/tenants/{tenant_id}/limits", {
          params: { path: { tenant_id: id } },
          body: value,
        }),
      ),
    onSuccess: async () => {
      await queries.invalidateQueries({
        queryKey: ["get", "/v1/insula/operator/tenants/{tenant_id}/limits"],
      });
      notifyDone(t("limits.saved"));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (dirty) save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Select
          maw={320}
          label={t("limits.plan")}
          description={t("limits.planHelp")}
          value={value.plan ?? ""}
          onChange={(next) => setValue({ ...value, plan: next || null })}
          data={[
            { value: "", label: t("limits.noPlan") },
            ...(plans.data?.data ?? []).map((one) => ({ value: one.id, label: one.id })),
          ]}
        />
        {plan && (
          <Text size="sm" component="div" c="dimmed">
            <LimitList limits={plan.limits} />
          </Text>
        )}
        <Stack gap={6}>
          <Text fw={500}>{t("limits.own")}</Text>
          <LimitRows limits={value.limits} onChange={(limits) => setValue({ ...value, limits })} />
        </Stack>
        {save.error && <ErrorState error={save.error} />}
        <Group gap="xs">
          <Button type="submit" size="xs" loading={save.isPending} disabled={!dirty}>
            {t("data:save")}
          </Button>
          {dirty && (
            <Button size="xs" variant="subtle" color="gray" onClick={() => setValue(stored)}>
              {t("data:undo")}
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
