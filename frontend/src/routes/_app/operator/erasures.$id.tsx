import { Button, Skeleton } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { $operator } from "@/api/client";
import { ErrorState } from "@/components/ErrorState";
import { PageHeader } from "@/components/PageHeader";
import { download } from "@/lib/download";
import { ErasureStatus } from "@/operator/erasure/ErasureStatus";
import { Receipt } from "@/operator/erasure/Receipt";

export const Route = createFileRoute("/_app/operator/erasures/$id")({ component: Erasure });

function Erasure() {
  const { t } = useTranslation("erasures");
  const { id } = Route.useParams();
  const erasure = $operator.useQuery(
    "get",
    "/v1/insula/operator/erasures/{erasure_id}",
    { params: { path: { erasure_id: id } } },
    { refetchInterval: (query) => (query.state.data?.status === "running" ? 2_000 : false) },
  );
  const receipt = erasure.data;
  return (
    <>
      <PageHeader
        title={receipt?.name ?? t("one")}
        help={t("oneHelp")}
        crumbs={[{ label: t("title"), to: "/operator/erasures" }]}
        aside={receipt && <ErasureStatus erasure={receipt} />}
        actions={
          receipt?.status === "completed" && (
            <Button
              variant="default"
              leftSection={<IconDownload size={16} />}
              onClick={() =>
                download(`insula-${receipt.id}.json`, JSON.stringify(receipt, null, 2), "application/json")
              }
            >
              {t("download")}
            </Button>
          )
        }
      />
      {erasure.error ? (
        <ErrorState error={erasure.error} retry={() => void erasure.refetch()} />
      ) : receipt ? (
        <Receipt erasure={receipt} />
      ) : (
        <Skeleton h={240} />
      )}
    </>
  );
}
