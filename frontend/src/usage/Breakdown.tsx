import { ActionIcon, Group, Text, Tooltip } from "@mantine/core";
import { IconChartBar, IconDownload } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { type Column, DataTable, rowLink } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Money } from "@/components/Money";
import { Panel } from "@/components/Panel";
import { toCsv } from "@/lib/csv";
import { download } from "@/lib/download";
import { useFormat } from "@/lib/useFormat";
import type { Range } from "./range";
import { amount, type Group as By, type Metric, none, type Sum } from "./sums";
import { useGroupName } from "./useNames";
import { type Filters, useUsage } from "./useUsage";

/** The whole range by what it came from; each row leads to its requests. */
export function Breakdown({
  range,
  group,
  metric,
  filters,
}: {
  range: Range;
  group: By;
  metric: Metric;
  filters: Filters;
}) {
  const { t } = useTranslation("usage");
  const format = useFormat();
  const name = useGroupName(group);
  const usage = useUsage(range, { width: "all", group, filters });
  const rows = usage.data?.data.toSorted((a, b) => amount(b, metric) - amount(a, metric));
  const whole = rows?.reduce((sum, row) => sum + amount(row, metric), 0) ?? 0;
  const key = (row: Sum) => row[group] ?? none;
  const search = (row: Sum) => ({
    ...filters,
    ...(row[group] ? { [group]: row[group] } : {}),
    from: range.from,
    until: range.until,
  });
  const save = () =>
    download(
      `insula-usage-by-${group}.csv`,
      toCsv(
        [
          group,
          "requests",
          "failed",
          "cache_hits",
          "input_tokens",
          "cached_tokens",
          "output_tokens",
          "cost_usd",
          "latency_p50_ms",
          "latency_p95_ms",
        ],
        (rows ?? []).map((row) => [
          row[group],
          row.requests,
          row.failed,
          row.cache_hits,
          row.input_tokens,
          row.cached_tokens,
          row.output_tokens,
          // Digits as the ledger has them.
          Number(row.cost_usd),
          row.latency_p50_ms,
          row.latency_p95_ms,
        ]),
      ),
    );
  const columns: Column<Sum>[] = [
    {
      key: "name",
      header: t(`filter.${group}`),
      cell: (row) => (
        <Link to="/requests" search={search(row)} className={rowLink} style={{ overflowWrap: "anywhere" }}>
          <bdi>{name(key(row))}</bdi>
        </Link>
      ),
    },
    {
      key: "requests",
      header: t("metric.requests"),
      align: "end",
      cell: (row) => format.number(row.requests),
    },
    {
      key: "share",
      header: t("share"),
      align: "end",
      from: "md",
      cell: (row) => (whole > 0 ? format.percent(amount(row, metric) / whole) : "–"),
    },
    {
      key: "in",
      header: t("tokensIn"),
      align: "end",
      from: "sm",
      cell: (row) => format.compact(row.input_tokens),
    },
    {
      key: "out",
      header: t("tokensOut"),
      align: "end",
      from: "sm",
      cell: (row) => format.compact(row.output_tokens),
    },
    { key: "cost", header: t("metric.cost"), align: "end", cell: (row) => <Money usd={row.cost_usd} /> },
    {
      key: "errors",
      header: t("metric.errors"),
      align: "end",
      from: "sm",
      cell: (row) => format.number(row.failed),
    },
    {
      key: "p50",
      header: "p50",
      align: "end",
      from: "lg",
      cell: (row) => (row.latency_p50_ms == null ? "–" : format.duration(row.latency_p50_ms)),
    },
    {
      key: "p95",
      header: "p95",
      align: "end",
      from: "md",
      cell: (row) => (row.latency_p95_ms == null ? "–" : format.duration(row.latency_p95_ms)),
    },
  ];
  return (
    <Panel
      flush
      title={t("breakdown")}
      actions={
        <Group gap="xs">
          <Text size="xs" c="dimmed">
            {t("drill")}
          </Text>
          <Tooltip label={t("csv")}>
            <ActionIcon onClick={save} aria-label={t("csv")} disabled={!rows?.length}>
              <IconDownload size={16} />
            </ActionIcon>
          </Tooltip>
        </Group>
      }
    >
      <DataTable
        label={t("breakdown")}
        columns={columns}
        rows={rows}
        rowKey={key}
        error={usage.error}
        retry={() => void usage.refetch()}
        empty={<EmptyState icon={IconChartBar} title={t("none")} text={t("noneText")} />}
      />
    </Panel>
  );
}
