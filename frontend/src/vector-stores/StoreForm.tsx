import { Button, Group, Modal, NumberInput, Stack, Textarea, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ErrorState } from "@/components/ErrorState";

interface Props {
  opened: boolean;
  onClose: () => void;
  /** The one that is changed; absent: a new one. */
  store?: Schema<"VectorStore">;
  onSaved: (store: Schema<"VectorStore">) => void;
}

export function StoreForm(props: Props) {
  const { t } = useTranslation("stores");
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      title={props.store ? t("form.change") : t("form.create")}
    >
      <Form {...props} />
    </Modal>
  );
}

function Form({ store, onClose, onSaved }: Props) {
  const { t } = useTranslation(["stores", "common"]);
  const queries = useQueryClient();
  const [name, setName] = useState(store?.name ?? "");
  const [description, setDescription] = useState(store?.description ?? "");
  const [days, setDays] = useState<number | string>(store?.expires_after?.days ?? "");
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () => {
      const body = {
        name: name.trim(),
        description: description.trim() || null,
        expires_after: typeof days === "number" ? { anchor: "last_active_at", days } : null,
      };
      return bodyOf(
        store
          ? client.POST("/v1/vector_stores/{vector_store_id}", {
              params: { path: { vector_store_id: store.id } },
              body,
            })
          : client.POST("/v1/vector_stores", { body }),
      );
    },
    onSuccess: (saved) => {
      void queries.invalidateQueries({ queryKey: ["get", "/v1/vector_stores"] });
      void queries.invalidateQueries({ queryKey: ["get", "/v1/vector_stores/{vector_store_id}"] });
      onSaved(saved);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput
          label={t("form.name")}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          required
          withAsterisk={false}
          maxLength={256}
          data-autofocus
        />
        <Textarea
          label={t("form.description")}
          description={t("form.descriptionHelp")}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
          autosize
          minRows={2}
          maxRows={5}
          maxLength={512}
        />
        <NumberInput
          label={t("form.days")}
          description={t("form.daysHelp")}
          placeholder={t("form.never")}
          value={days}
          onChange={setDays}
          min={1}
          max={3650}
          allowDecimal={false}
        />
        {save.error && <ErrorState error={save.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            {t("common:cancel")}
          </Button>
          <Button type="submit" loading={save.isPending} disabled={!name.trim()}>
            {store ? t("save") : t("form.create")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
