import { Select, UnstyledButton } from "@mantine/core";
import { IconHistory } from "@tabler/icons-react";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, cursor } from "@/api/client";
import { Actor } from "@/audit/Actor";
import { AuditFrame } from "@/audit/AuditFrame";
import { type Change, changesOf, detailsOf, type Entry, written } from "@/audit/diff";
import { EntryDrawer } from "@/audit/EntryDrawer";
import { eventTypes, useEventName } from "@/audit/useEventName";
import { type Column, DataTable, rowLink } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { Status } from "@/components/Status";

export const Route = createFileRoute("/_app/audit-log/")({
  validateSearch: (search: Record<string, unknown>): { type?: string } =>
    typeof search.type === "string" ? { type: search.type } : {},
  component: AuditLog,
});

/** The gist of an act in a line: `amount_usd: 5 → 8`. */
function gist(entry: Entry): string {
  const details = detailsOf(entry);
  const line = (change: Change) =>
    change.before !== undefined && change.after !== undefined
      ? `${change.field}: ${written(change.before)} → ${written(change.after)}`
      : `${change.field}: ${written(change.after ?? change.before)}`;
  return changesOf(details).slice(0, 3).map(line).join(" · ");
}

function AuditLog() {
  const { t } = useTranslation("audit");
  const { type } = Route.useSearch();
  const navigate = Route.useNavigate();
  const name = useEventName();
  const [opened, setOpened] = useState<Entry | null>(null);
  const query = { limit: 50, ...(type ? { event_types: [type] } : {}) };
  const entries = $api.useInfiniteQuery("get", "/v1/organization/audit_logs", { params: { query } }, cursor);
  const columns: Column<Entry>[] = [
    { key: "when", header: t("column.when"), cell: (entry) => <RelativeTime at={entry.effective_at} /> },
    {
      key: "what",
      header: t("column.what"),
      cell: (entry) => (
        <UnstyledButton className={rowLink} fz="inherit" onClick={() => setOpened(entry)}>
          {entry.type === "access.denied" ? <Status tone="bad">{name(entry.type)}</Status> : name(entry.type)}
        </UnstyledButton>
      ),
    },
    { key: "who", header: t("column.who"), cell: (entry) => <Actor entry={entry} /> },
    {
      key: "gist",
      header: t("column.gist"),
      from: "lg",
      cell: (entry) => (
        <bdi
          style={{
            display: "block",
            maxWidth: 420,
            overflow: "hidden",
            textOverflow: "ellipsis",
            whiteSpace: "nowrap",
          }}
        >
          {gist(entry) || "–"}
        </bdi>
      ),
    },
    {
      key: "from",
      header: t("column.from"),
      from: "md",
      cell: (entry) => <span className="ltr">{entry.actor.ip_address ?? t("local")}</span>,
    },
  ];
  return (
    <AuditFrame
      actions={
        <Select
          size="xs"
          w={220}
          aria-label={t("filter")}
          placeholder={t("all")}
          data={eventTypes.map((value) => ({ value, label: name(value) }))}
          value={type ?? null}
          onChange={(next) => void navigate({ search: next ? { type: next } : {}, replace: true })}
          clearable
          searchable
          allowDeselect
        />
      }
    >
      <Panel flush>
        <DataTable
          label={t("title")}
          columns={columns}
          rows={entries.data?.pages.flatMap((page) => page.data)}
          rowKey={(entry) => entry.id}
          error={entries.error}
          retry={() => void entries.refetch()}
          more={entries}
          empty={<EmptyState icon={IconHistory} title={t("empty.title")} text={t("empty.text")} />}
        />
      </Panel>
      <EntryDrawer entry={opened} onClose={() => setOpened(null)} />
    </AuditFrame>
  );
}
