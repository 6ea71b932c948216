import { IconHistory } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { $api, cursor } from "@/api/client";
import type { Schema } from "@/api/paths";
import { usePeople } from "@/audit/usePeople";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { useFormat } from "@/lib/useFormat";

/** What answered before, since when, and who changed it. */
export function Activations({ name }: { name: string }) {
  const { t } = useTranslation("models");
  const format = useFormat();
  const people = usePeople();
  const activations = $api.useInfiniteQuery(
    "get",
    "/v1/insula/models/{model_name}/activations",
    { params: { path: { model_name: name }, query: { limit: 20 } } },
    cursor,
  );
  const columns: Column<Schema<"ModelActivation">>[] = [
    { key: "at", header: t("history.at"), cell: (one) => <RelativeTime at={one.at} /> },
    {
      key: "what",
      header: t("history.what"),
      cell: (one) =>
        one.version === null
          ? t("history.ended")
          : t(one.alias === "canary" ? "history.canary" : "history.production", {
              version: format.number(one.version),
              share: format.percent((one.canary_percent ?? 0) / 100),
            }),
    },
    {
      key: "replaced",
      header: t("history.replaced"),
      from: "sm",
      cell: (one) => (one.replaced === null ? "–" : t("version", { version: format.number(one.replaced) })),
    },
    {
      key: "by",
      header: t("history.by"),
      from: "sm",
      cell: (one) => <bdi>{one.by ? (people.get(one.by) ?? one.by) : "–"}</bdi>,
    },
  ];
  return (
    <Panel flush title={t("history.title")}>
      <DataTable
        label={t("history.title")}
        columns={columns}
        rows={activations.data?.pages.flatMap((page) => page.data)}
        rowKey={(one) => one.id}
        error={activations.error}
        retry={() => void activations.refetch()}
        more={activations}
        empty={<EmptyState icon={IconHistory} title={t("history.empty")} text={t("history.emptyText")} />}
      />
    </Panel>
  );
}
