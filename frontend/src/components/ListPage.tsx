import type { ComponentType, ReactNode } from "react";
import { type Column, DataTable } from "./DataTable";
import { EmptyState } from "./EmptyState";
import { PageHeader } from "./PageHeader";
import { Panel } from "./Panel";

interface Props<Row extends { id: string }> {
  title: string;
  help: string;
  columns: Column<Row>[];
  /** The list, page by page. */
  query: {
    data: { pages: { data: Row[] }[] } | undefined;
    error: unknown;
    refetch: () => unknown;
    hasNextPage: boolean;
    isFetchingNextPage: boolean;
    fetchNextPage: () => unknown;
  };
  /** The button that makes the next one; also the next step where there is none yet. */
  action: ReactNode;
  empty: { icon: ComponentType<{ size?: number; stroke?: number }>; title: string; text: string };
}

/** A page that is a list, with the way to one more. */
export function ListPage<Row extends { id: string }>({
  title,
  help,
  columns,
  query,
  action,
  empty,
}: Props<Row>) {
  return (
    <>
      <PageHeader title={title} help={help} actions={action} />
      <Panel flush>
        <DataTable
          label={title}
          columns={columns}
          rows={query.data?.pages.flatMap((page) => page.data)}
          rowKey={(row) => row.id}
          error={query.error}
          retry={() => void query.refetch()}
          more={query}
          empty={<EmptyState {...empty} action={action} />}
        />
      </Panel>
    </>
  );
}
