import { ActionIcon, Code, Group, Menu, SegmentedControl, SimpleGrid, Stack } from "@mantine/core";
import { IconDots, IconFileText, IconPencil, IconSearch, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { CopyButton } from "@/components/CopyButton";
import { EmptyState } from "@/components/EmptyState";
import { ErrorState } from "@/components/ErrorState";
import { ButtonLink } from "@/components/links";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { StatCard } from "@/components/StatCard";
import { useFormat } from "@/lib/useFormat";
import { useCan } from "@/session/session";
import { DropZone } from "@/vector-stores/DropZone";
import { FilesTable } from "@/vector-stores/FilesTable";
import { IndexPanel } from "@/vector-stores/IndexPanel";
import { Sources } from "@/vector-stores/Sources";
import { StoreForm } from "@/vector-stores/StoreForm";
import { UploadList } from "@/vector-stores/UploadList";
import { useUploads } from "@/vector-stores/useUploads";

export const Route = createFileRoute("/_app/vector-stores/$storeId/")({ component: VectorStore });

const filters = ["all", "in_progress", "completed", "failed"] as const;

function VectorStore() {
  const { t } = useTranslation("stores");
  const format = useFormat();
  const { storeId } = Route.useParams();
  const path = { vector_store_id: storeId };
  const store = $api.useQuery("get", "/v1/vector_stores/{vector_store_id}", { params: { path } });
  const uploads = useUploads(storeId);
  const [filter, setFilter] = useState<string>("all");
  const crumbs = [{ label: t("title"), to: "/vector-stores" } as const];
  if (store.error) {
    return (
      <>
        <PageHeader title={storeId} help={t("help")} crumbs={crumbs} />
        <ErrorState error={store.error} retry={() => void store.refetch()} />
      </>
    );
  }
  const data = store.data;
  return (
    <>
      <PageHeader
        title={data ? data.name || data.id : "…"}
        help={data?.description || t("store.help")}
        crumbs={crumbs}
        actions={
          <>
            <ButtonLink
              to="/playground"
              search={{ mode: "search", stores: [storeId] }}
              variant="default"
              leftSection={<IconSearch size={16} />}
            >
              {t("store.search")}
            </ButtonLink>
            {data && <StoreMenu store={data} />}
          </>
        }
      />
      <Stack gap="md">
        <SimpleGrid cols={{ base: 2, md: 4 }} spacing="sm">
          <StatCard
            label={t("column.files")}
            value={data && format.number(data.file_counts.total)}
            note={
              data && data.file_counts.failed > 0 && t("state.failed", { count: data.file_counts.failed })
            }
          />
          <StatCard
            label={t("column.size")}
            value={data && format.bytes(data.usage_bytes)}
            note={t("store.sizeNote")}
          />
          <StatCard
            label={t("column.active")}
            value={data && <RelativeTime at={data.last_active_at} />}
            note={data?.expires_at && t("store.expires", { date: format.date(data.expires_at) })}
          />
          <StatCard
            label={t("column.model")}
            value={
              data && (
                <span className="ltr" style={{ fontSize: "1rem" }}>
                  {data.embedding_model}
                </span>
              )
            }
            note={
              <Group gap={4} wrap="nowrap">
                <Code className="ltr" style={{ overflow: "hidden", textOverflow: "ellipsis" }}>
                  {storeId}
                </Code>
                <CopyButton value={storeId} size="xs" label={t("store.copyId")} />
              </Group>
            }
          />
        </SimpleGrid>
        <DropZone onFiles={uploads.add} />
        <UploadList {...uploads} />
        <Panel
          flush
          title={t("files.title")}
          actions={
            <SegmentedControl
              size="xs"
              aria-label={t("files.filter")}
              value={filter}
              onChange={setFilter}
              data={filters.map((value) => ({ value, label: t(`files.filters.${value}`) }))}
            />
          }
        >
          <FilesTable
            storeId={storeId}
            filter={filter === "all" ? undefined : filter}
            empty={
              <EmptyState
                icon={IconFileText}
                title={filter === "all" ? t("files.empty") : t("files.noneSo")}
                text={filter === "all" ? t("files.emptyText") : t("files.noneSoText")}
              />
            }
          />
        </Panel>
        <Sources storeId={storeId} />
        <IndexPanel storeId={storeId} />
      </Stack>
    </>
  );
}

function StoreMenu({ store }: { store: Parameters<typeof StoreForm>[0]["store"] & object }) {
  const { t } = useTranslation(["stores", "common"]);
  const may = useCan("vector_stores.write");
  const navigate = Route.useNavigate();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<"edit" | "delete" | null>(null);
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        client.DELETE("/v1/vector_stores/{vector_store_id}", {
          params: { path: { vector_store_id: store.id } },
        }),
      ),
    onSuccess: async () => {
      await navigate({ to: "/vector-stores" });
      void queries.invalidateQueries({ queryKey: ["get", "/v1/vector_stores"] });
    },
  });
  return (
    <>
      <Menu position="bottom-end" disabled={!may}>
        <Menu.Target>
          <ActionIcon
            size={36}
            variant="default"
            disabled={!may}
            aria-label={t("store.actions")}
            title={may ? undefined : t("common:notAllowed", { scope: "vector_stores.write" })}
          >
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={15} />} onClick={() => setAsked("edit")}>
            {t("form.change")}
          </Menu.Item>
          <Menu.Item
            leftSection={<IconTrash size={15} />}
            c="var(--mantine-color-error)"
            onClick={() => setAsked("delete")}
          >
            {t("store.delete")}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <StoreForm
        opened={asked === "edit"}
        onClose={() => setAsked(null)}
        store={store}
        onSaved={() => setAsked(null)}
      />
      <ConfirmDialog
        opened={asked === "delete"}
        onClose={() => setAsked(null)}
        title={t("store.deleteTitle", { name: store.name || store.id })}
        confirm={t("store.delete")}
        onConfirm={() => remove.mutate()}
        busy={remove.isPending}
        error={remove.error}
        phrase={store.name || store.id}
      >
        {t("store.deleteText")}
      </ConfirmDialog>
    </>
  );
}
