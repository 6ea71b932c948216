import { SegmentedControl, Skeleton, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { CopyButton } from "@/components/CopyButton";
import { ErrorState } from "@/components/ErrorState";
import { PageHeader } from "@/components/PageHeader";
import { ErasureNote } from "@/operator/erasure/ErasureNote";
import { tenantOptions } from "@/operator/queries";
import { TenantStatus } from "@/operator/TenantStatus";
import { TenantAccess } from "@/operator/tenant/TenantAccess";
import { TenantActions } from "@/operator/tenant/TenantActions";
import { TenantLimits } from "@/operator/tenant/TenantLimits";
import { TenantModels } from "@/operator/tenant/TenantModels";
import { TenantMoney } from "@/operator/tenant/TenantMoney";
import { TenantOverview } from "@/operator/tenant/TenantOverview";
import classes from "./tenants.module.css";

const tabs = ["overview", "limits", "money", "models", "access"] as const;
type Tab = (typeof tabs)[number];

export const Route = createFileRoute("/_app/operator/tenants/$id")({
  validateSearch: (search: Record<string, unknown>): { tab?: Tab } =>
    tabs.includes(search.tab as Tab) && search.tab !== "overview" ? { tab: search.tab as Tab } : {},
  component: Tenant,
});

function Tenant() {
  const { t } = useTranslation("tenants");
  const { id } = Route.useParams();
  const { tab = "overview" } = Route.useSearch();
  const navigate = Route.useNavigate();
  const tenant = useQuery(tenantOptions(id));
  return (
    <>
      <PageHeader
        title={tenant.data?.name ?? t("one")}
        help={t("oneHelp")}
        crumbs={[{ label: t("title"), to: "/operator/tenants" }]}
        aside={
          tenant.data && (
            <>
              <TenantStatus tenant={tenant.data} />
              <CopyButton value={id} label={t("copyId")} />
            </>
          )
        }
        actions={tenant.data && <TenantActions tenant={tenant.data} />}
      />
      {tenant.error ? (
        <ErrorState error={tenant.error} retry={() => void tenant.refetch()} />
      ) : !tenant.data ? (
        <Skeleton h={240} />
      ) : (
        <Stack gap="md">
          {tenant.data.archived_at !== null && <ErasureNote tenantId={id} />}
          <div className={classes.tabs}>
            <SegmentedControl
              aria-label={t("tab.label")}
              value={tab}
              onChange={(value) =>
                void navigate({ search: value === "overview" ? {} : { tab: value as Tab }, replace: true })
              }
              data={tabs.map((value) => ({ value, label: t(`tab.${value}`) }))}
            />
          </div>
          {tab === "overview" && <TenantOverview tenant={tenant.data} />}
          {tab === "limits" && <TenantLimits id={id} />}
          {tab === "money" && <TenantMoney id={id} />}
          {tab === "models" && <TenantModels id={id} />}
          {tab === "access" && <TenantAccess id={id} />}
        </Stack>
      )}
    </>
  );
}
