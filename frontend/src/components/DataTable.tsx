import { Box, Button, Center, Skeleton, Table, VisuallyHidden } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import classes from "./DataTable.module.css";
import { ErrorState } from "./ErrorState";

export interface Column<Row> {
  key: string;
  header: string;
  cell: (row: Row) => ReactNode;
  align?: "start" | "end";
  /** Left out on narrower screens. */
  from?: "xs" | "sm" | "md" | "lg" | "xl";
  width?: number | string;
  /** The column of buttons has a heading for screen readers alone. */
  hiddenHeader?: boolean;
}

interface Props<Row> {
  /** What the table lists, for those who do not see the heading above it. */
  label: string;
  columns: Column<Row>[];
  /** Absent: still loading. */
  rows: Row[] | undefined;
  rowKey: (row: Row) => string;
  error?: unknown;
  retry?: () => void;
  /** Shown in place of a table without rows. */
  empty: ReactNode;
  /** The next page of a list that goes on after a cursor. */
  more?: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
  dimmed?: (row: Row) => boolean;
}

/** A link in a row with this class takes clicks on the whole row. */
export const rowLink = classes.rowLink;

export function DataTable<Row>({
  label,
  columns,
  rows,
  rowKey,
  error,
  retry,
  empty,
  more,
  dimmed,
}: Props<Row>) {
  const { t } = useTranslation();
  if (error && !rows) {
    return (
      <Box p="md">
        <ErrorState error={error} retry={retry} />
      </Box>
    );
  }
  if (rows?.length === 0) return empty;
  return (
    <>
      <Table.ScrollContainer minWidth={0} type="native">
        <Table
          className={classes.table}
          aria-label={label}
          aria-busy={!rows}
          verticalSpacing={9}
          horizontalSpacing="md"
        >
          <Table.Thead>
            <Table.Tr>
              {columns.map((column) => (
                <Table.Th
                  key={column.key}
                  scope="col"
                  w={column.width}
                  ta={column.align ?? "start"}
                  visibleFrom={column.from}
                  className={classes.th}
                >
                  {column.hiddenHeader ? <VisuallyHidden>{column.header}</VisuallyHidden> : column.header}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows
              ? rows.map((row) => (
                  <Table.Tr
                    key={rowKey(row)}
                    className={classes.row}
                    data-dimmed={dimmed?.(row) || undefined}
                  >
                    {columns.map((column) => (
                      <Table.Td key={column.key} ta={column.align ?? "start"} visibleFrom={column.from}>
                        {column.cell(row)}
                      </Table.Td>
                    ))}
                  </Table.Tr>
                ))
              : ["a", "b", "c", "d", "e"].map((key) => (
                  <Table.Tr key={key}>
                    {columns.map((column) => (
                      <Table.Td key={column.key} visibleFrom={column.from}>
                        <Skeleton
                          h={12}
                          my={4}
                          w={column.align === "end" ? 48 : "70%"}
                          ms={column.align === "end" ? "auto" : 0}
                        />
                      </Table.Td>
                    ))}
                  </Table.Tr>
                ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
      {more?.hasNextPage && (
        <Center p="sm">
          <Button
            variant="subtle"
            size="xs"
            loading={more.isFetchingNextPage}
            onClick={() => void more.fetchNextPage()}
          >
            {t("loadMore")}
          </Button>
        </Center>
      )}
    </>
  );
}
