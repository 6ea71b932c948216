import { Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type Column, DataTable, rowLink } from "@/components/DataTable";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { useFormat } from "@/lib/useFormat";

interface Row {
  query: string;
  searches: number;
  mean_top_score?: number | null;
  zero_result?: number;
  last_at?: number;
}

interface Props {
  title: string;
  rows: Row[] | undefined;
  error: unknown;
  /** Which figures the rows have. */
  figures: ("score" | "zero" | "last")[];
  none: ReactNode;
}

/** Queries, each leading to the playground with its words. */
export function QueryTable({ title, rows, error, figures, none }: Props) {
  const { t } = useTranslation("searchAnalytics");
  const format = useFormat();
  const all: Record<Props["figures"][number], Column<Row>> = {
    score: {
      key: "score",
      header: t("column.score"),
      align: "end",
      cell: (row) =>
        row.mean_top_score == null ? "–" : format.number(Math.round(row.mean_top_score * 100) / 100),
    },
    zero: {
      key: "zero",
      header: t("column.zero"),
      align: "end",
      from: "sm",
      cell: (row) => format.number(row.zero_result ?? 0),
    },
    last: {
      key: "last",
      header: t("column.last"),
      from: "sm",
      cell: (row) => row.last_at && <RelativeTime at={row.last_at} />,
    },
  };
  const columns: Column<Row>[] = [
    {
      key: "query",
      header: t("column.query"),
      cell: (row) => (
        <Link
          to="/playground"
          search={{ mode: "search", q: row.query }}
          className={rowLink}
          style={{ overflowWrap: "anywhere" }}
        >
          <bdi>{row.query}</bdi>
        </Link>
      ),
    },
    {
      key: "searches",
      header: t("column.searches"),
      align: "end",
      cell: (row) => format.number(row.searches),
    },
    ...figures.map((figure) => all[figure]),
  ];
  return (
    <Panel flush title={title}>
      <DataTable
        label={title}
        columns={columns}
        rows={rows}
        rowKey={(row) => row.query}
        error={error}
        empty={
          <Text p="md" c="dimmed">
            {none}
          </Text>
        }
      />
    </Panel>
  );
}
