import { SimpleGrid, Stack } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { ChartWithTable } from "@/components/charts/ChartWithTable";
import { Facts } from "@/components/Facts";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { StatCard } from "@/components/StatCard";
import { useFormat } from "@/lib/useFormat";
import { stackCosts } from "../costs";
import {
  byTenant,
  completionsOptions,
  costsOptions,
  embeddingsOptions,
  storageOptions,
  type Tenant,
  total,
} from "../queries";

/** The figures of one tenant. Never what it stores or asks: that is not the operator's to read. */
export function TenantOverview({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation("tenants");
  const format = useFormat();
  const costs = useQuery(costsOptions(30, "line_item", tenant.id));
  const chats = useQuery(completionsOptions(30, tenant.id)).data?.data;
  const embeddings = useQuery(embeddingsOptions(30, tenant.id)).data?.data;
  const storage = useQuery(storageOptions(tenant.id)).data?.data;
  const both = chats && embeddings;
  const requests =
    both &&
    total(byTenant(chats, (one) => one.num_model_requests)) +
      total(byTenant(embeddings, (one) => one.num_model_requests));
  const tokens =
    both &&
    total(byTenant(chats, (one) => one.input_tokens + one.output_tokens)) +
      total(byTenant(embeddings, (one) => one.input_tokens));
  const stacked = costs.data && stackCosts(costs.data.data, (one) => one.line_item ?? t("other"), format.day);
  const spent = costs.data && total(byTenant(costs.data.data, (one) => one.amount.value));
  return (
    <Stack gap="md">
      <SimpleGrid cols={{ base: 2, md: 4 }} spacing="md">
        <StatCard
          label={t("stat.cost")}
          value={spent !== undefined && format.money(spent)}
          note={t("stat.days")}
        />
        <StatCard
          label={t("stat.requests")}
          value={requests !== undefined && format.compact(requests)}
          note={t("stat.days")}
        />
        <StatCard
          label={t("stat.tokens")}
          value={tokens !== undefined && format.compact(tokens)}
          note={t("stat.days")}
        />
        <StatCard
          label={t("stat.bytes")}
          value={storage && format.bytes(total(byTenant(storage, (one) => one.usage_bytes)))}
          note={t("stat.now")}
        />
      </SimpleGrid>
      <ChartWithTable
        title={t("chart.title")}
        kind="bar"
        points={stacked?.points}
        series={stacked?.series ?? []}
        error={costs.error}
        format={format.money}
        axis={t("chart.day")}
        file={`insula-${tenant.id}-cost`}
      />
      <Panel title={t("facts")}>
        <Facts
          facts={[
            { label: t("column.slug"), value: <code>{tenant.tenant_name}</code> },
            { label: t("column.id"), value: <code>{tenant.id}</code> },
            { label: t("column.made"), value: <RelativeTime at={tenant.created_at} /> },
          ]}
        />
      </Panel>
    </Stack>
  );
}
