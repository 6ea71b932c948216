import { Button, Text } from "@mantine/core";
import { IconKey, IconPlus } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Guarded } from "@/components/Guarded";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { AddProviderKey } from "@/settings/AddProviderKey";

type ProviderKey = Schema<"ProviderKey">;

export const Route = createFileRoute("/_app/settings/provider-keys")({
  loader: ({ context }) =>
    void context.queries.prefetchQuery($api.queryOptions("get", "/v1/insula/provider_keys")),
  component: ProviderKeys,
});

function ProviderKeys() {
  const { t } = useTranslation("providerKeys");
  const queries = useQueryClient();
  const keys = $api.useQuery("get", "/v1/insula/provider_keys");
  const [adding, setAdding] = useState(false);
  const [doomed, setDoomed] = useState<ProviderKey | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", "/v1/insula/provider_keys"] });
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: (id: string) =>
      bodyOf(
        client.DELETE("/v1/insula/provider_keys/{provider_key_id}", {
          params: { path: { provider_key_id: id } },
        }),
      ),
    onSuccess: () => refresh().then(() => setDoomed(null)),
  });
  const add = (
    <Guarded scope="provider_keys.write">
      <Button size="xs" leftSection={<IconPlus size={15} />} onClick={() => setAdding(true)}>
        {t("add")}
      </Button>
    </Guarded>
  );
  const columns: Column<ProviderKey>[] = [
    {
      key: "provider",
      header: t("column.provider"),
      cell: (key) => (
        <Text inherit fw={500} span className="ltr">
          {key.provider}
        </Text>
      ),
    },
    {
      key: "end",
      header: t("column.key"),
      cell: (key) => <code>••••{key.last_four}</code>,
    },
    {
      key: "made",
      header: t("column.made"),
      from: "sm",
      cell: (key) => <RelativeTime at={key.created_at} />,
    },
    {
      key: "used",
      header: t("column.used"),
      from: "xs",
      cell: (key) => (key.last_used_at ? <RelativeTime at={key.last_used_at} /> : t("never")),
    },
    {
      key: "actions",
      header: t("delete.action"),
      hiddenHeader: true,
      align: "end",
      cell: (key) => (
        <Guarded scope="provider_keys.write">
          <Button
            size="xs"
            variant="default"
            aria-label={t("delete.label", { provider: key.provider })}
            onClick={() => setDoomed(key)}
          >
            {t("delete.action")}
          </Button>
        </Guarded>
      ),
    },
  ];
  return (
    <Panel title={t("title")} actions={add} flush>
      <DataTable
        label={t("title")}
        columns={columns}
        rows={keys.data?.data}
        rowKey={(key) => key.id}
        error={keys.error}
        retry={() => void keys.refetch()}
        empty={<EmptyState icon={IconKey} title={t("none")} text={t("noneHelp")} action={add} />}
      />
      <AddProviderKey
        opened={adding}
        onClose={() => setAdding(false)}
        onAdded={() => refresh().then(() => setAdding(false))}
      />
      <ConfirmDialog
        opened={doomed !== null}
        onClose={() => {
          setDoomed(null);
          remove.reset();
        }}
        title={t("delete.title", { provider: doomed?.provider ?? "" })}
        confirm={t("delete.action")}
        onConfirm={() => doomed && remove.mutate(doomed.id)}
        busy={remove.isPending}
        error={remove.error}
      >
        {t("delete.text")}
      </ConfirmDialog>
    </Panel>
  );
}
