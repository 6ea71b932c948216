import { Skeleton, Stack, Text } from "@mantine/core";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { ErrorState } from "@/components/ErrorState";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { Attempts, Passages } from "@/requests/Attempts";
import { Facts } from "@/requests/Facts";
import { Logged } from "@/requests/Logged";
import { Waterfall } from "@/requests/Waterfall";

export const Route = createFileRoute("/_app/requests/$id")({ component: OneRequest });

function OneRequest() {
  const { t } = useTranslation("requests");
  const { id } = Route.useParams();
  const found = $api.useQuery("get", "/v1/insula/usage/events/{usage_event_id}", {
    params: { path: { usage_event_id: id } },
  });
  const event = found.data;
  const trace = event?.trace;
  return (
    <>
      <PageHeader
        title={t("one.title")}
        help={t("one.help")}
        crumbs={[{ label: t("title"), to: "/requests" }]}
      />
      {found.error ? (
        <ErrorState error={found.error} retry={() => void found.refetch()} />
      ) : !event ? (
        <Stack gap="md">
          <Skeleton h={220} />
          <Skeleton h={180} />
        </Stack>
      ) : (
        <Stack gap="md">
          <Facts event={event} />
          <Panel title={t("trace.title")}>
            {trace?.stages.length ? (
              <Waterfall stages={trace.stages} whole={event.latency_ms} />
            ) : (
              <Text c="dimmed">{t("trace.none")}</Text>
            )}
          </Panel>
          {trace && <Attempts attempts={trace.attempts} />}
          {trace && trace.chunks.length > 0 && <Passages chunks={trace.chunks} />}
          <Logged id={event.request_log_id} />
        </Stack>
      )}
    </>
  );
}
