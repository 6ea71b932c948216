import { Code, Drawer, Stack, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { CodeBlock } from "@/components/CodeBlock";
import { timeZone } from "@/lib/format";
import { useFormat } from "@/lib/useFormat";
import { Actor } from "./Actor";
import { changesOf, detailsOf, type Entry, written } from "./diff";
import { useEventName } from "./useEventName";

/** One act: what was there before and after it, and its place in the chain. */
export function EntryDrawer({ entry, onClose }: { entry: Entry | null; onClose: () => void }) {
  const name = useEventName();
  return (
    <Drawer opened={entry !== null} onClose={onClose} size="lg" title={entry && name(entry.type)}>
      {entry && <Body entry={entry} />}
    </Drawer>
  );
}

function Body({ entry }: { entry: Entry }) {
  const { t } = useTranslation("audit");
  const format = useFormat();
  const details = detailsOf(entry);
  const changes = changesOf(details);
  const both = details.before !== undefined && (details.changes_requested ?? details.after) !== undefined;
  const facts: [string, React.ReactNode][] = [
    [t("column.who"), <Actor key="who" entry={entry} />],
    [t("column.when"), `${format.dateTime(entry.effective_at)} (${timeZone()})`],
    [
      t("column.from"),
      <span key="from" className="ltr">
        {entry.actor.ip_address ?? t("local")}
      </span>,
    ],
    [
      t("column.type"),
      <Code key="type" className="ltr">
        {entry.type}
      </Code>,
    ],
    ...(typeof details.id === "string"
      ? [
          [
            t("column.on"),
            <Code key="on" className="ltr">
              {details.id}
            </Code>,
          ] as [string, React.ReactNode],
        ]
      : []),
    [t("sequence"), format.number(entry.sequence)],
    [
      t("hash"),
      <Code key="hash" className="ltr" style={{ overflowWrap: "anywhere" }}>
        {entry.hash}
      </Code>,
    ],
  ];
  return (
    <Stack gap="lg">
      <Table variant="vertical" layout="fixed" withRowBorders={false} verticalSpacing={4}>
        <Table.Tbody>
          {facts.map(([label, value]) => (
            <Table.Tr key={label}>
              <Table.Th w={130} fw={400} c="dimmed" bg="transparent">
                {label}
              </Table.Th>
              <Table.Td style={{ overflowWrap: "anywhere" }}>{value}</Table.Td>
            </Table.Tr>
          ))}
        </Table.Tbody>
      </Table>
      {changes.length > 0 ? (
        <Table.ScrollContainer minWidth={0} type="native">
          <Table fz="sm" withTableBorder>
            <Table.Thead>
              <Table.Tr>
                <Table.Th>{t("field")}</Table.Th>
                {both && <Table.Th>{t("before")}</Table.Th>}
                <Table.Th>{both ? t("after") : t("value")}</Table.Th>
              </Table.Tr>
            </Table.Thead>
            <Table.Tbody>
              {changes.map((change) => (
                <Table.Tr key={change.field}>
                  <Table.Td>
                    <span className="ltr">{change.field}</span>
                  </Table.Td>
                  {both && (
                    <Table.Td c="dimmed" td="line-through" style={{ overflowWrap: "anywhere" }}>
                      <bdi>{written(change.before)}</bdi>
                    </Table.Td>
                  )}
                  <Table.Td style={{ overflowWrap: "anywhere" }}>
                    <bdi>{written(both ? change.after : (change.after ?? change.before))}</bdi>
                  </Table.Td>
                </Table.Tr>
              ))}
            </Table.Tbody>
          </Table>
        </Table.ScrollContainer>
      ) : (
        <Text c="dimmed">{t("noChanges")}</Text>
      )}
      <CodeBlock code={JSON.stringify(entry, null, 2)} label={t("whole")} />
    </Stack>
  );
}
