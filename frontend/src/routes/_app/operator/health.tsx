import { SimpleGrid, Stack } from "@mantine/core";
import { IconServer, IconStack2 } from "@tabler/icons-react";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { $operator } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { ErrorState } from "@/components/ErrorState";
import { AnchorLink } from "@/components/links";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { StatCard } from "@/components/StatCard";
import { Status } from "@/components/Status";
import { useFormat } from "@/lib/useFormat";

type Queue = Schema<"QueueHealth">;
type Server = Schema<"ServerHealth">;
type Model = Schema<"LoadedModel">;

const kinds = ["embedding", "rerank", "moderation"] as const;

const options = $operator.queryOptions("get", "/v1/insula/operator/health");

export const Route = createFileRoute("/_app/operator/health")({
  loader: ({ context }) => void context.queries.prefetchQuery(options),
  component: HealthPage,
});

/** Servers report every few seconds; one that was silent for this long is taken for gone. */
const silent = 60;

function HealthPage() {
  const { t } = useTranslation("health");
  const format = useFormat();
  const health = $operator.useQuery("get", "/v1/insula/operator/health", undefined, {
    refetchInterval: 5_000,
  });
  const { database, queue, servers, models } = health.data ?? {};
  const sum = (figure: "waiting" | "running" | "dead") => queue?.reduce((all, one) => all + one[figure], 0);
  const figure = (value: number | undefined) => (value === undefined ? undefined : format.number(value));
  const oldest = queue && Math.max(0, ...queue.map((one) => one.oldest_waiting_seconds ?? 0));
  const alive = (server: Server) => Date.now() / 1000 - server.seen_at < silent;
  const queueColumns: Column<Queue>[] = [
    { key: "kind", header: t("kind"), cell: (one) => <code>{one.kind}</code> },
    { key: "waiting", header: t("waiting"), align: "end", cell: (one) => format.number(one.waiting) },
    { key: "running", header: t("running"), align: "end", cell: (one) => format.number(one.running) },
    {
      key: "dead",
      header: t("dead"),
      align: "end",
      cell: (one) =>
        one.dead ? (
          <AnchorLink to="/operator/jobs" search={{ kind: one.kind }} inherit>
            {format.number(one.dead)}
          </AnchorLink>
        ) : (
          format.number(0)
        ),
    },
    {
      key: "oldest",
      header: t("oldest"),
      align: "end",
      from: "sm",
      cell: (one) =>
        one.oldest_waiting_seconds == null ? "–" : format.duration(one.oldest_waiting_seconds * 1000),
    },
  ];
  const serverColumns: Column<Server>[] = [
    { key: "id", header: t("server"), cell: (one) => <code>{one.id}</code> },
    {
      key: "state",
      header: t("state"),
      cell: (one) =>
        alive(one) ? <Status tone="good">{t("up")}</Status> : <Status tone="bad">{t("silent")}</Status>,
    },
    { key: "seen", header: t("seen"), from: "sm", cell: (one) => <RelativeTime at={one.seen_at} /> },
    { key: "started", header: t("started"), from: "xs", cell: (one) => <RelativeTime at={one.started_at} /> },
  ];
  const modelColumns: Column<Model>[] = [
    { key: "id", header: t("model"), cell: (one) => <code>{one.id}</code> },
    {
      key: "kind",
      header: t("for"),
      cell: (one) => {
        const kind = kinds.find((known) => known === one.kind);
        return kind ? t(`models.${kind}`) : one.kind;
      },
    },
    {
      key: "dimensions",
      header: t("dimensions"),
      align: "end",
      cell: (one) => (one.dimensions == null ? "–" : format.number(one.dimensions)),
    },
  ];
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} />
      {health.error && !health.data ? (
        <ErrorState error={health.error} retry={() => void health.refetch()} />
      ) : (
        <Stack gap="md">
          <SimpleGrid cols={{ base: 2, md: 4 }} spacing="md">
            <StatCard
              label={t("database")}
              value={database && format.duration(database.latency_ms)}
              note={
                database &&
                t("connections", {
                  used: format.number(database.connections - database.idle),
                  all: format.number(database.connections),
                })
              }
            />
            <StatCard
              label={t("servers")}
              value={figure(servers?.filter(alive).length)}
              note={health.data && t("version", { version: health.data.version })}
            />
            <StatCard
              label={t("waiting")}
              value={figure(sum("waiting"))}
              note={oldest ? t("oldestNote", { time: format.duration(oldest * 1000) }) : t("nothingWaits")}
            />
            <StatCard
              label={t("dead")}
              value={figure(sum("dead"))}
              note={
                sum("dead") ? (
                  <AnchorLink to="/operator/jobs" inherit>
                    {t("toJobs")}
                  </AnchorLink>
                ) : undefined
              }
            />
          </SimpleGrid>
          <Panel title={t("queue")} flush>
            <DataTable
              label={t("queue")}
              columns={queueColumns}
              rows={queue}
              rowKey={(one) => one.kind}
              empty={<EmptyState icon={IconStack2} title={t("noJobs")} text={t("noJobsHelp")} />}
            />
          </Panel>
          <Panel title={t("servers")} flush>
            <DataTable
              label={t("servers")}
              columns={serverColumns}
              rows={servers}
              rowKey={(one) => one.id}
              dimmed={(one) => !alive(one)}
              empty={<EmptyState icon={IconServer} title={t("noServers")} text={t("noServersHelp")} />}
            />
          </Panel>
          <Panel title={t("models.title")} flush>
            <DataTable
              label={t("models.title")}
              columns={modelColumns}
              rows={models}
              rowKey={(one) => `${one.kind}/${one.id}`}
              empty={<EmptyState icon={IconServer} title={t("models.none")} text={t("models.noneHelp")} />}
            />
          </Panel>
        </Stack>
      )}
    </>
  );
}
