import { Button, Stack, Text } from "@mantine/core";
import { IconPlus, IconWebhook } from "@tabler/icons-react";
import { createFileRoute, Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, cursor } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, rowLink } from "@/components/DataTable";
import { Guarded } from "@/components/Guarded";
import { ListPage } from "@/components/ListPage";
import { RelativeTime } from "@/components/RelativeTime";
import { SecretDialog } from "@/components/SecretDialog";
import { WebhookForm } from "@/webhooks/WebhookForm";
import { WebhookStatus } from "@/webhooks/WebhookStatus";

export const Route = createFileRoute("/_app/webhooks/")({ component: Webhooks });

function Webhooks() {
  const { t } = useTranslation("webhooks");
  const [creating, setCreating] = useState(false);
  const [secret, setSecret] = useState<string | null>(null);
  const webhooks = $api.useInfiniteQuery(
    "get",
    "/v1/insula/webhooks",
    { params: { query: { limit: 50 } } },
    cursor,
  );
  const button = (
    <Guarded scope="webhooks.write">
      <Button leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>
        {t("form.create")}
      </Button>
    </Guarded>
  );
  const columns: Column<Schema<"Webhook">>[] = [
    {
      key: "url",
      header: t("column.url"),
      cell: (webhook) => (
        <Stack gap={0} align="flex-start">
          <Link
            to="/webhooks/$webhookId"
            params={{ webhookId: webhook.id }}
            className={rowLink}
            style={{ overflowWrap: "anywhere" }}
          >
            <span className="ltr">{webhook.url}</span>
          </Link>
          {webhook.description && (
            <Text size="xs" c="dimmed">
              {webhook.description}
            </Text>
          )}
        </Stack>
      ),
    },
    { key: "state", header: t("column.state"), cell: (webhook) => <WebhookStatus webhook={webhook} /> },
    {
      key: "events",
      header: t("column.events"),
      from: "sm",
      cell: (webhook) => t("events", { count: webhook.events.length }),
    },
    {
      key: "created",
      header: t("column.created"),
      from: "md",
      cell: (webhook) => <RelativeTime at={webhook.created_at} />,
    },
  ];
  return (
    <>
      <ListPage
        title={t("title")}
        help={t("help")}
        columns={columns}
        query={webhooks}
        action={button}
        empty={{ icon: IconWebhook, title: t("empty.title"), text: t("empty.text") }}
      />
      <WebhookForm
        opened={creating}
        onClose={() => setCreating(false)}
        onSaved={(told) => {
          setCreating(false);
          setSecret(told);
        }}
      />
      <SecretDialog
        secret={secret}
        onClose={() => setSecret(null)}
        title={t("secret.title")}
        text={t("secret.text")}
      />
    </>
  );
}
