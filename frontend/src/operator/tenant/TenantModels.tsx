import { Button, Group, MultiSelect, Radio, Skeleton, Stack } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { $operator, bodyOf, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ErrorState } from "@/components/ErrorState";
import { notifyDone } from "@/components/notifyError";
import { Panel } from "@/components/Panel";
import { routesOptions } from "../queries";

type Permissions = Schema<"ProjectModelPermissions">;
const path = "/v1/organization/projects/{project_id}/model_permissions";

export function TenantModels({ id }: { id: string }) {
  const { t } = useTranslation("tenants");
  const stored = useQuery($operator.queryOptions("get", path, { params: { path: { project_id: id } } }));
  return (
    <Panel title={t("models.title")}>
      {stored.error ? (
        <ErrorState error={stored.error} retry={() => void stored.refetch()} />
      ) : stored.data ? (
        <Form key={JSON.stringify(stored.data)} id={id} stored={stored.data} />
      ) : (
        <Skeleton h={120} />
      )}
    </Panel>
  );
}

const modes = ["every", "deny_list", "allow_list"] as const;
type Mode = (typeof modes)[number];

function Form({ id, stored }: { id: string; stored: Permissions }) {
  const { t } = useTranslation(["tenants", "data"]);
  const queries = useQueryClient();
  const routes = useQuery(routesOptions());
  // A list of forbidden models without a model forbids nothing.
  const first: Mode = stored.mode === "deny_list" && stored.model_ids.length === 0 ? "every" : stored.mode;
  const [mode, setMode] = useState<Mode>(first);
  const [models, setModels] = useState(stored.model_ids);
  const params = { path: { project_id: id } };
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      mode === "every"
        ? bodyOf<unknown>(operatorClient.DELETE(path, { params }))
        : bodyOf<unknown>(operatorClient.POST(path, { params, body: { mode, model_ids: models } })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["get", path] });
      notifyDone(t("models.saved"));
    },
  });
  const same = mode === first && (mode === "every" || models.join("\n") === stored.model_ids.join("\n"));
  const known = [...new Set([...(routes.data?.data ?? []).map((route) => route.model), ...models])].sort();
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (!same) save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <Radio.Group label={t("models.label")} value={mode} onChange={(value) => setMode(value as Mode)}>
          <Stack gap="xs" mt={6}>
            {modes.map((value) => (
              <Radio key={value} value={value} label={t(`models.mode.${value}`)} />
            ))}
          </Stack>
        </Radio.Group>
        {mode !== "every" && (
          <MultiSelect
            maw={520}
            label={t("models.list")}
            value={models}
            onChange={setModels}
            data={known}
            searchable
            clearable
          />
        )}
        {save.error && <ErrorState error={save.error} />}
        <Group>
          <Button type="submit" size="xs" loading={save.isPending} disabled={same}>
            {t("data:save")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
