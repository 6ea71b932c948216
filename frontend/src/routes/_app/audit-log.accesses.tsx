import { IconLock } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Access, AccessTable } from "@/access/AccessTable";
import { $api, bodyOf, client, cursor } from "@/api/client";
import { AuditFrame } from "@/audit/AuditFrame";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { EmptyState } from "@/components/EmptyState";
import { Panel } from "@/components/Panel";

const path = "/v1/insula/accesses";

export const Route = createFileRoute("/_app/audit-log/accesses")({ component: Accesses });

/** When the operator looked into this tenant, and why. */
function Accesses() {
  const { t } = useTranslation("access");
  const queries = useQueryClient();
  const [doomed, setDoomed] = useState<Access | null>(null);
  const accesses = $api.useInfiniteQuery("get", path, { params: { query: { limit: 50 } } }, cursor);
  const end = useMutation({
    meta: { inline: true },
    mutationFn: (id: string) =>
      bodyOf(client.POST("/v1/insula/accesses/{access_id}/end", { params: { path: { access_id: id } } })),
    onSuccess: () => queries.invalidateQueries({ queryKey: ["get", path] }).then(() => setDoomed(null)),
  });
  return (
    <AuditFrame>
      <Panel flush>
        <AccessTable
          label={t("ofUs.title")}
          rows={accesses.data?.pages.flatMap((page) => page.data)}
          error={accesses.error}
          retry={() => void accesses.refetch()}
          more={accesses}
          onEnd={setDoomed}
          endScope="members.write"
          empty={<EmptyState icon={IconLock} title={t("ofUs.none")} text={t("ofUs.noneHelp")} />}
        />
      </Panel>
      <ConfirmDialog
        opened={doomed !== null}
        onClose={() => {
          setDoomed(null);
          end.reset();
        }}
        title={t("end.title")}
        confirm={t("end.action")}
        busy={end.isPending}
        error={end.error}
        onConfirm={() => doomed && end.mutate(doomed.id)}
      >
        {t("end.text")}
      </ConfirmDialog>
    </AuditFrame>
  );
}
