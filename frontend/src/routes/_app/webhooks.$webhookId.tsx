import { Alert, Button, Group, Stack, Switch } from "@mantine/core";
import { IconPencil, IconRefresh, IconSend, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { ErrorState } from "@/components/ErrorState";
import { Guarded } from "@/components/Guarded";
import { notifyDone } from "@/components/notifyError";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { SecretDialog } from "@/components/SecretDialog";
import { Tag } from "@/components/Tag";
import { useFormat } from "@/lib/useFormat";
import { useCan } from "@/session/session";
import { Deliveries } from "@/webhooks/Deliveries";
import { WebhookForm } from "@/webhooks/WebhookForm";
import { WebhookStatus } from "@/webhooks/WebhookStatus";

export const Route = createFileRoute("/_app/webhooks/$webhookId")({ component: OneWebhook });

function OneWebhook() {
  const { t } = useTranslation("webhooks");
  const format = useFormat();
  const { webhookId } = Route.useParams();
  const navigate = Route.useNavigate();
  const queries = useQueryClient();
  const may = useCan("webhooks.write");
  const [asked, setAsked] = useState<"edit" | "rotate" | "delete" | null>(null);
  const [secret, setSecret] = useState<string | null>(null);
  const params = { path: { webhook_id: webhookId } };
  const found = $api.useQuery("get", "/v1/insula/webhooks/{webhook_id}", { params });
  const webhook = found.data;
  const close = () => setAsked(null);
  const refresh = async () => {
    await queries.invalidateQueries({ queryKey: ["get", "/v1/insula/webhooks/{webhook_id}"] });
    await queries.invalidateQueries({ queryKey: ["get", "/v1/insula/webhooks/{webhook_id}/deliveries"] });
    await queries.invalidateQueries({ queryKey: ["get", "/v1/insula/webhooks"] });
  };
  const toggle = useMutation({
    mutationFn: (enabled: boolean) =>
      bodyOf(client.POST("/v1/insula/webhooks/{webhook_id}", { params, body: { enabled } })),
    onSuccess: refresh,
  });
  const test = useMutation({
    mutationFn: () => bodyOf(client.POST("/v1/insula/webhooks/{webhook_id}/test", { params })),
    onSuccess: () => {
      notifyDone(t("test.sent"));
      void refresh();
    },
  });
  const rotate = useMutation({
    meta: { inline: true },
    mutationFn: () => bodyOf(client.POST("/v1/insula/webhooks/{webhook_id}/rotate_secret", { params })),
    onSuccess: (told) => {
      close();
      setSecret(told.secret);
    },
  });
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: () => bodyOf(client.DELETE("/v1/insula/webhooks/{webhook_id}", { params })),
    onSuccess: async () => {
      await navigate({ to: "/webhooks" });
      void queries.invalidateQueries({ queryKey: ["get", "/v1/insula/webhooks"] });
    },
  });
  return (
    <>
      <PageHeader
        title={webhook?.description || t("one")}
        help={t("help")}
        crumbs={[{ label: t("title"), to: "/webhooks" }]}
        aside={webhook && <WebhookStatus webhook={webhook} />}
        actions={
          webhook && (
            <Guarded scope="webhooks.write">
              <Button
                leftSection={<IconSend size={16} />}
                loading={test.isPending}
                onClick={() => test.mutate()}
              >
                {t("test.action")}
              </Button>
            </Guarded>
          )
        }
      />
      {found.error && <ErrorState error={found.error} retry={() => void found.refetch()} />}
      {webhook && (
        <Stack gap="md">
          {webhook.disabled_reason && (
            <Alert color="yellow">{t("disabledFor", { reason: webhook.disabled_reason })}</Alert>
          )}
          {webhook.enabled && webhook.failing_since && (
            <Alert color="red">{t("failingSince", { time: format.relative(webhook.failing_since) })}</Alert>
          )}
          <Panel
            title={
              <span className="ltr" style={{ overflowWrap: "anywhere", fontWeight: 600 }}>
                {webhook.url}
              </span>
            }
            actions={
              <Switch
                label={t("enabled")}
                checked={webhook.enabled}
                disabled={!may || toggle.isPending}
                onChange={(event) => toggle.mutate(event.currentTarget.checked)}
              />
            }
          >
            <Group justify="space-between" gap="md" align="flex-start">
              <Group gap={6} maw={640}>
                {webhook.events.map((type) => (
                  <Tag key={type}>
                    <span className="ltr">{type}</span>
                  </Tag>
                ))}
              </Group>
              <Group gap="xs">
                <Guarded scope="webhooks.write">
                  <Button
                    size="xs"
                    variant="default"
                    leftSection={<IconPencil size={14} />}
                    onClick={() => setAsked("edit")}
                  >
                    {t("form.change")}
                  </Button>
                </Guarded>
                <Guarded scope="webhooks.write">
                  <Button
                    size="xs"
                    variant="default"
                    leftSection={<IconRefresh size={14} />}
                    onClick={() => setAsked("rotate")}
                  >
                    {t("rotate.action")}
                  </Button>
                </Guarded>
                <Guarded scope="webhooks.write">
                  <Button
                    size="xs"
                    variant="default"
                    leftSection={<IconTrash size={14} />}
                    onClick={() => setAsked("delete")}
                  >
                    {t("delete.action")}
                  </Button>
                </Guarded>
              </Group>
            </Group>
          </Panel>
          <Deliveries webhookId={webhookId} />
          <WebhookForm opened={asked === "edit"} onClose={close} webhook={webhook} onSaved={close} />
        </Stack>
      )}
      <ConfirmDialog
        opened={asked === "rotate"}
        onClose={close}
        title={t("rotate.title")}
        confirm={t("rotate.action")}
        onConfirm={() => rotate.mutate()}
        busy={rotate.isPending}
        error={rotate.error}
      >
        {t("rotate.text")}
      </ConfirmDialog>
      <ConfirmDialog
        opened={asked === "delete"}
        onClose={close}
        title={t("delete.title")}
        confirm={t("delete.action")}
        onConfirm={() => remove.mutate()}
        busy={remove.isPending}
        error={remove.error}
      >
        {t("delete.text")}
      </ConfirmDialog>
      <SecretDialog
        secret={secret}
        onClose={() => setSecret(null)}
        title={t("secret.title")}
        text={t("secret.text")}
      />
    </>
  );
}
