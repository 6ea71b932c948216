import { Button, Group, SegmentedControl, Text, TextInput } from "@mantine/core";
import { IconBuildingCommunity, IconPlus, IconSearch } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { createFileRoute, Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { type Column, DataTable, rowLink } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Money } from "@/components/Money";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { SecretDialog } from "@/components/SecretDialog";
import { useFormat } from "@/lib/useFormat";
import { inviteLink } from "@/members/inviteLink";
import { CreateTenant } from "@/operator/CreateTenant";
import {
  byTenant,
  costsOptions,
  stateOf,
  storageOptions,
  type Tenant,
  tenantsOptions,
} from "@/operator/queries";
import { TenantStatus } from "@/operator/TenantStatus";

const states = ["all", "active", "suspended"] as const;

export const Route = createFileRoute("/_app/operator/tenants/")({
  loader: ({ context: { queries } }) => {
    void queries.prefetchQuery(tenantsOptions());
    void queries.prefetchQuery(costsOptions(30, "project_id"));
  },
  component: Tenants,
});

function Tenants() {
  const { t } = useTranslation("tenants");
  const format = useFormat();
  const tenants = useQuery(tenantsOptions());
  const costs = byTenant(useQuery(costsOptions(30, "project_id")).data?.data, (cost) => cost.amount.value);
  const bytes = byTenant(useQuery(storageOptions()).data?.data, (one) => one.usage_bytes);
  const [search, setSearch] = useState("");
  const [state, setState] = useState<string>("all");
  const [asked, setAsked] = useState(false);
  const [invited, setInvited] = useState<Schema<"CreatedInvite"> | null>(null);
  const wanted = search.trim().toLowerCase();
  const rows = tenants.data?.filter(
    (tenant) =>
      (state === "all" || stateOf(tenant) === state) &&
      (tenant.name.toLowerCase().includes(wanted) ||
        tenant.tenant_name.includes(wanted) ||
        tenant.id.includes(wanted)),
  );
  const create = (
    <Button leftSection={<IconPlus size={16} />} onClick={() => setAsked(true)}>
      {t("create.action")}
    </Button>
  );
  const columns: Column<Tenant>[] = [
    {
      key: "name",
      header: t("column.name"),
      cell: (tenant) => (
        <>
          <Link to="/operator/tenants/$id" params={{ id: tenant.id }} className={rowLink} dir="auto">
            {tenant.name}
          </Link>
          <Text size="xs" c="dimmed" ff="monospace" visibleFrom="sm">
            <span className="ltr">{tenant.tenant_name}</span>
          </Text>
        </>
      ),
    },
    { key: "state", header: t("column.state"), cell: (tenant) => <TenantStatus tenant={tenant} /> },
    {
      key: "bytes",
      header: t("column.bytes"),
      align: "end",
      from: "md",
      cell: (tenant) => format.bytes(bytes.get(tenant.id) ?? 0),
    },
    {
      key: "cost",
      header: t("column.cost"),
      align: "end",
      from: "xs",
      cell: (tenant) => <Money usd={costs.get(tenant.id) ?? 0} />,
    },
    {
      key: "made",
      header: t("column.made"),
      from: "sm",
      cell: (tenant) => <RelativeTime at={tenant.created_at} />,
    },
  ];
  const none = tenants.data?.length === 0;
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} actions={create} />
      <Panel
        flush
        title={
          <TextInput
            size="xs"
            w={{ base: "100%", xs: 260 }}
            leftSection={<IconSearch size={14} />}
            placeholder={t("search")}
            aria-label={t("search")}
            value={search}
            onChange={(event) => setSearch(event.currentTarget.value)}
          />
        }
        actions={
          <SegmentedControl
            size="xs"
            aria-label={t("column.state")}
            value={state}
            onChange={setState}
            data={states.map((value) => ({ value, label: t(`status.${value}`) }))}
          />
        }
      >
        <DataTable
          label={t("title")}
          columns={columns}
          rows={rows}
          rowKey={(tenant) => tenant.id}
          dimmed={(tenant) => stateOf(tenant) !== "active"}
          error={tenants.error}
          retry={() => void tenants.refetch()}
          empty={
            none ? (
              <EmptyState
                icon={IconBuildingCommunity}
                title={t("none")}
                text={t("noneHelp")}
                action={create}
              />
            ) : (
              <EmptyState icon={IconSearch} title={t("noMatch")} text={t("noMatchHelp")} />
            )
          }
        />
      </Panel>
      <Group mt="xs" justify="flex-end">
        <Text size="xs" c="dimmed">
          {rows && t("count", { count: rows.length })}
        </Text>
      </Group>
      <CreateTenant opened={asked} onClose={() => setAsked(false)} onInvited={setInvited} />
      <SecretDialog
        secret={invited ? inviteLink(invited.token) : null}
        onClose={() => setInvited(null)}
        title={t("create.link", { email: invited?.email ?? "" })}
        text={t("create.linkText")}
      />
    </>
  );
}
