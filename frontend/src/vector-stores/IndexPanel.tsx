import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { Facts } from "@/components/Facts";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { useFormat } from "@/lib/useFormat";

const modes = ["exact", "two_stage", "hnsw"] as const;

/** How the store is searched by meaning, and how much of what is nearest those searches find. */
export function IndexPanel({ storeId }: { storeId: string }) {
  const { t } = useTranslation("stores");
  const format = useFormat();
  const { data } = $api.useQuery("get", "/v1/insula/vector_stores/{vector_store_id}/index", {
    params: { path: { vector_store_id: storeId } },
  });
  if (!data) return null;
  const { recall } = data;
  return (
    <Panel title={t("index.title")}>
      <Facts
        facts={[
          {
            label: t("index.recall"),
            value: recall
              ? format.percent(recall.at_10)
              : t(data.mode === "exact" ? "index.complete" : "index.unmeasured"),
          },
          {
            label: t("index.samples"),
            value: recall ? (
              <>
                {format.number(recall.samples)} · <RelativeTime at={recall.measured_at} />
              </>
            ) : (
              "–"
            ),
          },
          { label: t("index.chunks"), value: format.number(data.chunks) },
          {
            label: t("index.how"),
            value: t(`index.mode.${modes.find((mode) => mode === data.mode) ?? "exact"}`),
          },
          { label: t("index.memory"), value: t(data.accelerated ? "index.loaded" : "index.notLoaded") },
        ]}
      />
      <Text size="sm" c="dimmed" mt="md" maw="84ch">
        {t("index.help")}
      </Text>
    </Panel>
  );
}
