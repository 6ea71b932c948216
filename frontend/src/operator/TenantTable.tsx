import { ActionIcon, Tooltip } from "@mantine/core";
import { IconChartBar, IconDownload } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { AnchorLink } from "@/components/links";
import { Panel } from "@/components/Panel";
import { toCsv } from "@/lib/csv";
import { download } from "@/lib/download";
import { useFormat } from "@/lib/useFormat";

const figures = ["revenue", "requests", "input", "output", "embedded"] as const;

interface Props {
  /** Sums by tenant; absent: still loading. */
  columns: Record<(typeof figures)[number], Map<string, number>> | undefined;
  nameOf: (id: string) => string;
  error: unknown;
}

/** Every tenant that has used anything, the one that brings most first. */
export function TenantTable({ columns: sums, nameOf, error }: Props) {
  const { t } = useTranslation("revenue");
  const format = useFormat();
  const rows =
    sums &&
    [...new Set(figures.flatMap((figure) => [...sums[figure].keys()]))]
      .filter((id) => figures.some((figure) => sums[figure].get(id)))
      .sort((a, b) => (sums.revenue.get(b) ?? 0) - (sums.revenue.get(a) ?? 0));
  const columns: Column<string>[] = [
    {
      key: "tenant",
      header: t("tenant"),
      cell: (id) =>
        id ? (
          <AnchorLink to="/operator/tenants/$id" params={{ id }} dir="auto" inherit>
            {nameOf(id)}
          </AnchorLink>
        ) : (
          t("other")
        ),
    },
    ...figures.map(
      (figure, index): Column<string> => ({
        key: figure,
        header: t(figure),
        align: "end",
        from: index > 2 ? "md" : index > 1 ? "sm" : undefined,
        cell: (id) => {
          const value = sums?.[figure].get(id) ?? 0;
          return figure === "revenue" ? format.money(value) : format.number(value);
        },
      }),
    ),
  ];
  const save = () =>
    download(
      "insula-tenants.csv",
      toCsv(
        [t("tenant"), "id", ...figures.map((figure) => t(figure))],
        (rows ?? []).map((id) => [nameOf(id), id, ...figures.map((figure) => sums?.[figure].get(id) ?? 0)]),
      ),
    );
  return (
    <Panel
      title={t("byTenant")}
      flush
      actions={
        <Tooltip label={t("csv")}>
          <ActionIcon onClick={save} aria-label={t("csv")} disabled={!rows?.length}>
            <IconDownload size={16} />
          </ActionIcon>
        </Tooltip>
      }
    >
      <DataTable
        label={t("byTenant")}
        columns={columns}
        rows={rows}
        rowKey={(id) => id}
        error={error}
        empty={<EmptyState icon={IconChartBar} title={t("none")} text={t("noneHelp")} />}
      />
    </Panel>
  );
}
