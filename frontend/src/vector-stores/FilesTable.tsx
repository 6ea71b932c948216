import { ActionIcon, Menu, Stack, Text } from "@mantine/core";
import { IconDots, IconRefresh, IconTags, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { Link } from "@tanstack/react-router";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client, cursor } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { type Column, DataTable, rowLink } from "@/components/DataTable";
import { RelativeTime } from "@/components/RelativeTime";
import { useFormat } from "@/lib/useFormat";
import { useCan } from "@/session/session";
import { AttributesDialog } from "./AttributesDialog";
import { FileName, useFileName } from "./FileName";
import { FileStatus } from "./FileStatus";
import { useStoreJobs } from "./useStoreJobs";

type StoreFile = Schema<"VectorStoreFile">;

interface Props {
  storeId: string;
  /** In one state only. */
  filter?: string;
  empty: ReactNode;
}

export function FilesTable({ storeId, filter, empty }: Props) {
  const { t } = useTranslation("stores");
  const format = useFormat();
  const [editing, setEditing] = useState<StoreFile | null>(null);
  const [removing, setRemoving] = useState<StoreFile | null>(null);
  const files = $api.useInfiniteQuery(
    "get",
    "/v1/vector_stores/{vector_store_id}/files",
    { params: { path: { vector_store_id: storeId }, query: { limit: 50, filter } } },
    {
      ...cursor,
      refetchInterval: (query) =>
        query.state.data?.pages.some((page) => page.data.some((file) => file.status === "in_progress"))
          ? 3_000
          : false,
    },
  );
  const rows = files.data?.pages.flatMap((page) => page.data);
  const jobs = useStoreJobs(storeId, rows?.some((file) => file.status === "in_progress") ?? false);
  const columns: Column<StoreFile>[] = [
    {
      key: "name",
      header: t("column.file"),
      cell: (file) => (
        <Stack gap={0} maw={380}>
          <Link
            to="/vector-stores/$storeId/$fileId"
            params={{ storeId, fileId: file.id }}
            className={rowLink}
            style={{ overflowWrap: "anywhere" }}
          >
            <FileName id={file.id} name={file.filename} />
          </Link>
          {Object.keys(file.attributes).length > 0 && (
            <Text size="xs" c="dimmed" lineClamp={1}>
              {Object.entries(file.attributes)
                .map(([key, value]) => `${key}: ${value}`)
                .join(" · ")}
            </Text>
          )}
        </Stack>
      ),
    },
    {
      key: "state",
      header: t("column.state"),
      cell: (file) => <FileStatus file={file} job={jobs.get(file.id)} />,
    },
    {
      key: "size",
      header: t("column.size"),
      align: "end",
      from: "sm",
      cell: (file) => (file.usage_bytes ? format.bytes(file.usage_bytes) : "–"),
    },
    {
      key: "added",
      header: t("column.added"),
      from: "sm",
      cell: (file) => <RelativeTime at={file.created_at} />,
    },
    {
      key: "actions",
      header: t("column.actions"),
      hiddenHeader: true,
      align: "end",
      cell: (file) => (
        <Actions file={file} onEdit={() => setEditing(file)} onRemove={() => setRemoving(file)} />
      ),
    },
  ];
  return (
    <>
      <DataTable
        label={t("files.title")}
        columns={columns}
        rows={rows}
        rowKey={(file) => file.id}
        error={files.error}
        retry={() => void files.refetch()}
        more={files}
        empty={empty}
      />
      <AttributesDialog file={editing} onClose={() => setEditing(null)} />
      <Remove file={removing} onClose={() => setRemoving(null)} />
    </>
  );
}

function Actions({ file, onEdit, onRemove }: { file: StoreFile; onEdit: () => void; onRemove: () => void }) {
  const { t } = useTranslation(["stores", "common"]);
  const may = useCan("vector_stores.write");
  const name = useFileName(file.id, file.filename);
  const queries = useQueryClient();
  const again = useMutation({
    // Attached once more, a file that failed is read again.
    mutationFn: () =>
      bodyOf(
        client.POST("/v1/vector_stores/{vector_store_id}/files", {
          params: { path: { vector_store_id: file.vector_store_id } },
          body: { file_id: file.id, attributes: file.attributes, chunking_strategy: file.chunking_strategy },
        }),
      ),
    onSuccess: () =>
      queries.invalidateQueries({ queryKey: ["get", "/v1/vector_stores/{vector_store_id}/files"] }),
  });
  const stopped = file.status === "failed" || file.status === "cancelled";
  return (
    <Menu position="bottom-end" disabled={!may}>
      <Menu.Target>
        <ActionIcon
          aria-label={t("files.actions", { name })}
          title={may ? undefined : t("common:notAllowed", { scope: "vector_stores.write" })}
          disabled={!may}
          loading={again.isPending}
        >
          <IconDots size={16} />
        </ActionIcon>
      </Menu.Target>
      <Menu.Dropdown>
        {stopped && (
          <Menu.Item leftSection={<IconRefresh size={15} />} onClick={() => again.mutate()}>
            {t("files.again")}
          </Menu.Item>
        )}
        <Menu.Item leftSection={<IconTags size={15} />} onClick={onEdit}>
          {t("attributes.title")}
        </Menu.Item>
        <Menu.Item leftSection={<IconTrash size={15} />} c="var(--mantine-color-error)" onClick={onRemove}>
          {t("files.remove")}
        </Menu.Item>
      </Menu.Dropdown>
    </Menu>
  );
}

function Remove({ file, onClose }: { file: StoreFile | null; onClose: () => void }) {
  const { t } = useTranslation("stores");
  const queries = useQueryClient();
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: (gone: StoreFile) =>
      bodyOf(
        client.DELETE("/v1/vector_stores/{vector_store_id}/files/{file_id}", {
          params: { path: { vector_store_id: gone.vector_store_id, file_id: gone.id } },
        }),
      ),
    onSuccess: async () => {
      void queries.invalidateQueries({ queryKey: ["get", "/v1/vector_stores/{vector_store_id}"] });
      await queries.invalidateQueries({ queryKey: ["get", "/v1/vector_stores/{vector_store_id}/files"] });
      onClose();
    },
  });
  return (
    <ConfirmDialog
      opened={file !== null}
      onClose={onClose}
      title={t("files.removeTitle")}
      confirm={t("files.remove")}
      onConfirm={() => file && remove.mutate(file)}
      busy={remove.isPending}
      error={remove.error}
    >
      {t("files.removeText")} {file && <FileName id={file.id} name={file.filename} />}
    </ConfirmDialog>
  );
}
