import { Button, Center, Group, Skeleton, Stack } from "@mantine/core";
import { IconFileText } from "@tabler/icons-react";
import { createFileRoute } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { $api, cursor } from "@/api/client";
import type { Schema } from "@/api/paths";
import { EmptyState } from "@/components/EmptyState";
import { ErrorState } from "@/components/ErrorState";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { Tag } from "@/components/Tag";
import { ChunkCard } from "@/vector-stores/ChunkCard";
import { useFileName } from "@/vector-stores/FileName";
import { FileStatus } from "@/vector-stores/FileStatus";
import { useStoreJobs } from "@/vector-stores/useStoreJobs";

export const Route = createFileRoute("/_app/vector-stores/$storeId/$fileId")({
  validateSearch: (search: Record<string, unknown>): { chunk?: string } =>
    typeof search.chunk === "string" ? { chunk: search.chunk } : {},
  component: StoreFile,
});

function StoreFile() {
  const { t } = useTranslation(["stores", "common"]);
  const { storeId, fileId } = Route.useParams();
  const { chunk: marked } = Route.useSearch();
  const path = { vector_store_id: storeId, file_id: fileId };
  const store = $api.useQuery("get", "/v1/vector_stores/{vector_store_id}", { params: { path } });
  const file = $api.useQuery(
    "get",
    "/v1/vector_stores/{vector_store_id}/files/{file_id}",
    { params: { path } },
    { refetchInterval: (query) => (query.state.data?.status === "in_progress" ? 2_000 : false) },
  );
  const known: Schema<"VectorStoreFile"> | undefined = file.data;
  const name = useFileName(fileId, known?.filename);
  const busy = file.data?.status === "in_progress";
  const job = useStoreJobs(storeId, busy ?? false).get(fileId);
  const chunks = $api.useInfiniteQuery(
    "get",
    "/v1/insula/vector_stores/{vector_store_id}/files/{file_id}/chunks",
    { params: { path, query: { limit: 100, order: "asc" } } },
    { ...cursor, enabled: file.data !== undefined, refetchInterval: busy ? 3_000 : false },
  );
  const rows = chunks.data?.pages.flatMap((page) => page.data);
  const error = file.error ?? chunks.error;
  // Led here from a citation: the passage may be far down in a long file.
  const { hasNextPage, isFetchingNextPage, fetchNextPage } = chunks;
  const missing = marked !== undefined && rows !== undefined && !rows.some((chunk) => chunk.id === marked);
  useEffect(() => {
    if (missing && hasNextPage && !isFetchingNextPage) void fetchNextPage();
  }, [missing, hasNextPage, isFetchingNextPage, fetchNextPage]);
  return (
    <>
      <PageHeader
        title={name}
        help={t("file.help")}
        crumbs={[
          { label: t("title"), to: "/vector-stores" },
          { label: store.data?.name || storeId, to: "/vector-stores/$storeId", params: { storeId } },
        ]}
        actions={
          <Button component="a" href={`/v1/files/${fileId}/content`} download={name} variant="default">
            {t("file.download")}
          </Button>
        }
      />
      <Stack gap="md">
        {file.data && (
          <Group gap="sm">
            <FileStatus file={file.data} job={job} />
            {Object.entries(file.data.attributes).map(([key, value]) => (
              <Tag key={key}>
                <bdi>
                  {key}: {String(value)}
                </bdi>
              </Tag>
            ))}
          </Group>
        )}
        {error ? (
          <ErrorState error={error} retry={() => void chunks.refetch()} />
        ) : (
          <Panel flush title={t("chunk.title")}>
            {!rows ? (
              <Stack p="md">
                <Skeleton h={80} />
                <Skeleton h={80} />
                <Skeleton h={80} />
              </Stack>
            ) : rows.length === 0 ? (
              <EmptyState
                icon={IconFileText}
                title={t("chunk.none")}
                text={busy ? t("chunk.noneYet") : t("chunk.noneText")}
              />
            ) : (
              rows.map((chunk) => <ChunkCard key={chunk.id} chunk={chunk} marked={chunk.id === marked} />)
            )}
            {chunks.hasNextPage && (
              <Center p="sm">
                <Button
                  variant="subtle"
                  size="xs"
                  loading={chunks.isFetchingNextPage}
                  onClick={() => void chunks.fetchNextPage()}
                >
                  {t("common:loadMore")}
                </Button>
              </Center>
            )}
          </Panel>
        )}
      </Stack>
    </>
  );
}
