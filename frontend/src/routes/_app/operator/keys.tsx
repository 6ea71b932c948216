import { Button, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconKey, IconPlus } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $operator, bodyOf, cursor, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { FormBody, fieldError } from "@/components/FormBody";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { SecretDialog } from "@/components/SecretDialog";

type Key = Schema<"AdminApiKey">;
type Made = Schema<"CreatedAdminApiKey">;
const path = "/v1/organization/admin_api_keys";
const lifetimes = ["never", "30", "90", "365"] as const;

export const Route = createFileRoute("/_app/operator/keys")({ component: Keys });

function Keys() {
  const { t } = useTranslation("operatorKeys");
  const queries = useQueryClient();
  const keys = $operator.useInfiniteQuery("get", path, { params: { query: { limit: 50 } } }, cursor);
  const [creating, setCreating] = useState(false);
  const [made, setMade] = useState<Made | null>(null);
  const [doomed, setDoomed] = useState<Key | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", path] });
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: (id: string) =>
      bodyOf(
        operatorClient.DELETE("/v1/organization/admin_api_keys/{admin_api_key_id}", {
          params: { path: { admin_api_key_id: id } },
        }),
      ),
    onSuccess: () => refresh().then(() => setDoomed(null)),
  });
  const create = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>
      {t("create")}
    </Button>
  );
  const columns: Column<Key>[] = [
    {
      key: "name",
      header: t("name"),
      cell: (key) => (
        <Stack gap={0}>
          <Text inherit fw={500}>
            <bdi>{key.name}</bdi>
          </Text>
          <Text span size="xs" c="dimmed" ff="monospace" className="ltr" style={{ alignSelf: "start" }}>
            {key.redacted_value}
          </Text>
        </Stack>
      ),
    },
    {
      key: "used",
      header: t("used"),
      cell: (key) => (key.last_used_at ? <RelativeTime at={key.last_used_at} /> : t("never")),
    },
    {
      key: "expires",
      header: t("expires"),
      from: "sm",
      cell: (key) => (key.expires_at ? <RelativeTime at={key.expires_at} /> : t("never")),
    },
    { key: "made", header: t("made"), from: "md", cell: (key) => <RelativeTime at={key.created_at} /> },
    {
      key: "delete",
      header: t("delete.action"),
      hiddenHeader: true,
      align: "end",
      cell: (key) => (
        <Button
          size="xs"
          variant="default"
          aria-label={t("delete.label", { name: key.name })}
          onClick={() => setDoomed(key)}
        >
          {t("delete.action")}
        </Button>
      ),
    },
  ];
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} actions={create} />
      <Panel flush>
        <DataTable
          label={t("title")}
          columns={columns}
          rows={keys.data?.pages.flatMap((page) => page.data)}
          rowKey={(key) => key.id}
          error={keys.error}
          retry={() => void keys.refetch()}
          more={keys}
          empty={<EmptyState icon={IconKey} title={t("none")} text={t("noneHelp")} action={create} />}
        />
      </Panel>
      <Modal opened={creating} onClose={() => setCreating(false)} title={t("create")}>
        <Create
          onCancel={() => setCreating(false)}
          onMade={(key) => {
            setCreating(false);
            void refresh();
            setMade(key);
          }}
        />
      </Modal>
      <SecretDialog
        secret={made?.value ?? null}
        onClose={() => setMade(null)}
        title={t("secret.title", { name: made?.name ?? "" })}
        text={t("secret.text")}
      />
      <ConfirmDialog
        opened={doomed !== null}
        onClose={() => {
          setDoomed(null);
          remove.reset();
        }}
        title={t("delete.title", { name: doomed?.name ?? "" })}
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

function Create({ onMade, onCancel }: { onMade: (key: Made) => void; onCancel: () => void }) {
  const { t } = useTranslation("operatorKeys");
  const [name, setName] = useState("");
  const [lifetime, setLifetime] = useState<string>("90");
  const create = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        operatorClient.POST(path, {
          body: {
            name: name.trim(),
            ...(lifetime === "never" ? {} : { expires_in_seconds: Number(lifetime) * 86_400 }),
          },
        }),
      ),
    onSuccess: onMade,
  });
  return (
    <FormBody
      submit={t("create")}
      onSubmit={() => create.mutate()}
      onCancel={onCancel}
      busy={create.isPending}
      disabled={!name.trim()}
      error={create.error}
      fields={["name"]}
    >
      <TextInput
        label={t("name")}
        description={t("nameHelp")}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        maxLength={256}
        dir="auto"
        autoComplete="off"
        data-autofocus
        error={fieldError(create.error, "name")}
      />
      <Select
        label={t("expires")}
        value={lifetime}
        onChange={(value) => value && setLifetime(value)}
        data={lifetimes.map((value) => ({ value, label: t(`lifetime.${value}`) }))}
      />
    </FormBody>
  );
}
