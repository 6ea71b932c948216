import { ActionIcon, Group, Stack, Text, Tooltip } from "@mantine/core";
import { IconDoorExit, IconTrash, IconUsers } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { RelativeTime } from "@/components/RelativeTime";
import { Tag } from "@/components/Tag";
import { useCan, useSession } from "@/session/session";
import { RemoveDialog } from "./RemoveDialog";
import { type Role, RoleSelect } from "./RoleSelect";

type Member = Schema<"Member">;

export function MemberList() {
  const { t } = useTranslation(["members", "shell"]);
  const { person, tenant } = useSession();
  const may = useCan("members.write");
  const queries = useQueryClient();
  const members = $api.useQuery("get", "/v1/insula/members");
  const [leaving, setLeaving] = useState<Member | null>(null);
  const setRole = useMutation({
    mutationFn: ({ id, role }: { id: string; role: Role }) =>
      bodyOf(
        client.POST("/v1/insula/members/{member_id}", {
          params: { path: { member_id: id } },
          body: { role },
        }),
      ),
    onSettled: async (_member, _error, { id }) => {
      await queries.invalidateQueries({ queryKey: ["get", "/v1/insula/members"] });
      // Another role of one's own changes what this page may do.
      if (id === person.id) await queries.invalidateQueries({ queryKey: ["session"] });
    },
  });
  const owners = members.data?.data.filter((member) => member.role === "owner").length ?? 0;
  /** Why this member stays as it is; null: it can be changed. */
  const fixed = (member: Member): string | null => {
    if (member.role === "owner" && owners === 1) return t("only.lastOwner");
    if (!may) return t("only.members");
    if (member.role === "owner" && tenant?.role !== "owner") return t("only.owners");
    return null;
  };
  const columns: Column<Member>[] = [
    {
      key: "person",
      header: t("column.person"),
      cell: (member) => (
        <Stack gap={0}>
          <Group gap={6}>
            <Text inherit fw={500}>
              <bdi>{member.name ?? member.email}</bdi>
            </Text>
            {member.id === person.id && <Tag>{t("you")}</Tag>}
          </Group>
          {member.name && (
            <Text size="xs" c="dimmed" span className="ltr" style={{ alignSelf: "start" }}>
              {member.email}
            </Text>
          )}
        </Stack>
      ),
    },
    {
      key: "role",
      header: t("column.role"),
      width: 150,
      cell: (member) => {
        const reason = fixed(member);
        if (reason) {
          return (
            <Tooltip label={reason} events={{ hover: true, focus: true, touch: true }}>
              <span tabIndex={0}>{t(`shell:role.${member.role}`)}</span>
            </Tooltip>
          );
        }
        return (
          <RoleSelect
            size="xs"
            w={130}
            aria-label={t("roleOf", { name: member.name ?? member.email })}
            value={member.role}
            onChange={(role) => setRole.mutate({ id: member.id, role })}
            disabled={setRole.isPending && setRole.variables.id === member.id}
            mayMakeOwners={tenant?.role === "owner"}
          />
        );
      },
    },
    {
      key: "seen",
      header: t("column.seen"),
      from: "sm",
      cell: (member) =>
        member.last_seen_at ? (
          <RelativeTime at={member.last_seen_at} />
        ) : (
          <Text inherit c="dimmed">
            –
          </Text>
        ),
    },
    {
      key: "since",
      header: t("column.since"),
      from: "md",
      cell: (member) => <RelativeTime at={member.created_at} />,
    },
    {
      key: "remove",
      header: t("column.actions"),
      hiddenHeader: true,
      align: "end",
      cell: (member) => {
        const own = member.id === person.id;
        const last = member.role === "owner" && owners === 1;
        // Everybody may leave, but for a last owner.
        const reason = own && !last ? null : fixed(member);
        const name = member.name ?? member.email;
        const Icon = own ? IconDoorExit : IconTrash;
        return (
          <Tooltip label={reason ?? (own ? t("leave.action") : t("remove.action"))}>
            <ActionIcon
              aria-label={own ? t("leave.action") : t("remove.label", { name })}
              data-disabled={reason ? true : undefined}
              aria-disabled={reason ? true : undefined}
              bg={reason ? "transparent" : undefined}
              onClick={() => reason === null && setLeaving(member)}
            >
              <Icon size={16} />
            </ActionIcon>
          </Tooltip>
        );
      },
    },
  ];
  return (
    <>
      <DataTable
        label={t("title")}
        columns={columns}
        rows={members.data?.data}
        rowKey={(member) => member.id}
        error={members.error}
        retry={() => void members.refetch()}
        empty={<EmptyState icon={IconUsers} title={t("none")} text={t("noneHelp")} />}
      />
      <RemoveDialog member={leaving} onClose={() => setLeaving(null)} />
    </>
  );
}
