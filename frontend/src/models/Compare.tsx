import { Button, Table, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { Panel } from "@/components/Panel";
import { useFormat } from "@/lib/useFormat";

type Version = Schema<"ModelVersion">;

const names = (versions: Version[], of: (version: Version) => object) => [
  ...new Set(versions.flatMap((version) => Object.keys(of(version)))),
];

const tensors = (of: Schema<"ModelVersion">["signature"]["inputs"]) =>
  of
    .map(
      ({ name, datatype, shape }) => `${name}: ${datatype}[${shape.map((n) => (n < 0 ? "?" : n)).join("×")}]`,
    )
    .join(", ");

/** Versions side by side: what they were measured at, how they were trained, what they take and give. */
export function Compare({ versions, onClose }: { versions: Version[]; onClose: () => void }) {
  const { t } = useTranslation("models");
  const format = useFormat();
  const rows = [
    ...names(versions, (one) => one.metrics).map((name) => ({
      key: `metric ${name}`,
      name,
      kind: t("compare.metric"),
      values: versions.map((one) => {
        const value = one.metrics[name];
        return value === undefined ? "–" : format.number(value);
      }),
    })),
    ...names(versions, (one) => one.parameters).map((name) => ({
      key: `parameter ${name}`,
      name,
      kind: t("compare.parameter"),
      values: versions.map((one) => one.parameters[name] ?? "–"),
    })),
    {
      key: "inputs",
      name: t("compare.inputs"),
      values: versions.map((one) => tensors(one.signature.inputs)),
    },
    {
      key: "outputs",
      name: t("compare.outputs"),
      values: versions.map((one) => tensors(one.signature.outputs)),
    },
    { key: "size", name: t("column.size"), values: versions.map((one) => format.bytes(one.bytes)) },
    { key: "sha256", name: "SHA-256", values: versions.map((one) => `${one.sha256.slice(0, 12)}…`) },
  ];
  return (
    <Panel
      flush
      title={t("compare.title")}
      actions={
        <Button size="xs" variant="default" onClick={onClose}>
          {t("compare.close")}
        </Button>
      }
    >
      <Table.ScrollContainer minWidth={420} type="native">
        <Table aria-label={t("compare.title")} verticalSpacing={8} horizontalSpacing="md">
          <Table.Thead>
            <Table.Tr>
              <Table.Th scope="col">{t("compare.what")}</Table.Th>
              {versions.map((one) => (
                <Table.Th key={one.id} scope="col">
                  {t("version", { version: format.number(one.version) })}
                </Table.Th>
              ))}
            </Table.Tr>
          </Table.Thead>
          <Table.Tbody>
            {rows.map((row) => (
              <Table.Tr key={row.key}>
                <Table.Th scope="row" fw={400}>
                  <bdi>{row.name}</bdi>
                  {"kind" in row && (
                    <Text size="xs" c="dimmed">
                      {row.kind}
                    </Text>
                  )}
                </Table.Th>
                {row.values.map((value, at) => (
                  <Table.Td key={versions[at]?.id} fw={new Set(row.values).size > 1 ? 600 : 400}>
                    <span className="ltr" style={{ overflowWrap: "anywhere" }}>
                      {value}
                    </span>
                  </Table.Td>
                ))}
              </Table.Tr>
            ))}
          </Table.Tbody>
        </Table>
      </Table.ScrollContainer>
    </Panel>
  );
}
