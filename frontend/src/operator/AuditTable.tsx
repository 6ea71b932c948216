import { Button, Code, Drawer, Stack, Table, Text } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { type Column, DataTable } from "@/components/DataTable";
import { Facts } from "@/components/Facts";
import { RelativeTime } from "@/components/RelativeTime";
import { useFormat } from "@/lib/useFormat";
import { actorOf, changesOf, detailsOf, type Entry, written } from "./changes";

interface Props {
  label: string;
  rows: Entry[] | undefined;
  error: unknown;
  retry: () => void;
  more: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
  empty: ReactNode;
}

export function AuditTable({ label, rows, error, retry, more, empty }: Props) {
  const { t } = useTranslation("operatorAudit");
  const [opened, setOpened] = useState<Entry | null>(null);
  const columns: Column<Entry>[] = [
    {
      key: "what",
      header: t("event"),
      cell: (entry) => (
        <Stack gap={0}>
          <Text inherit fw={500} span className="ltr" style={{ alignSelf: "start" }}>
            {entry.type}
          </Text>
          <Text size="xs" c="dimmed" dir="auto">
            {entry.project ? (entry.project.name ?? entry.project.id) : t("install")}
          </Text>
        </Stack>
      ),
    },
    {
      key: "who",
      header: t("who"),
      from: "sm",
      cell: (entry) => (
        <Code className="ltr" style={{ overflowWrap: "anywhere" }}>
          {actorOf(entry)}
        </Code>
      ),
    },
    { key: "when", header: t("when"), cell: (entry) => <RelativeTime at={entry.effective_at} /> },
    {
      key: "open",
      header: t("details"),
      hiddenHeader: true,
      align: "end",
      cell: (entry) => (
        <Button
          size="xs"
          variant="default"
          aria-label={t("detailsOf", { event: entry.type })}
          onClick={() => setOpened(entry)}
        >
          {t("details")}
        </Button>
      ),
    },
  ];
  return (
    <>
      <DataTable
        label={label}
        columns={columns}
        rows={rows}
        rowKey={(entry) => entry.id}
        error={error}
        retry={retry}
        more={more}
        empty={empty}
      />
      <Drawer
        opened={opened !== null}
        onClose={() => setOpened(null)}
        title={<span className="ltr">{opened?.type}</span>}
        size="lg"
      >
        {opened && <Details entry={opened} />}
      </Drawer>
    </>
  );
}

function Details({ entry }: { entry: Entry }) {
  const { t } = useTranslation("operatorAudit");
  const format = useFormat();
  const changes = changesOf(entry);
  const { id } = detailsOf(entry);
  const cell = (has: boolean, value: unknown) =>
    has ? <Code className="ltr">{written(value)}</Code> : <Text c="dimmed">–</Text>;
  return (
    <Stack gap="md">
      <Facts
        facts={[
          { label: t("when"), value: format.dateTime(entry.effective_at) },
          { label: t("who"), value: <Code>{actorOf(entry)}</Code> },
          { label: t("where"), value: entry.actor.ip_address ?? t("machine") },
          {
            label: t("tenant"),
            value: entry.project ? (entry.project.name ?? entry.project.id) : t("install"),
          },
          ...(typeof id === "string" ? [{ label: t("upon"), value: <Code>{id}</Code> }] : []),
          { label: t("sequence"), value: format.number(entry.sequence) },
          { label: t("hash"), value: <Code style={{ overflowWrap: "anywhere" }}>{entry.hash}</Code> },
        ]}
      />
      {changes.length > 0 && (
        <Table.ScrollContainer minWidth={0} type="native">
          <Table fz="sm">
            <Table.Thead>
              <Table.Tr>
                <Table.Th scope="col">{t("field")}</Table.Th>
                <Table.Th scope="col">{t("before")}</Table.Th>
                <Table.Th scope="col">{t("after")}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {changes.map((change) => (
                <Table.Tr key={change.field}>
                  <Table.Th scope="row" fw={500}>
                    <span className="ltr">{change.field}</span>
                  </Table.Th>
                  <Table.Td>{cell("before" in change, change.before)}</Table.Td>
                  <Table.Td>{cell("after" in change, change.after)}</Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      )}
    </Stack>
  );
}
