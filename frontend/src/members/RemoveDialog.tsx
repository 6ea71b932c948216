import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { useSession } from "@/session/session";

export function RemoveDialog({ member, onClose }: { member: Schema<"Member"> | null; onClose: () => void }) {
  const { t } = useTranslation("members");
  const { person, tenant } = useSession();
  const queries = useQueryClient();
  const own = member?.id === person.id;
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: (id: string) =>
      bodyOf(client.DELETE("/v1/insula/members/{member_id}", { params: { path: { member_id: id } } })),
    onSuccess: async () => {
      // Whoever has left sees nothing of this tenant any more: everything is loaded anew.
      if (own) return window.location.assign("/");
      await queries.invalidateQueries({ queryKey: ["get", "/v1/insula/members"] });
      onClose();
    },
  });
  const name = member?.name ?? member?.email ?? "";
  return (
    <ConfirmDialog
      opened={member !== null}
      onClose={() => {
        remove.reset();
        onClose();
      }}
      title={own ? t("leave.title", { tenant: tenant?.name ?? "" }) : t("remove.title", { name })}
      confirm={own ? t("leave.action") : t("remove.action")}
      onConfirm={() => member && remove.mutate(member.id)}
      busy={remove.isPending}
      error={remove.error}
    >
      {own ? t("leave.text") : t("remove.text")}
    </ConfirmDialog>
  );
}
