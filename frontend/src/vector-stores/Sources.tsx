import { ActionIcon, Button, Group, Menu, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconDots, IconPlus, IconRefresh, IconTrash, IconWorld } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, DataTable } from "@/components/DataTable";
import { ErrorState } from "@/components/ErrorState";
import { Guarded } from "@/components/Guarded";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { Status, type Tone } from "@/components/Status";
import { useCan } from "@/session/session";

type Source = Schema<"Source">;

const tones: Record<string, Tone> = { waiting: "busy", crawling: "busy", idle: "good", failed: "bad" };

/** Pages of the web that are read into a store. */
export function Sources({ storeId }: { storeId: string }) {
  const { t, i18n } = useTranslation(["stores", "common"]);
  const may = useCan("vector_stores.write");
  const queries = useQueryClient();
  const [adding, setAdding] = useState(false);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", "/v1/insula/sources"] });
  const sources = $api.useQuery(
    "get",
    "/v1/insula/sources",
    { params: { query: { limit: 100 } } },
    {
      refetchInterval: (query) =>
        query.state.data?.data.some((one) => tones[one.status] === "busy") ? 3_000 : false,
    },
  );
  const crawl = useMutation({
    mutationFn: (id: string) =>
      bodyOf(client.POST("/v1/insula/sources/{source_id}/refresh", { params: { path: { source_id: id } } })),
    onSuccess: refresh,
  });
  const remove = useMutation({
    mutationFn: (id: string) =>
      bodyOf(client.DELETE("/v1/insula/sources/{source_id}", { params: { path: { source_id: id } } })),
    onSuccess: refresh,
  });
  const rows = sources.data?.data.filter((source) => source.vector_store_id === storeId);
  const columns: Column<Source>[] = [
    {
      key: "url",
      header: t("sources.address"),
      cell: (source) => (
        <Text inherit className="ltr" truncate maw={360}>
          {source.url}
        </Text>
      ),
    },
    {
      key: "state",
      header: t("column.state"),
      cell: (source) => (
        <Stack gap={2}>
          <Status tone={tones[source.status] ?? "off"}>
            {i18n.exists(`stores:sources.state.${source.status}`)
              ? t(`sources.state.${source.status as "idle"}`)
              : source.status}
          </Status>
          {source.last_error && (
            <Text size="xs" c="dimmed">
              {source.last_error}
            </Text>
          )}
        </Stack>
      ),
    },
    {
      key: "pages",
      header: t("sources.pages"),
      from: "sm",
      cell: (source) => t("sources.stored", { count: source.pages.stored }),
    },
    {
      key: "at",
      header: t("sources.last"),
      from: "md",
      cell: (source) => (source.last_crawled_at ? <RelativeTime at={source.last_crawled_at} /> : "–"),
    },
    {
      key: "actions",
      header: t("column.actions"),
      hiddenHeader: true,
      align: "end",
      cell: (source) => (
        <Menu position="bottom-end" disabled={!may}>
          <Menu.Target>
            <ActionIcon aria-label={t("files.actions", { name: source.url })} disabled={!may}>
              <IconDots size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item leftSection={<IconRefresh size={15} />} onClick={() => crawl.mutate(source.id)}>
              {t("sources.crawl")}
            </Menu.Item>
            <Menu.Item
              leftSection={<IconTrash size={15} />}
              c="var(--mantine-color-error)"
              onClick={() => remove.mutate(source.id)}
            >
              {t("sources.remove")}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      ),
    },
  ];
  return (
    <Panel
      flush
      title={t("sources.title")}
      actions={
        <Guarded scope="vector_stores.write">
          <Button
            size="xs"
            variant="default"
            leftSection={<IconPlus size={14} />}
            onClick={() => setAdding(true)}
          >
            {t("sources.add")}
          </Button>
        </Guarded>
      }
    >
      <DataTable
        label={t("sources.title")}
        columns={columns}
        rows={rows}
        rowKey={(source) => source.id}
        error={sources.error}
        retry={() => void sources.refetch()}
        empty={
          <Group p="md" gap="xs" c="dimmed">
            <IconWorld size={18} stroke={1.6} aria-hidden />
            <Text size="sm">{t("sources.none")}</Text>
          </Group>
        }
      />
      <Modal opened={adding} onClose={() => setAdding(false)} title={t("sources.add")}>
        <Add
          storeId={storeId}
          onDone={() => {
            setAdding(false);
            void refresh();
          }}
        />
      </Modal>
    </Panel>
  );
}

function Add({ storeId, onDone }: { storeId: string; onDone: () => void }) {
  const { t } = useTranslation("stores");
  const [url, setUrl] = useState("");
  const [type, setType] = useState<Schema<"SourceType">>("page");
  const [every, setEvery] = useState("");
  const create = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        client.POST("/v1/insula/sources", {
          body: {
            vector_store_id: storeId,
            url: url.trim(),
            type,
            refresh_every_hours: every ? Number(every) : null,
          },
        }),
      ),
    onSuccess: onDone,
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput
          label={t("sources.address")}
          type="url"
          dir="ltr"
          placeholder="https://example.com/docs"
          required
          withAsterisk={false}
          value={url}
          onChange={(event) => setUrl(event.currentTarget.value)}
          data-autofocus
        />
        <Select
          label={t("sources.type")}
          value={type}
          onChange={(value) => value && setType(value as Schema<"SourceType">)}
          data={(["page", "sitemap"] as const).map((value) => ({
            value,
            label: t(`sources.types.${value}`),
          }))}
        />
        <Select
          label={t("sources.every")}
          value={every}
          onChange={(value) => setEvery(value ?? "")}
          data={(["", "24", "168"] as const).map((value) => ({
            value,
            label: t(`sources.hours.${value || "never"}`),
          }))}
        />
        {create.error && <ErrorState error={create.error} />}
        <Group justify="flex-end">
          <Button type="submit" loading={create.isPending} disabled={!url.trim()}>
            {t("sources.add")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
