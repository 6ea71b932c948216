import { Code, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { $api, cursor } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, DataTable } from "@/components/DataTable";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { Status, type Tone } from "@/components/Status";
import { useFormat } from "@/lib/useFormat";

const tones: Record<string, Tone> = { pending: "busy", delivered: "good", failed: "bad", cancelled: "off" };

/** What a webhook was told within the last thirty days. */
export function Deliveries({ webhookId }: { webhookId: string }) {
  const { t } = useTranslation("webhooks");
  const format = useFormat();
  const path = { webhook_id: webhookId };
  const deliveries = $api.useInfiniteQuery(
    "get",
    "/v1/insula/webhooks/{webhook_id}/deliveries",
    { params: { path, query: { limit: 50 } } },
    {
      ...cursor,
      refetchInterval: (query) =>
        query.state.data?.pages.some((page) => page.data.some((one) => one.status === "pending"))
          ? 4_000
          : false,
    },
  );
  const columns: Column<Schema<"WebhookDelivery">>[] = [
    { key: "at", header: t("delivery.when"), cell: (one) => <RelativeTime at={one.created_at} /> },
    { key: "type", header: t("delivery.event"), cell: (one) => <Code className="ltr">{one.type}</Code> },
    {
      key: "state",
      header: t("column.state"),
      cell: (one) => (
        <Stack gap={0}>
          <Status tone={tones[one.status] ?? "off"}>{t(`delivery.${one.status as "pending"}`)}</Status>
          {one.next_attempt_at && (
            <Text size="xs" c="dimmed">
              {t("delivery.next", { time: format.relative(one.next_attempt_at) })}
            </Text>
          )}
        </Stack>
      ),
    },
    {
      key: "attempts",
      header: t("delivery.attempts"),
      from: "sm",
      cell: (one) => (
        <Stack gap={2}>
          {one.attempts.map((attempt) => (
            <Text key={attempt.attempt} size="xs">
              {[
                t("delivery.attempt", { number: format.number(attempt.attempt) }),
                attempt.status_code ?? attempt.error ?? "–",
                format.duration(attempt.duration_ms),
              ].join(" · ")}
            </Text>
          ))}
        </Stack>
      ),
    },
    { key: "id", header: t("delivery.id"), from: "lg", cell: (one) => <span className="ltr">{one.id}</span> },
  ];
  return (
    <Panel flush title={t("delivery.title")}>
      <DataTable
        label={t("delivery.title")}
        columns={columns}
        rows={deliveries.data?.pages.flatMap((page) => page.data)}
        rowKey={(one) => one.id}
        error={deliveries.error}
        retry={() => void deliveries.refetch()}
        more={deliveries}
        empty={
          <Text p="md" c="dimmed">
            {t("delivery.none")}
          </Text>
        }
      />
    </Panel>
  );
}
