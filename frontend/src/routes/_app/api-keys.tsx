import { Button, Stack, Text, Tooltip } from "@mantine/core";
import { IconKey, IconPlus } from "@tabler/icons-react";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, cursor } from "@/api/client";
import type { Schema } from "@/api/paths";
import { CreateKey } from "@/api-keys/CreateKey";
import { KeyActions } from "@/api-keys/KeyActions";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Guarded } from "@/components/Guarded";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { SecretDialog } from "@/components/SecretDialog";
import { Status } from "@/components/Status";
import { useFormat } from "@/lib/useFormat";
import { useCan, useSession } from "@/session/session";

type ApiKey = Schema<"ApiKey">;

export const Route = createFileRoute("/_app/api-keys")({
  validateSearch: (search: Record<string, unknown>): { create?: boolean } =>
    search.create === true || search.create === "true" ? { create: true } : {},
  component: ApiKeys,
});

const over = (key: ApiKey) =>
  key.revoked_at !== null || (key.expires_at !== null && key.expires_at * 1000 < Date.now());

function ApiKeys() {
  const { t } = useTranslation("apiKeys");
  const format = useFormat();
  const all = useSession().scopes.length;
  const may = useCan("api_keys.write");
  const { create = false } = Route.useSearch();
  const navigate = Route.useNavigate();
  const [secret, setSecret] = useState<Schema<"CreatedApiKey"> | null>(null);
  const keys = $api.useInfiniteQuery(
    "get",
    "/v1/insula/api_keys",
    { params: { query: { limit: 50 } } },
    cursor,
  );
  const ask = (on: boolean) => void navigate({ search: on ? { create: true } : {}, replace: true });
  const button = (
    <Guarded scope="api_keys.write">
      <Button leftSection={<IconPlus size={16} />} onClick={() => ask(true)}>
        {t("create.action")}
      </Button>
    </Guarded>
  );
  const columns: Column<ApiKey>[] = [
    {
      key: "name",
      header: t("column.name"),
      cell: (key) => (
        <Stack gap={0}>
          <Text inherit fw={500}>
            {key.name || t("unnamed")}
          </Text>
          <Text span size="xs" c="dimmed" ff="monospace" className="ltr" style={{ alignSelf: "start" }}>
            {key.redacted}
          </Text>
        </Stack>
      ),
    },
    {
      key: "scopes",
      header: t("column.scopes"),
      from: "sm",
      cell: (key) => (
        <Tooltip
          label={<span className="ltr">{key.scopes.join(", ")}</span>}
          events={{ hover: true, focus: true, touch: true }}
        >
          <span tabIndex={0}>
            {key.scopes.length >= all ? t("allScopes") : t("scopeCount", { count: key.scopes.length })}
          </span>
        </Tooltip>
      ),
    },
    {
      key: "stores",
      header: t("column.stores"),
      from: "md",
      cell: (key) =>
        key.vector_store_ids ? t("storeCount", { count: key.vector_store_ids.length }) : t("allStores"),
    },
    {
      key: "limits",
      header: t("column.limits"),
      from: "lg",
      cell: (key) =>
        key.limits?.requests_per_minute ? t("perMinute", { count: key.limits.requests_per_minute }) : "–",
    },
    {
      key: "used",
      header: t("column.used"),
      cell: (key) => (key.last_used_at ? <RelativeTime at={key.last_used_at} /> : t("never")),
    },
    {
      key: "state",
      header: t("column.state"),
      from: "xs",
      cell: (key) =>
        key.revoked_at ? (
          <Status tone="off">{t("state.revoked")}</Status>
        ) : over(key) ? (
          <Status tone="off">{t("state.expired")}</Status>
        ) : key.expires_at ? (
          <Status tone="warn">{t("state.until", { date: format.date(key.expires_at) })}</Status>
        ) : (
          <Status tone="good">{t("state.active")}</Status>
        ),
    },
    {
      key: "actions",
      header: t("column.actions"),
      hiddenHeader: true,
      align: "end",
      cell: (key) => !over(key) && <KeyActions apiKey={key} onSecret={setSecret} />,
    },
  ];
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} actions={button} />
      <Panel flush>
        <DataTable
          label={t("title")}
          columns={columns}
          rows={keys.data?.pages.flatMap((page) => page.data)}
          rowKey={(key) => key.id}
          dimmed={over}
          error={keys.error}
          retry={() => void keys.refetch()}
          more={keys}
          empty={
            <EmptyState icon={IconKey} title={t("empty.title")} text={t("empty.text")} action={button} />
          }
        />
      </Panel>
      <CreateKey
        opened={create && may}
        onClose={() => ask(false)}
        onCreated={(key) => {
          ask(false);
          setSecret(key);
        }}
      />
      <SecretDialog
        secret={secret?.key ?? null}
        onClose={() => setSecret(null)}
        title={t("secret.title", { name: secret?.name ?? "" })}
        text={t("secret.text")}
      />
    </>
  );
}
