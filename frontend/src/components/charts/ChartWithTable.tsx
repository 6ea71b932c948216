import { ActionIcon, Box, Center, SegmentedControl, Skeleton, Table, Text, Tooltip } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { lazy, type ReactNode, Suspense, useState } from "react";
import { useTranslation } from "react-i18next";
import { toCsv } from "@/lib/csv";
import { download } from "@/lib/download";
import { ErrorState } from "../ErrorState";
import { Panel } from "../Panel";
import type { ChartProps } from "./Chart";
import classes from "./ChartWithTable.module.css";

const Chart = lazy(() => import("./Chart"));

interface Props extends Omit<ChartProps, "points"> {
  title: string;
  /** Absent: still loading. */
  points: ChartProps["points"] | undefined;
  error?: unknown;
  /** What the first column of table and file is: a day, an hour. */
  axis: string;
  /** Name of the exported file, without its ending. */
  file: string;
  /** Beside the title: what is drawn, for example. */
  controls?: ReactNode;
}

/** A chart that is also a table and a file: nobody has to read colours. */
export function ChartWithTable({ title, points, error, axis, file, controls, ...chart }: Props) {
  const { t } = useTranslation();
  const [view, setView] = useState("chart");
  const height = chart.height ?? 240;
  const none = points?.every((point) => Object.values(point.values).every((value) => !value));

  const save = () => {
    const rows = (points ?? []).map((point) => [
      point.label,
      ...chart.series.map((one) => point.values[one.key] ?? null),
    ]);
    download(`${file}.csv`, toCsv([axis, ...chart.series.map((one) => one.label)], rows));
  };

  return (
    <Panel
      title={title}
      actions={
        <>
          {controls}
          <SegmentedControl
            size="xs"
            value={view}
            onChange={setView}
            aria-label={t("chart.view")}
            data={[
              { value: "chart", label: t("chart.chart") },
              { value: "table", label: t("chart.table") },
            ]}
          />
          <Tooltip label={t("chart.csv")}>
            <ActionIcon onClick={save} aria-label={t("chart.csv")} disabled={!points || none}>
              <IconDownload size={16} />
            </ActionIcon>
          </Tooltip>
        </>
      }
    >
      {error ? (
        <ErrorState error={error} />
      ) : !points ? (
        <Skeleton h={height} />
      ) : none ? (
        <Center h={height}>
          <Text c="dimmed">{t("chart.none")}</Text>
        </Center>
      ) : view === "chart" ? (
        <Suspense fallback={<Skeleton h={height} />}>
          <Box role="img" aria-label={t("chart.label", { title })}>
            <Chart points={points} {...chart} />
          </Box>
        </Suspense>
      ) : (
        <section
          className={classes.scroll}
          style={{ maxHeight: height + 120 }}
          tabIndex={0}
          aria-label={title}
        >
          <Table stickyHeader fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{axis}</Table.Th>
                {chart.series.map((one) => (
                  <Table.Th key={one.key} ta="end">
                    {one.label}
                  </Table.Th>
                ))}
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {points.map((point) => (
                <Table.Tr key={point.label}>
                  <Table.Td>{point.label}</Table.Td>
                  {chart.series.map((one) => {
                    const value = point.values[one.key];
                    return (
                      <Table.Td key={one.key} ta="end">
                        {value === null || value === undefined ? "–" : chart.format(value)}
                      </Table.Td>
                    );
                  })}
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </section>
      )}
    </Panel>
  );
}
