import { Box, Group, Text } from "@mantine/core";
import { Link } from "@tanstack/react-router";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { type Column, DataTable, rowLink } from "@/components/DataTable";
import { Money } from "@/components/Money";
import { RelativeTime } from "@/components/RelativeTime";
import { Tag } from "@/components/Tag";
import { useFormat } from "@/lib/useFormat";
import type { UsageEvent, useEvents } from "./events";
import { OutcomeBadge } from "./OutcomeBadge";
import { useKeyNames } from "./useNames";

interface Props {
  events: ReturnType<typeof useEvents>;
  empty: ReactNode;
  /** Only the columns that tell the most, and no further pages. */
  brief?: boolean;
}

export function EventTable({ events, empty, brief }: Props) {
  const { t } = useTranslation("requests");
  const format = useFormat();
  const keys = useKeyNames();
  const columns: Column<UsageEvent>[] = [
    {
      key: "at",
      header: t("column.when"),
      cell: (event) => (
        <>
          <Link to="/requests/$id" params={{ id: event.id }} className={rowLink}>
            <RelativeTime at={event.created_at} />
          </Link>
          {/* Where there is no room for a column of its own. */}
          <Box hiddenFrom="xs" fz="xs">
            <OutcomeBadge event={event} />
          </Box>
        </>
      ),
    },
    {
      key: "endpoint",
      header: t("column.endpoint"),
      cell: (event) => <span className="ltr">{event.endpoint}</span>,
      from: "sm",
    },
    {
      key: "model",
      header: t("column.model"),
      cell: (event) => (
        <Group gap={6} wrap="nowrap">
          <Text span inherit className="ltr" truncate maw={{ base: 104, xs: 200 }}>
            {event.model}
          </Text>
          {event.cache_hit && <Tag>{t("cached")}</Tag>}
        </Group>
      ),
    },
    {
      key: "outcome",
      header: t("column.outcome"),
      from: "xs",
      cell: (event) => <OutcomeBadge event={event} />,
    },
    ...(brief
      ? []
      : ([
          {
            key: "key",
            header: t("column.key"),
            cell: (event) => (event.api_key_id ? (keys.get(event.api_key_id) ?? t("unnamedKey")) : "–"),
            from: "xl",
          },
          { key: "user", header: t("column.endUser"), cell: (event) => event.end_user ?? "–", from: "xl" },
        ] satisfies Column<UsageEvent>[])),
    {
      key: "tokens",
      header: t("column.tokens"),
      align: "end",
      from: "md",
      cell: (event) => format.number(event.input_tokens + event.output_tokens),
    },
    {
      key: "cost",
      header: t("column.cost"),
      align: "end",
      cell: (event) => <Money usd={event.cost_usd} />,
    },
    {
      key: "latency",
      header: t("column.latency"),
      align: "end",
      from: "xs",
      cell: (event) => format.duration(event.latency_ms),
    },
  ];
  return (
    <DataTable
      label={t("title")}
      columns={columns}
      rows={events.rows}
      rowKey={(event) => event.id}
      error={events.error}
      retry={() => void events.refetch()}
      empty={empty}
      more={brief ? undefined : events}
    />
  );
}
