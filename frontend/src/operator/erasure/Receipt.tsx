import { Group, Loader, Stack, Text } from "@mantine/core";
import { IconCoins } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { usePeople } from "@/audit/usePeople";
import { CopyButton } from "@/components/CopyButton";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Facts } from "@/components/Facts";
import { Money } from "@/components/Money";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { useFormat } from "@/lib/useFormat";
import { useDeleted } from "./useDeleted";

type Erasure = Schema<"Erasure">;
type Month = Erasure["billed"][number];

/** What was deleted and what accounting keeps; while it runs, what is deleted so far. */
export function Receipt({ erasure }: { erasure: Erasure }) {
  const { t } = useTranslation("erasures");
  const format = useFormat();
  const people = usePeople();
  const running = erasure.status === "running";
  const deleted = useDeleted(erasure.deleted);
  const months: Column<Month>[] = [
    { key: "month", header: t("billed.month"), cell: (one) => format.month(one.month) },
    {
      key: "requests",
      header: t("billed.requests"),
      align: "end",
      cell: (one) => format.number(one.requests),
    },
    {
      key: "input",
      header: t("billed.input"),
      align: "end",
      from: "sm",
      cell: (one) => format.number(one.input_tokens),
    },
    {
      key: "output",
      header: t("billed.output"),
      align: "end",
      from: "sm",
      cell: (one) => format.number(one.output_tokens),
    },
    { key: "cost", header: t("billed.cost"), align: "end", cell: (one) => <Money usd={one.cost} /> },
  ];
  const digest = (value: string | null, label: string) =>
    value ? (
      <Group gap={4} wrap="nowrap">
        <code style={{ overflowWrap: "anywhere" }}>{value}</code>
        <CopyButton value={value} label={label} />
      </Group>
    ) : (
      "–"
    );
  return (
    <Stack gap="md">
      <Panel title={t("about")}>
        <Facts
          facts={[
            { label: t("column.by"), value: people.get(erasure.requested_by) ?? erasure.requested_by },
            { label: t("column.requested"), value: format.dateTime(erasure.requested_at) },
            {
              label: t("column.completed"),
              value: erasure.completed_at === null ? "–" : format.dateTime(erasure.completed_at),
            },
            { label: t("tenantId"), value: <code>{erasure.tenant_id}</code> },
            { label: t("auditHead"), value: digest(erasure.audit_head, t("copyAuditHead")) },
            { label: t("digest"), value: digest(erasure.digest, t("copyDigest")) },
          ]}
        />
      </Panel>
      <Panel
        title={t(running ? "deleted.soFar" : "deleted.title")}
        actions={
          running && (
            <Group gap={6}>
              <Loader size="xs" aria-hidden />
              <Text size="sm" c="dimmed">
                {t("deleted.running")}
              </Text>
            </Group>
          )
        }
      >
        {deleted.length ? (
          <Facts
            facts={deleted.map(({ key, label, count }) => ({
              label,
              value: key === "bytes" ? format.bytes(count) : format.number(count),
            }))}
          />
        ) : (
          <Text c="dimmed">{t(running ? "deleted.begins" : "deleted.nothing")}</Text>
        )}
        {running && (
          <Text size="sm" c="dimmed" mt="md">
            {t("deleted.leave")} <RelativeTime at={erasure.requested_at} />
          </Text>
        )}
      </Panel>
      {!running && (
        <Panel title={t("billed.title")} flush>
          <DataTable
            label={t("billed.title")}
            columns={months}
            rows={erasure.billed}
            rowKey={(one) => one.month}
            empty={<EmptyState icon={IconCoins} title={t("billed.none")} text={t("billed.noneHelp")} />}
          />
        </Panel>
      )}
    </Stack>
  );
}
