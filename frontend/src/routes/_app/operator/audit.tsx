import { Group, MultiSelect, Select, UnstyledButton } from "@mantine/core";
import { IconShieldCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $operator, cursor } from "@/api/client";
import { Actor } from "@/audit/Actor";
import type { Entry } from "@/audit/diff";
import { EntryDrawer } from "@/audit/EntryDrawer";
import { eventTypes, useEventName } from "@/audit/useEventName";
import { type Column, DataTable, rowLink } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { Status } from "@/components/Status";
import { tenantsOptions } from "@/operator/queries";

/** The acts upon the install, after those that a tenant knows as well. */
const installEvents = [
  ...eventTypes,
  "plan.updated",
  "plan.deleted",
  "admin_api_key.created",
  "admin_api_key.deleted",
  "tenant.erase_requested",
  "tenant.erased",
];

export const Route = createFileRoute("/_app/operator/audit")({
  validateSearch: (search: Record<string, unknown>): { tenant?: string } =>
    typeof search.tenant === "string" && search.tenant ? { tenant: search.tenant } : {},
  component: Audit,
});

function Audit() {
  const { t } = useTranslation(["operatorAudit", "audit"]);
  const { tenant } = Route.useSearch();
  const navigate = Route.useNavigate();
  const name = useEventName();
  const tenants = useQuery(tenantsOptions());
  const [events, setEvents] = useState<string[]>([]);
  const [opened, setOpened] = useState<Entry | null>(null);
  const query = {
    limit: 50,
    ...(tenant ? { project_ids: [tenant] } : {}),
    ...(events.length ? { event_types: events } : {}),
  };
  // A tenant's own audit page asks the same path: the empty headers keep the two apart in the cache.
  const init = { headers: {}, params: { query } };
  const entries = $operator.useInfiniteQuery("get", "/v1/organization/audit_logs", init, cursor);
  const columns: Column<Entry>[] = [
    {
      key: "when",
      header: t("audit:column.when"),
      cell: (entry) => <RelativeTime at={entry.effective_at} />,
    },
    {
      key: "what",
      header: t("audit:column.what"),
      cell: (entry) => (
        <UnstyledButton className={rowLink} fz="inherit" onClick={() => setOpened(entry)}>
          {entry.type === "access.denied" ? <Status tone="bad">{name(entry.type)}</Status> : name(entry.type)}
        </UnstyledButton>
      ),
    },
    {
      key: "tenant",
      header: t("tenant"),
      from: "sm",
      cell: (entry) => <bdi>{entry.project ? (entry.project.name ?? entry.project.id) : t("install")}</bdi>,
    },
    { key: "who", header: t("audit:column.who"), from: "xs", cell: (entry) => <Actor entry={entry} /> },
    {
      key: "from",
      header: t("audit:column.from"),
      from: "md",
      cell: (entry) => <span className="ltr">{entry.actor.ip_address ?? t("audit:local")}</span>,
    },
  ];
  return (
    <>
      <PageHeader title={t("audit:title")} help={t("help")} />
      <Panel
        flush
        title={
          <Group gap="xs">
            <Select
              size="xs"
              w={220}
              aria-label={t("tenant")}
              placeholder={t("anyTenant")}
              value={tenant ?? null}
              onChange={(value) => void navigate({ search: value ? { tenant: value } : {}, replace: true })}
              data={(tenants.data ?? []).map((one) => ({ value: one.id, label: one.name }))}
              searchable
              clearable
            />
            <MultiSelect
              size="xs"
              miw={220}
              maw={420}
              aria-label={t("audit:filter")}
              placeholder={events.length ? undefined : t("audit:all")}
              value={events}
              onChange={setEvents}
              data={installEvents.map((value) => ({ value, label: name(value) }))}
              searchable
              clearable
            />
          </Group>
        }
      >
        <DataTable
          label={t("audit:title")}
          columns={columns}
          rows={entries.data?.pages.flatMap((page) => page.data)}
          rowKey={(entry) => entry.id}
          error={entries.error}
          retry={() => void entries.refetch()}
          more={entries}
          empty={<EmptyState icon={IconShieldCheck} title={t("audit:empty.title")} text={t("noneHelp")} />}
        />
      </Panel>
      <EntryDrawer entry={opened} onClose={() => setOpened(null)} />
    </>
  );
}
