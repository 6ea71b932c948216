import { Button, Group, SegmentedControl, Select, Text, TextInput } from "@mantine/core";
import { IconRefresh, IconStack2 } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $operator, bodyOf, cursor, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { AnchorLink } from "@/components/links";
import { notifyDone } from "@/components/notifyError";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { useFormat } from "@/lib/useFormat";
import { tenantsOptions } from "@/operator/queries";

type Job = Schema<"OperatorJob">;
const states = ["dead", "queued", "running"] as const;
type State = (typeof states)[number];
const path = "/v1/insula/operator/jobs";

interface Search {
  status?: State;
  kind?: string;
  tenant?: string;
}

export const Route = createFileRoute("/_app/operator/jobs")({
  validateSearch: (search: Record<string, unknown>): Search => ({
    status: states.find((state) => state === search.status && state !== "dead"),
    kind: typeof search.kind === "string" && search.kind ? search.kind : undefined,
    tenant: typeof search.tenant === "string" && search.tenant ? search.tenant : undefined,
  }),
  component: Jobs,
});

function Jobs() {
  const { t } = useTranslation("operatorJobs");
  const format = useFormat();
  const { status = "dead", kind, tenant } = Route.useSearch();
  const navigate = Route.useNavigate();
  const queries = useQueryClient();
  const tenants = useQuery(tenantsOptions());
  const [asked, setAsked] = useState(false);
  const filter = { ...(kind ? { kind } : {}), ...(tenant ? { tenant_id: tenant } : {}) };
  const jobs = $operator.useInfiniteQuery(
    "get",
    path,
    { params: { query: { status, limit: 50, ...filter } } },
    { ...cursor, refetchInterval: status === "dead" ? false : 5_000 },
  );
  const retry = useMutation({
    meta: { inline: true },
    mutationFn: () => bodyOf(operatorClient.POST("/v1/insula/operator/jobs/retry", { body: filter })),
    onSuccess: async ({ retried, skipped, has_more }) => {
      setAsked(false);
      await queries.invalidateQueries({ queryKey: ["get", path] });
      const parts = [t("retried", { count: retried })];
      if (skipped > 0) parts.push(t("skipped", { count: skipped }));
      if (has_more) parts.push(t("more"));
      notifyDone(parts.join(" "));
    },
  });
  const rows = jobs.data?.pages.flatMap((page) => page.data);
  const search = (change: Search) =>
    void navigate({ search: (before) => ({ ...before, ...change }), replace: true });
  const columns: Column<Job>[] = [
    {
      key: "kind",
      header: t("column.kind"),
      cell: (job) => (
        <>
          <code>{job.kind}</code>
          <Text size="xs" c="dimmed">
            <span className="ltr">{job.id}</span>
          </Text>
        </>
      ),
    },
    {
      key: "tenant",
      header: t("column.tenant"),
      cell: (job) => (
        <AnchorLink to="/operator/tenants/$id" params={{ id: job.tenant_id }} inherit dir="auto">
          {job.tenant_name}
        </AnchorLink>
      ),
    },
    {
      key: "attempts",
      header: t("column.attempts"),
      align: "end",
      from: "sm",
      cell: (job) =>
        t("attempts", { done: format.number(job.attempt), most: format.number(job.max_attempts) }),
    },
    {
      key: "at",
      header: status === "queued" ? t("column.due") : t("column.made"),
      from: "xs",
      cell: (job) => <RelativeTime at={status === "queued" ? job.run_at : job.created_at} />,
    },
  ];
  return (
    <>
      <PageHeader
        title={t("title")}
        help={t("help")}
        actions={
          status === "dead" && (
            <Button
              leftSection={<IconRefresh size={16} />}
              disabled={!rows?.length}
              onClick={() => setAsked(true)}
            >
              {t("retry")}
            </Button>
          )
        }
      />
      <Panel
        flush
        title={
          <SegmentedControl
            size="xs"
            aria-label={t("status.label")}
            value={status}
            onChange={(value) => search({ status: value === "dead" ? undefined : (value as State) })}
            data={states.map((value) => ({ value, label: t(`status.${value}`) }))}
          />
        }
        actions={
          <Group gap="xs">
            <TextInput
              key={kind}
              size="xs"
              w={150}
              aria-label={t("column.kind")}
              placeholder={t("anyKind")}
              dir="auto"
              defaultValue={kind ?? ""}
              onBlur={(event) => search({ kind: event.currentTarget.value.trim() || undefined })}
              onKeyDown={(event) => event.key === "Enter" && event.currentTarget.blur()}
            />
            <Select
              size="xs"
              w={170}
              aria-label={t("column.tenant")}
              placeholder={t("anyTenant")}
              value={tenant ?? null}
              onChange={(value) => search({ tenant: value ?? undefined })}
              data={(tenants.data ?? []).map((one) => ({ value: one.id, label: one.name }))}
              searchable
              clearable
            />
          </Group>
        }
      >
        <DataTable
          label={t("title")}
          columns={columns}
          rows={rows}
          rowKey={(job) => job.id}
          error={jobs.error}
          retry={() => void jobs.refetch()}
          more={jobs}
          empty={<EmptyState icon={IconStack2} title={t(`none.${status}`)} text={t("noneHelp")} />}
        />
      </Panel>
      <ConfirmDialog
        opened={asked}
        onClose={() => {
          setAsked(false);
          retry.reset();
        }}
        title={t("retryTitle")}
        confirm={t("retry")}
        onConfirm={() => retry.mutate()}
        busy={retry.isPending}
        error={retry.error}
      >
        {kind || tenant ? t("retryFiltered") : t("retryAll")}
      </ConfirmDialog>
    </>
  );
}
