import { Button } from "@mantine/core";
import { IconMail } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Guarded } from "@/components/Guarded";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { Status } from "@/components/Status";

type Invite = Schema<"MemberInvite">;

const isOver = (invite: Invite) => invite.expires_at * 1000 <= Date.now();

/** Invitations that nobody has accepted; without one, nothing. */
export function InviteList() {
  const { t } = useTranslation(["members", "shell"]);
  const queries = useQueryClient();
  const invites = $api.useQuery("get", "/v1/insula/invites");
  const takeBack = useMutation({
    mutationFn: (id: string) =>
      bodyOf(client.DELETE("/v1/insula/invites/{invite_id}", { params: { path: { invite_id: id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", "/v1/insula/invites"] }),
  });
  const open = invites.data?.data.filter((invite) => invite.accepted_at === null);
  if (!invites.error && !open?.length) return null;
  const columns: Column<Invite>[] = [
    {
      key: "email",
      header: t("column.person"),
      cell: (invite) => <span className="ltr">{invite.email}</span>,
    },
    { key: "role", header: t("column.role"), cell: (invite) => t(`shell:role.${invite.role}`) },
    {
      key: "sent",
      header: t("column.invited"),
      from: "sm",
      cell: (invite) => <RelativeTime at={invite.created_at} />,
    },
    {
      key: "until",
      header: t("column.until"),
      from: "xs",
      cell: (invite) =>
        isOver(invite) ? <Status tone="off">{t("expired")}</Status> : <RelativeTime at={invite.expires_at} />,
    },
    {
      key: "actions",
      header: t("column.actions"),
      hiddenHeader: true,
      align: "end",
      cell: (invite) => (
        <Guarded scope="members.write">
          <Button
            size="xs"
            variant="default"
            aria-label={t("takeBack.label", { email: invite.email })}
            loading={takeBack.isPending && takeBack.variables === invite.id}
            onClick={() => takeBack.mutate(invite.id)}
          >
            {t("takeBack.action")}
          </Button>
        </Guarded>
      ),
    },
  ];
  return (
    <Panel title={t("open")} flush>
      <DataTable
        label={t("open")}
        columns={columns}
        rows={open}
        rowKey={(invite) => invite.id}
        dimmed={isOver}
        error={invites.error}
        retry={() => void invites.refetch()}
        empty={<EmptyState icon={IconMail} title={t("none")} text={t("noneHelp")} />}
      />
    </Panel>
  );
}
