import { SegmentedControl, SimpleGrid, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { ChartWithTable } from "@/components/charts/ChartWithTable";
import { PageHeader } from "@/components/PageHeader";
import { StatCard } from "@/components/StatCard";
import { useFormat } from "@/lib/useFormat";
import { stack, stackCosts } from "@/operator/costs";
import {
  byTenant,
  completionsOptions,
  costsOptions,
  embeddingsOptions,
  tenantsOptions,
  total,
} from "@/operator/queries";
import { TenantTable } from "@/operator/TenantTable";

const spans = ["7", "30"] as const;
const cuts = ["project_id", "line_item"] as const;
type Cut = (typeof cuts)[number];

export const Route = createFileRoute("/_app/operator/usage")({
  validateSearch: (search: Record<string, unknown>): { days?: 7 } =>
    Number(search.days) === 7 ? { days: 7 } : {},
  loaderDeps: ({ search }) => search,
  loader: ({ context: { queries }, deps: { days = 30 } }) => {
    void queries.prefetchQuery(costsOptions(days, "project_id"));
    void queries.prefetchQuery(completionsOptions(days));
  },
  component: Usage,
});

function Usage() {
  const { t } = useTranslation("revenue");
  const format = useFormat();
  const { days = 30 } = Route.useSearch();
  const navigate = Route.useNavigate();
  const [cut, setCut] = useState<Cut>("project_id");
  const names = new Map(useQuery(tenantsOptions()).data?.map((tenant) => [tenant.id, tenant.name]));
  const costs = useQuery(costsOptions(days, "project_id"));
  const items = useQuery({ ...costsOptions(days, "line_item"), enabled: cut === "line_item" });
  const chats = useQuery(completionsOptions(days));
  const embeddings = useQuery(embeddingsOptions(days));
  const nameOf = (id: string | null) => (id && (names.get(id) ?? id)) || t("other");
  const shown = cut === "project_id" ? costs : items;
  const money =
    shown.data &&
    stackCosts(
      shown.data.data,
      (one) => (cut === "project_id" ? nameOf(one.project_id) : (one.line_item ?? t("other"))),
      format.day,
      t("rest"),
    );
  const calls =
    chats.data &&
    stack(
      chats.data.data,
      (one) => nameOf(one.project_id),
      (one) => one.num_model_requests,
      format.day,
      t("rest"),
    );
  const spent = costs.data && byTenant(costs.data.data, (one) => one.amount.value);
  const requests = chats.data && byTenant(chats.data.data, (one) => one.num_model_requests);
  const input = chats.data && byTenant(chats.data.data, (one) => one.input_tokens);
  const output = chats.data && byTenant(chats.data.data, (one) => one.output_tokens);
  const embedded = embeddings.data && byTenant(embeddings.data.data, (one) => one.input_tokens);
  const card = (sums: Map<string, number> | undefined, write: (value: number) => string) =>
    sums && write(total(sums));
  return (
    <>
      <PageHeader
        title={t("title")}
        help={t("help")}
        actions={
          <SegmentedControl
            size="xs"
            aria-label={t("range")}
            value={String(days)}
            onChange={(value) => void navigate({ search: value === "7" ? { days: 7 } : {}, replace: true })}
            data={spans.map((value) => ({ value, label: t(`days.${value}`) }))}
          />
        }
      />
      <Stack gap="md">
        <SimpleGrid cols={{ base: 2, md: 4 }} spacing="md">
          <StatCard label={t("revenue")} value={card(spent, format.money)} />
          <StatCard label={t("requests")} value={card(requests, format.compact)} />
          <StatCard label={t("output")} value={card(output, format.compact)} />
          <StatCard label={t("embedded")} value={card(embedded, format.compact)} help={t("embeddedHelp")} />
        </SimpleGrid>
        <ChartWithTable
          title={t("revenue")}
          kind="bar"
          points={money?.points}
          series={money?.series ?? []}
          error={shown.error}
          format={format.money}
          axis={t("day")}
          file={`insula-revenue-${cut === "project_id" ? "by-tenant" : "by-item"}`}
          controls={
            <SegmentedControl
              size="xs"
              aria-label={t("cut.label")}
              value={cut}
              onChange={(value) => setCut(value as Cut)}
              data={cuts.map((value) => ({ value, label: t(`cut.${value}`) }))}
            />
          }
        />
        <ChartWithTable
          title={t("requests")}
          kind="bar"
          points={calls?.points}
          series={calls?.series ?? []}
          error={chats.error}
          format={format.compact}
          axis={t("day")}
          file="insula-requests-by-tenant"
        />
        <TenantTable
          nameOf={nameOf}
          error={costs.error}
          columns={
            spent && requests && input && output && embedded
              ? { revenue: spent, requests, input, output, embedded }
              : undefined
          }
        />
      </Stack>
    </>
  );
}
