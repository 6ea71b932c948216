import { Code, Group, SimpleGrid, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { CopyButton } from "@/components/CopyButton";
import { Panel } from "@/components/Panel";
import { useFormat } from "@/lib/useFormat";
import { OutcomeBadge } from "@/usage/OutcomeBadge";
import { useKeyNames } from "@/usage/useNames";

/** Everything that the ledger has about a call. */
export function Facts({ event }: { event: Schema<"TracedUsageEvent"> }) {
  const { t } = useTranslation("requests");
  const format = useFormat();
  const keys = useKeyNames();
  const key = event.api_key_id;
  const facts: [string, ReactNode][] = [
    [t("column.outcome"), <OutcomeBadge key="outcome" event={event} />],
    [
      t("column.endpoint"),
      <span key="endpoint" className="ltr">
        {event.endpoint}
      </span>,
    ],
    [
      t("column.model"),
      <span key="model" className="ltr">
        {event.model}
      </span>,
    ],
    [t("provider"), event.provider ?? "–"],
    [
      t("column.key"),
      key
        ? (keys.get(key) ?? (
            <Code key="key" className="ltr">
              {key}
            </Code>
          ))
        : t("session"),
    ],
    [t("column.endUser"), event.end_user ?? "–"],
    [
      t("tokensIn"),
      `${format.number(event.input_tokens)}${event.cached_tokens ? ` (${t("ofCached", { count: event.cached_tokens })})` : ""}`,
    ],
    [
      t("tokensOut"),
      `${format.number(event.output_tokens)}${event.reasoning_tokens ? ` (${t("ofReasoning", { count: event.reasoning_tokens })})` : ""}`,
    ],
    [
      t("column.cost"),
      <span key="cost" title={`US$ ${event.cost_usd}`}>
        {format.money(event.cost_usd)}
      </span>,
    ],
    [t("column.latency"), format.duration(event.latency_ms)],
    [t("firstToken"), event.first_token_ms === null ? "–" : format.duration(event.first_token_ms)],
    [t("column.when"), format.dateTime(event.created_at)],
  ];
  const remarks = [
    event.streamed && t("remark.streamed"),
    event.cache_hit && t("remark.cached"),
    event.estimated && t("remark.estimated"),
    event.error && t("remark.error", { code: event.error }),
  ].filter(Boolean);
  return (
    <Panel
      title={t("facts")}
      actions={
        <Group gap={4} wrap="nowrap" miw={0}>
          <Code className="ltr" style={{ overflow: "hidden", textOverflow: "ellipsis" }}>
            {event.id}
          </Code>
          <CopyButton value={event.id} label={t("copyId")} />
        </Group>
      }
    >
      <SimpleGrid component="dl" cols={{ base: 2, sm: 3, lg: 4 }} spacing="md" verticalSpacing="sm" m={0}>
        {facts.map(([label, value]) => (
          <div key={label}>
            <Text component="dt" size="xs" c="dimmed">
              {label}
            </Text>
            <Text component="dd" size="sm" m={0} style={{ overflowWrap: "anywhere" }}>
              {value}
            </Text>
          </div>
        ))}
      </SimpleGrid>
      {remarks.length > 0 && (
        <Text size="sm" c="dimmed" mt="sm">
          {remarks.join(" ")}
        </Text>
      )}
    </Panel>
  );
}
