import { ActionIcon, Button, Group, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ErrorState } from "@/components/ErrorState";
import { type AttributeRow, fromRows, kinds, toRows } from "./attributes";

interface Props {
  file: Schema<"VectorStoreFile"> | null;
  onClose: () => void;
}

export function AttributesDialog({ file, onClose }: Props) {
  const { t } = useTranslation("stores");
  return (
    <Modal opened={file !== null} onClose={onClose} title={t("attributes.title")} size="lg">
      {file && <Form file={file} onClose={onClose} />}
    </Modal>
  );
}

function Form({ file, onClose }: { file: Schema<"VectorStoreFile">; onClose: () => void }) {
  const { t } = useTranslation(["stores", "common"]);
  const queries = useQueryClient();
  const [rows, setRows] = useState<AttributeRow[]>(() => toRows(file.attributes));
  const attributes = fromRows(rows);
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        client.POST("/v1/vector_stores/{vector_store_id}/files/{file_id}", {
          params: { path: { vector_store_id: file.vector_store_id, file_id: file.id } },
          body: { attributes: attributes ?? {} },
        }),
      ),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["get", "/v1/vector_stores/{vector_store_id}/files"] });
      onClose();
    },
  });
  const patch = (key: number, change: Partial<AttributeRow>) =>
    setRows((before) => before.map((row) => (row.key === key ? { ...row, ...change } : row)));
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        <Text c="dimmed">{t("attributes.help")}</Text>
        {rows.map((row) => (
          <Group key={row.key} gap="xs" wrap="nowrap" align="flex-start">
            <TextInput
              flex={2}
              aria-label={t("attributes.key")}
              placeholder={t("attributes.key")}
              value={row.name}
              maxLength={64}
              onChange={(event) => patch(row.key, { name: event.currentTarget.value })}
            />
            <Select
              flex={1}
              miw={96}
              aria-label={t("attributes.kind")}
              value={row.kind}
              onChange={(value) => value && patch(row.key, { kind: value as AttributeRow["kind"] })}
              data={kinds.map((value) => ({ value, label: t(`attributes.${value}`) }))}
            />
            <TextInput
              flex={3}
              aria-label={t("attributes.value")}
              placeholder={row.kind === "boolean" ? "true / false" : t("attributes.value")}
              value={row.value}
              maxLength={512}
              error={row.value !== "" && fromRows([{ ...row, name: "x" }]) === null}
              onChange={(event) => patch(row.key, { value: event.currentTarget.value })}
            />
            <ActionIcon
              size={36}
              onClick={() => setRows((before) => before.filter((one) => one.key !== row.key))}
              aria-label={t("attributes.remove", { name: row.name })}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Group>
        ))}
        <Button
          variant="subtle"
          size="xs"
          style={{ alignSelf: "flex-start" }}
          leftSection={<IconPlus size={14} />}
          disabled={rows.length >= 16}
          onClick={() =>
            setRows((before) => [...before, { key: Date.now(), name: "", kind: "string", value: "" }])
          }
        >
          {t("attributes.add")}
        </Button>
        {save.error && <ErrorState error={save.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            {t("common:cancel")}
          </Button>
          <Button type="submit" loading={save.isPending} disabled={attributes === null}>
            {t("save")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
