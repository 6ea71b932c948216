import { Button } from "@mantine/core";
import { IconMail } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { $operator, bodyOf, cursor, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { Status } from "@/components/Status";
import { useFormat } from "@/lib/useFormat";
import { tenantsOptions } from "./queries";

type Invite = Schema<"Invite">;
const path = "/v1/organization/invites";

/** Invitations of the whole install that nobody has accepted. */
export function InstallInvites() {
  const { t } = useTranslation(["people", "shell"]);
  const format = useFormat();
  const queries = useQueryClient();
  const names = new Map(useQuery(tenantsOptions()).data?.map((one) => [one.id, one.name]));
  const invites = $operator.useInfiniteQuery("get", path, { params: { query: { limit: 50 } } }, cursor);
  const takeBack = useMutation({
    mutationFn: (id: string) =>
      bodyOf(
        operatorClient.DELETE("/v1/organization/invites/{invite_id}", {
          params: { path: { invite_id: id } },
        }),
      ),
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", path] }),
  });
  const open = invites.data?.pages
    .flatMap((page) => page.data)
    .filter((invite) => invite.status !== "accepted");
  const to = (invite: Invite) =>
    format.list([
      ...(invite.role === "owner" ? [t("role.owner")] : []),
      ...invite.projects.map((one) => {
        const role = (["owner", "admin", "developer", "viewer"] as const).find(
          (name) => name === one.member_role,
        );
        return t("open.to", {
          tenant: names.get(one.id) ?? one.id,
          role: role ? t(`shell:role.${role}`) : one.member_role,
        });
      }),
    ]);
  const columns: Column<Invite>[] = [
    { key: "email", header: t("column.person"), cell: (one) => <span className="ltr">{one.email}</span> },
    { key: "to", header: t("open.as"), from: "xs", cell: to },
    {
      key: "until",
      header: t("open.until"),
      from: "sm",
      cell: (one) =>
        one.status === "expired" ? (
          <Status tone="off">{t("open.expired")}</Status>
        ) : (
          <RelativeTime at={one.expires_at} />
        ),
    },
    {
      key: "takeBack",
      header: t("open.takeBack"),
      hiddenHeader: true,
      align: "end",
      cell: (one) => (
        <Button
          size="xs"
          variant="default"
          aria-label={t("open.takeBackOf", { email: one.email })}
          loading={takeBack.isPending && takeBack.variables === one.id}
          onClick={() => takeBack.mutate(one.id)}
        >
          {t("open.takeBack")}
        </Button>
      ),
    },
  ];
  return (
    <Panel title={t("open.title")} flush>
      <DataTable
        label={t("open.title")}
        columns={columns}
        rows={open}
        rowKey={(one) => one.id}
        dimmed={(one) => one.status === "expired"}
        error={invites.error}
        retry={() => void invites.refetch()}
        more={invites}
        empty={<EmptyState icon={IconMail} title={t("open.none")} text={t("open.noneHelp")} />}
      />
    </Panel>
  );
}
