import { Button, Group, NumberInput, Skeleton, Stack, Text } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { $operator, bodyOf, operatorClient } from "@/api/client";
import { toApiError } from "@/api/error";
import { ErrorState } from "@/components/ErrorState";
import { notifyDone } from "@/components/notifyError";
import { Panel } from "@/components/Panel";
import { Status } from "@/components/Status";

const path = "/v1/organization/projects/{project_id}/spend_limit";

export function SpendLimit({ id }: { id: string }) {
  const { t } = useTranslation("tenants");
  const params = { path: { project_id: id } };
  const limit = useQuery({
    ...$operator.queryOptions("get", path, { params }),
    // Without a limit the server says 404, which asking again does not change.
    retry: false,
  });
  const none = limit.error ? toApiError(limit.error).status === 404 : false;
  return (
    <Panel
      title={t("spend.title")}
      actions={
        limit.data &&
        !none && (
          <Status tone={limit.data.enforcement.status === "inactive" ? "good" : "bad"}>
            {limit.data.enforcement.status === "inactive" ? t("spend.within") : t("spend.used")}
          </Status>
        )
      }
    >
      {limit.error && !none ? (
        <ErrorState error={limit.error} retry={() => void limit.refetch()} />
      ) : limit.isPending ? (
        <Skeleton h={80} />
      ) : (
        <Form
          key={none ? "none" : limit.data?.threshold_amount}
          id={id}
          cents={none ? null : (limit.data?.threshold_amount ?? null)}
        />
      )}
    </Panel>
  );
}

function Form({ id, cents }: { id: string; cents: number | null }) {
  const { t } = useTranslation(["tenants", "data"]);
  const queries = useQueryClient();
  const params = { path: { project_id: id } };
  const [dollars, setDollars] = useState<number | "">(cents === null ? "" : cents / 100);
  const done = async () => {
    await queries.resetQueries({ queryKey: ["get", path] });
    notifyDone(t("spend.saved"));
  };
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        operatorClient.POST(path, {
          params,
          body: { currency: "USD", interval: "month", threshold_amount: Math.round(Number(dollars) * 100) },
        }),
      ),
    onSuccess: done,
  });
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: () => bodyOf(operatorClient.DELETE(path, { params })),
    onSuccess: done,
  });
  const error = save.error ?? remove.error;
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (dollars !== "") save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text c="dimmed">{t("spend.help")}</Text>
        <Group align="flex-end" gap="xs">
          <NumberInput
            w={180}
            label={t("spend.amount")}
            prefix="$"
            placeholder={t("spend.none")}
            min={0}
            decimalScale={2}
            thousandSeparator=","
            hideControls
            dir="ltr"
            value={dollars}
            onChange={(value) => setDollars(typeof value === "number" ? value : "")}
          />
          <Button
            type="submit"
            variant="default"
            loading={save.isPending}
            disabled={dollars === "" || dollars * 100 === cents}
          >
            {t("data:save")}
          </Button>
          {cents !== null && (
            <Button variant="subtle" color="gray" loading={remove.isPending} onClick={() => remove.mutate()}>
              {t("spend.remove")}
            </Button>
          )}
        </Group>
        {error && <ErrorState error={error} />}
      </Stack>
    </form>
  );
}
