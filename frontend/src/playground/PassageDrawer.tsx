import { Box, Drawer, Group, Skeleton, Stack, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ErrorState } from "@/components/ErrorState";
import { ButtonLink } from "@/components/links";
import { Tag } from "@/components/Tag";
import { reflow } from "@/lib/reflow";
import { useFormat } from "@/lib/useFormat";
import { type Citation, highlight } from "./citations";
import classes from "./PassageDrawer.module.css";

export interface Opened {
  citation: Citation;
  storeIds: string[];
}

/** The passage that a statement rests on, with what stands before and behind it. */
export function PassageDrawer({ opened, onClose }: { opened: Opened | null; onClose: () => void }) {
  return (
    <Drawer
      opened={opened !== null}
      onClose={onClose}
      size="lg"
      title={opened && <bdi>{opened.citation.file_citation.filename}</bdi>}
    >
      {opened && <Body {...opened} />}
    </Drawer>
  );
}

function Body({ citation, storeIds }: Opened) {
  const { t } = useTranslation("playground");
  const format = useFormat();
  const cited: Schema<"FileCitation"> = citation.file_citation;
  const stores = cited.vector_store_id ? [cited.vector_store_id] : storeIds;
  const found = useQuery({
    queryKey: ["passage", cited.chunk_id, stores],
    queryFn: () => locate(cited.file_id, cited.chunk_id, stores),
    staleTime: 60_000,
  });
  return (
    <Stack gap="md">
      <Group gap={6}>
        <Tag>{t("passage.number", { number: format.number(cited.passage) })}</Tag>
        {cited.page !== null && <Tag>{t("page", { page: format.number(cited.page) })}</Tag>}
        <Tag>
          {t("passage.offsets", { start: format.number(cited.start), end: format.number(cited.end) })}
        </Tag>
      </Group>
      {found.data?.heading && (
        <Text size="sm" c="dimmed">
          <bdi>{found.data.heading}</bdi>
        </Text>
      )}
      {found.isPending ? (
        <Skeleton h={160} />
      ) : found.error ? (
        <>
          <blockquote className={classes.quote} dir="auto">
            {cited.quote}
          </blockquote>
          <ErrorState error={found.error} />
        </>
      ) : found.data ? (
        <>
          {found.data.chunks.map((chunk) => {
            const own = chunk.id === cited.chunk_id;
            const marked = own ? highlight(chunk, cited) : null;
            return (
              <Box key={chunk.id} className={classes.chunk} data-own={own || undefined} dir="auto">
                {marked ? (
                  <>
                    {reflow(marked[0])}
                    <mark className={classes.mark}>{reflow(marked[1])}</mark>
                    {reflow(marked[2])}
                  </>
                ) : (
                  reflow(chunk.text)
                )}
              </Box>
            );
          })}
          <ButtonLink
            variant="default"
            style={{ alignSelf: "flex-start" }}
            to="/vector-stores/$storeId/$fileId"
            params={{ storeId: found.data.storeId, fileId: cited.file_id }}
            search={{ chunk: cited.chunk_id }}
          >
            {t("passage.open")}
          </ButtonLink>
        </>
      ) : (
        <>
          <blockquote className={classes.quote} dir="auto">
            {cited.quote}
          </blockquote>
          <Text c="dimmed">{t("passage.gone")}</Text>
        </>
      )}
    </Stack>
  );
}

/** The passage in whichever of the stores it is in. */
async function locate(fileId: string, chunkId: string, storeIds: string[]) {
  for (const storeId of storeIds) {
    const path = { vector_store_id: storeId, file_id: fileId };
    const list = (query: { limit: number; order: "asc" | "desc"; after?: string }) =>
      bodyOf(
        client.GET("/v1/insula/vector_stores/{vector_store_id}/files/{file_id}/chunks", {
          params: { path, query },
        }),
      ).catch(() => null);
    // A list begins behind a passage: the one after it leads back to it and to the one before.
    const behind = await list({ limit: 1, order: "asc", after: chunkId });
    if (!behind) continue;
    const next = behind.data[0];
    const back = await list({ limit: 2, order: "desc", ...(next ? { after: next.id } : {}) });
    const own = back?.data.find((chunk) => chunk.id === chunkId);
    if (!back || !own) continue;
    return {
      storeId,
      heading: own.heading_path.join(" › "),
      chunks: [...back.data.toReversed(), ...(next ? [next] : [])],
    };
  }
  return null;
}
