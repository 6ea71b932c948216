import { IconEraser } from "@tabler/icons-react";
import { createFileRoute, Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { $operator, cursor } from "@/api/client";
import type { Schema } from "@/api/paths";
import { usePeople } from "@/audit/usePeople";
import { type Column, DataTable, rowLink } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { ErasureStatus } from "@/operator/erasure/ErasureStatus";
import { erasuresPath } from "@/operator/queries";

export const Route = createFileRoute("/_app/operator/erasures/")({ component: Erasures });

function Erasures() {
  const { t } = useTranslation("erasures");
  const people = usePeople();
  const erasures = $operator.useInfiniteQuery(
    "get",
    erasuresPath,
    { params: { query: { limit: 50 } } },
    {
      ...cursor,
      refetchInterval: (query) =>
        query.state.data?.pages.some((page) => page.data.some((one) => one.status === "running"))
          ? 3_000
          : false,
    },
  );
  const columns: Column<Schema<"Erasure">>[] = [
    {
      key: "tenant",
      header: t("column.tenant"),
      cell: (one) => (
        <Link to="/operator/erasures/$id" params={{ id: one.id }} className={rowLink} dir="auto">
          {one.name}
        </Link>
      ),
    },
    { key: "state", header: t("column.state"), cell: (one) => <ErasureStatus erasure={one} /> },
    {
      key: "by",
      header: t("column.by"),
      from: "sm",
      cell: (one) => <bdi>{people.get(one.requested_by) ?? one.requested_by}</bdi>,
    },
    {
      key: "requested",
      header: t("column.requested"),
      from: "xs",
      cell: (one) => <RelativeTime at={one.requested_at} />,
    },
    {
      key: "completed",
      header: t("column.completed"),
      from: "md",
      cell: (one) => (one.completed_at === null ? "–" : <RelativeTime at={one.completed_at} />),
    },
  ];
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} />
      <Panel flush>
        <DataTable
          label={t("title")}
          columns={columns}
          rows={erasures.data?.pages.flatMap((page) => page.data)}
          rowKey={(one) => one.id}
          error={erasures.error}
          retry={() => void erasures.refetch()}
          more={erasures}
          empty={<EmptyState icon={IconEraser} title={t("none")} text={t("noneHelp")} />}
        />
      </Panel>
    </>
  );
}
