import { Button, Checkbox, Group, Modal, SimpleGrid, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ErrorState } from "@/components/ErrorState";

type EventType = Schema<"WebhookEventType">;

/** What can be asked for; a test is sent on request, and to whom it is sent. */
export const eventTypes: EventType[] = [
  "vector_store.file.completed",
  "vector_store.file.failed",
  "vector_store.file_batch.completed",
  "vector_store.file_batch.failed",
  "vector_store.file_batch.cancelled",
  "batch.completed",
  "batch.failed",
  "batch.expired",
  "batch.cancelled",
  "source.crawled",
  "budget.alert",
  "webhook.disabled",
];

interface Props {
  opened: boolean;
  onClose: () => void;
  webhook?: Schema<"Webhook">;
  /** With the secret, which is told this once, if the webhook is new. */
  onSaved: (secret: string | null) => void;
}

export function WebhookForm(props: Props) {
  const { t } = useTranslation("webhooks");
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      size="lg"
      title={props.webhook ? t("form.change") : t("form.create")}
    >
      <Form {...props} />
    </Modal>
  );
}

function Form({ webhook, onClose, onSaved }: Props) {
  const { t } = useTranslation(["webhooks", "common"]);
  const queries = useQueryClient();
  const [url, setUrl] = useState(webhook?.url ?? "");
  const [description, setDescription] = useState(webhook?.description ?? "");
  const [chosen, setChosen] = useState<EventType[]>(
    webhook?.events ?? ["vector_store.file.completed", "vector_store.file.failed"],
  );
  const save = useMutation({
    meta: { inline: true },
    mutationFn: async (): Promise<string | null> => {
      const body = { url: url.trim(), description: description.trim(), events: chosen };
      if (!webhook) return (await bodyOf(client.POST("/v1/insula/webhooks", { body }))).secret;
      await bodyOf(
        client.POST("/v1/insula/webhooks/{webhook_id}", {
          params: { path: { webhook_id: webhook.id } },
          body,
        }),
      );
      return null;
    },
    onSuccess: (secret) => {
      void queries.invalidateQueries({ queryKey: ["get", "/v1/insula/webhooks"] });
      void queries.invalidateQueries({ queryKey: ["get", "/v1/insula/webhooks/{webhook_id}"] });
      onSaved(secret);
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
          label={t("form.url")}
          description={t("form.urlHelp")}
          type="url"
          dir="ltr"
          placeholder="https://example.com/hooks/insula"
          value={url}
          onChange={(event) => setUrl(event.currentTarget.value)}
          required
          withAsterisk={false}
          data-autofocus
        />
        <TextInput
          label={t("form.note")}
          value={description}
          onChange={(event) => setDescription(event.currentTarget.value)}
          maxLength={256}
        />
        <Checkbox.Group
          label={t("form.events")}
          value={chosen}
          onChange={(next) => setChosen(next as EventType[])}
        >
          <SimpleGrid cols={{ base: 1, xs: 2 }} spacing={6} mt={6}>
            {eventTypes.map((type) => (
              <Checkbox
                key={type}
                size="xs"
                value={type}
                label={t(`event.${type.replaceAll(".", "_") as "batch_completed"}`)}
                description={<span className="ltr">{type}</span>}
              />
            ))}
          </SimpleGrid>
        </Checkbox.Group>
        {save.error && <ErrorState error={save.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            {t("common:cancel")}
          </Button>
          <Button type="submit" loading={save.isPending} disabled={!url.trim() || chosen.length === 0}>
            {webhook ? t("form.save") : t("form.create")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
