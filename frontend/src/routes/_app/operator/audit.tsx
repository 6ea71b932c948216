import { Group, Select, TagsInput } from "@mantine/core";
import { IconShieldCheck } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $operator, cursor } from "@/api/client";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { AuditTable } from "@/operator/AuditTable";
import { tenantsOptions } from "@/operator/queries";

const known = [
  "project.created",
  "project.suspended",
  "project.resumed",
  "invite.sent",
  "invite.accepted",
  "user.added",
  "user.updated",
  "user.deleted",
  "api_key.created",
  "api_key.deleted",
];

export const Route = createFileRoute("/_app/operator/audit")({
  validateSearch: (search: Record<string, unknown>): { tenant?: string } =>
    typeof search.tenant === "string" && search.tenant ? { tenant: search.tenant } : {},
  component: Audit,
});

function Audit() {
  const { t } = useTranslation("operatorAudit");
  const { tenant } = Route.useSearch();
  const navigate = Route.useNavigate();
  const tenants = useQuery(tenantsOptions());
  const [events, setEvents] = useState<string[]>([]);
  const entries = $operator.useInfiniteQuery(
    "get",
    "/v1/organization/audit_logs",
    {
      // A tenant's own audit page asks the same path. This keeps the two apart in the cache.
      headers: {},
      params: {
        query: {
          limit: 50,
          ...(tenant ? { project_ids: [tenant] } : {}),
          ...(events.length ? { event_types: events } : {}),
        },
      },
    },
    cursor,
  );
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} />
      <Panel
        flush
        title={
          <Group gap="xs">
            <Select
              size="xs"
              w={200}
              aria-label={t("tenant")}
              placeholder={t("anyTenant")}
              value={tenant ?? null}
              onChange={(value) => void navigate({ search: value ? { tenant: value } : {}, replace: true })}
              data={(tenants.data ?? []).map((one) => ({ value: one.id, label: one.name }))}
              searchable
              clearable
            />
            <TagsInput
              size="xs"
              miw={220}
              maw={420}
              aria-label={t("event")}
              placeholder={events.length ? undefined : t("anyEvent")}
              dir="ltr"
              value={events}
              onChange={setEvents}
              data={known}
              clearable
            />
          </Group>
        }
      >
        <AuditTable
          label={t("title")}
          rows={entries.data?.pages.flatMap((page) => page.data)}
          error={entries.error}
          retry={() => void entries.refetch()}
          more={entries}
          empty={<EmptyState icon={IconShieldCheck} title={t("none")} text={t("noneHelp")} />}
        />
      </Panel>
    </>
  );
}
