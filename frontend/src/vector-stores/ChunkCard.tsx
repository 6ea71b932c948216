import { Box, Button, Group, Stack, Text, Textarea } from "@mantine/core";
import { IconPencil } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { CopyButton } from "@/components/CopyButton";
import { ErrorState } from "@/components/ErrorState";
import { Guarded } from "@/components/Guarded";
import { notifyDone } from "@/components/notifyError";
import { Tag } from "@/components/Tag";
import { reflow } from "@/lib/reflow";
import { useFormat } from "@/lib/useFormat";
import classes from "./ChunkCard.module.css";

type Chunk = Schema<"VectorStoreChunk">;

/** One passage: where it stands, what it says, and a way to correct it. */
export function ChunkCard({ chunk, marked }: { chunk: Chunk; marked: boolean }) {
  const { t } = useTranslation("stores");
  const format = useFormat();
  const [editing, setEditing] = useState(false);
  const box = useRef<HTMLElement>(null);
  useEffect(() => {
    if (marked) box.current?.scrollIntoView({ block: "center" });
  }, [marked]);
  return (
    <Box
      component="article"
      ref={box}
      className={classes.card}
      data-marked={marked || undefined}
      aria-label={t("chunk.number", { number: format.number(chunk.ordinal + 1) })}
    >
      <Group justify="space-between" gap="xs" mb={6}>
        <Group gap={6}>
          <Text size="sm" fw={600}>
            {t("chunk.number", { number: format.number(chunk.ordinal + 1) })}
          </Text>
          {chunk.page !== null && <Tag>{t("chunk.page", { page: format.number(chunk.page) })}</Tag>}
          <Tag>{t("chunk.tokens", { count: chunk.tokens })}</Tag>
          <Tag>
            {t("chunk.offsets", {
              start: format.number(chunk.start_char),
              end: format.number(chunk.end_char),
            })}
          </Tag>
          {chunk.language !== "und" && <Tag>{format.language(chunk.language)}</Tag>}
        </Group>
        <Group gap={4}>
          <CopyButton value={chunk.id} label={t("chunk.copyId")} />
          {!editing && (
            <Guarded scope="vector_stores.write">
              <Button
                size="compact-xs"
                variant="subtle"
                leftSection={<IconPencil size={13} />}
                onClick={() => setEditing(true)}
              >
                {t("chunk.edit")}
              </Button>
            </Guarded>
          )}
        </Group>
      </Group>
      {chunk.heading_path.length > 0 && (
        <Text size="xs" c="dimmed" mb={6}>
          <bdi>{chunk.heading_path.join(" › ")}</bdi>
        </Text>
      )}
      {editing ? (
        <Editor chunk={chunk} onDone={() => setEditing(false)} />
      ) : (
        <Text component="div" size="sm" dir="auto" className={classes.text}>
          {reflow(chunk.text)}
        </Text>
      )}
    </Box>
  );
}

function Editor({ chunk, onDone }: { chunk: Chunk; onDone: () => void }) {
  const { t } = useTranslation(["stores", "common"]);
  const [text, setText] = useState(chunk.text);
  const queries = useQueryClient();
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        client.POST("/v1/insula/vector_stores/{vector_store_id}/chunks/{chunk_id}", {
          params: { path: { vector_store_id: chunk.vector_store_id, chunk_id: chunk.id } },
          body: { text },
        }),
      ),
    onSuccess: async () => {
      await queries.invalidateQueries({
        queryKey: ["get", "/v1/insula/vector_stores/{vector_store_id}/files/{file_id}/chunks"],
      });
      notifyDone(t("chunk.saved"));
      onDone();
    },
  });
  return (
    <Stack gap="xs">
      <Textarea
        aria-label={t("chunk.text")}
        dir="auto"
        autosize
        minRows={4}
        maxRows={24}
        value={text}
        onChange={(event) => setText(event.currentTarget.value)}
        data-autofocus
      />
      {save.error && <ErrorState error={save.error} />}
      <Group gap="xs" justify="flex-end">
        <Button size="xs" variant="default" onClick={onDone}>
          {t("common:cancel")}
        </Button>
        <Button
          size="xs"
          loading={save.isPending}
          disabled={!text.trim() || text === chunk.text}
          onClick={() => save.mutate()}
        >
          {t("chunk.save")}
        </Button>
      </Group>
    </Stack>
  );
}
