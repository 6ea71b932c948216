import { Box, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { type Column, DataTable, rowLink } from "@/components/DataTable";
import { Panel } from "@/components/Panel";
import { Status } from "@/components/Status";
import { useFormat } from "@/lib/useFormat";
import { FileName } from "@/vector-stores/FileName";

type Trace = Schema<"UsageEventTrace">;

/** The route that was taken: who was called, in order, and what came of it. */
export function Attempts({ attempts }: { attempts: Trace["attempts"] }) {
  const { t } = useTranslation("requests");
  const format = useFormat();
  const rows = attempts.map((attempt, index) => ({ ...attempt, number: index + 1 }));
  const columns: Column<(typeof rows)[number]>[] = [
    { key: "number", header: t("attempt.number"), width: 60, cell: (row) => format.number(row.number) },
    { key: "provider", header: t("provider"), cell: (row) => <span className="ltr">{row.provider}</span> },
    {
      key: "model",
      header: t("attempt.model"),
      from: "sm",
      cell: (row) => <span className="ltr">{row.upstream_model}</span>,
    },
    {
      key: "outcome",
      header: t("column.outcome"),
      cell: (row) => <AttemptOutcome outcome={row.outcome} />,
    },
    { key: "status", header: t("attempt.status"), align: "end", cell: (row) => row.status ?? "–" },
    {
      key: "time",
      header: t("column.latency"),
      align: "end",
      cell: (row) => format.duration(row.duration_ms),
    },
  ];
  return (
    <Panel flush title={t("attempt.title")}>
      <DataTable
        label={t("attempt.title")}
        columns={columns}
        rows={rows}
        rowKey={(row) => String(row.number)}
        empty={
          <Box p="md">
            <Text c="dimmed">{t("attempt.none")}</Text>
          </Box>
        }
      />
    </Panel>
  );
}

function AttemptOutcome({ outcome }: { outcome: string }) {
  const { t, i18n } = useTranslation("requests");
  const key = outcome as "answered";
  return (
    <Status tone={outcome === "answered" ? "good" : "bad"}>
      {i18n.exists(`requests:attempt.outcome.${key}`) ? t(`attempt.outcome.${key}`) : outcome}
    </Status>
  );
}

/** The passages that the answer was given. */
export function Passages({ chunks }: { chunks: Trace["chunks"] }) {
  const { t } = useTranslation("requests");
  const format = useFormat();
  const columns: Column<Trace["chunks"][number]>[] = [
    {
      key: "file",
      header: t("passages.file"),
      cell: (row) => (
        <Link
          to="/vector-stores/$storeId/$fileId"
          params={{ storeId: row.vector_store_id, fileId: row.file_id }}
          search={{ chunk: row.chunk_id }}
          className={rowLink}
        >
          <FileName id={row.file_id} />
        </Link>
      ),
    },
    {
      key: "chunk",
      header: t("passages.id"),
      from: "md",
      cell: (row) => <span className="ltr">{row.chunk_id}</span>,
    },
    {
      key: "score",
      header: t("passages.score"),
      align: "end",
      cell: (row) => format.number(Math.round(row.score * 1000) / 1000),
    },
  ];
  return (
    <Panel flush title={t("passages.title")}>
      <DataTable
        label={t("passages.title")}
        columns={columns}
        rows={chunks}
        rowKey={(row) => row.chunk_id}
        empty={null}
      />
    </Panel>
  );
}
