import { Button, Stack, Text } from "@mantine/core";
import { IconKey, IconUserPlus, IconUsers } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $operator, bodyOf, cursor, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { SecretDialog } from "@/components/SecretDialog";
import { inviteLink } from "@/members/inviteLink";
import { InvitePerson } from "../InvitePerson";

type Person = Schema<"ProjectUser">;
type Key = Schema<"ProjectApiKey">;

const membersPath = "/v1/organization/projects/{project_id}/users";
const keysPath = "/v1/organization/projects/{project_id}/api_keys";

/** Who and what gets into a tenant. Of keys only what describes them. */
export function TenantAccess({ id }: { id: string }) {
  const { t } = useTranslation(["tenants", "shell", "people", "members"]);
  const queries = useQueryClient();
  const init = { params: { path: { project_id: id }, query: { limit: 50 } } };
  const people = $operator.useInfiniteQuery("get", membersPath, init, cursor);
  const keys = $operator.useInfiniteQuery("get", keysPath, init, cursor);
  const [inviting, setInviting] = useState(false);
  const [invited, setInvited] = useState<Schema<"CreatedInvite"> | null>(null);
  const [doomed, setDoomed] = useState<Person | Key | null>(null);
  const isKey = (one: Person | Key | null): one is Key => one !== null && "redacted_value" in one;
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: (one: Person | Key) =>
      isKey(one)
        ? bodyOf<unknown>(
            operatorClient.DELETE("/v1/organization/projects/{project_id}/api_keys/{api_key_id}", {
              params: { path: { project_id: id, api_key_id: one.id } },
            }),
          )
        : bodyOf<unknown>(
            operatorClient.DELETE("/v1/organization/projects/{project_id}/users/{user_id}", {
              params: { path: { project_id: id, user_id: one.id } },
            }),
          ),
    onSuccess: async (_, one) => {
      await queries.invalidateQueries({ queryKey: ["get", isKey(one) ? keysPath : membersPath] });
      setDoomed(null);
    },
  });
  const role = (name: string) => {
    if (name === "owner" || name === "admin" || name === "developer" || name === "viewer")
      return t(`shell:role.${name}`);
    return name;
  };
  const personColumns: Column<Person>[] = [
    {
      key: "email",
      header: t("people:column.person"),
      cell: (one) => (
        <>
          {one.name && (
            <Text inherit fw={500}>
              <bdi>{one.name}</bdi>
            </Text>
          )}
          <span className="ltr">{one.email}</span>
        </>
      ),
    },
    { key: "role", header: t("members:column.role"), cell: (one) => role(one.member_role) },
    {
      key: "since",
      header: t("access.since"),
      from: "sm",
      cell: (one) => <RelativeTime at={one.added_at} />,
    },
    {
      key: "remove",
      header: t("access.remove"),
      hiddenHeader: true,
      align: "end",
      cell: (one) => (
        <Button
          size="xs"
          variant="default"
          aria-label={t("access.removeOf", { name: one.name ?? one.email })}
          onClick={() => setDoomed(one)}
        >
          {t("access.remove")}
        </Button>
      ),
    },
  ];
  const keyColumns: Column<Key>[] = [
    {
      key: "name",
      header: t("access.key"),
      cell: (one) => (
        <Stack gap={0}>
          <Text inherit fw={500}>
            <bdi>{one.name || "–"}</bdi>
          </Text>
          <Text span size="xs" c="dimmed" ff="monospace" className="ltr" style={{ alignSelf: "start" }}>
            {one.redacted_value}
          </Text>
        </Stack>
      ),
    },
    {
      key: "used",
      header: t("access.used"),
      from: "xs",
      cell: (one) => (one.last_used_at ? <RelativeTime at={one.last_used_at} /> : t("access.never")),
    },
    {
      key: "scopes",
      header: t("access.scopes"),
      align: "end",
      from: "md",
      cell: (one) => one.scopes.length,
    },
    {
      key: "revoke",
      header: t("access.revoke"),
      hiddenHeader: true,
      align: "end",
      cell: (one) => (
        <Button
          size="xs"
          variant="default"
          aria-label={t("access.revokeOf", { name: one.name || one.redacted_value })}
          onClick={() => setDoomed(one)}
        >
          {t("access.revoke")}
        </Button>
      ),
    },
  ];
  return (
    <Stack gap="md">
      <Panel
        title={t("access.members")}
        flush
        actions={
          <Button size="xs" leftSection={<IconUserPlus size={15} />} onClick={() => setInviting(true)}>
            {t("people:invite.action")}
          </Button>
        }
      >
        <DataTable
          label={t("access.members")}
          columns={personColumns}
          rows={people.data?.pages.flatMap((page) => page.data)}
          rowKey={(one) => one.id}
          error={people.error}
          retry={() => void people.refetch()}
          more={people}
          empty={<EmptyState icon={IconUsers} title={t("access.nobody")} text={t("access.nobodyHelp")} />}
        />
      </Panel>
      <Panel title={t("access.keys")} flush>
        <DataTable
          label={t("access.keys")}
          columns={keyColumns}
          rows={keys.data?.pages.flatMap((page) => page.data)}
          rowKey={(one) => one.id}
          error={keys.error}
          retry={() => void keys.refetch()}
          more={keys}
          empty={<EmptyState icon={IconKey} title={t("access.noKeys")} text={t("access.noKeysHelp")} />}
        />
      </Panel>
      <InvitePerson
        opened={inviting}
        tenant={id}
        onClose={() => setInviting(false)}
        onInvited={(invite) => {
          setInviting(false);
          setInvited(invite);
        }}
      />
      <SecretDialog
        secret={invited ? inviteLink(invited.token) : null}
        onClose={() => setInvited(null)}
        title={t("create.link", { email: invited?.email ?? "" })}
        text={t("create.linkText")}
      />
      <ConfirmDialog
        opened={doomed !== null}
        onClose={() => {
          setDoomed(null);
          remove.reset();
        }}
        title={
          isKey(doomed)
            ? t("access.revokeTitle", { name: doomed.name || doomed.redacted_value })
            : t("access.removeTitle", { name: doomed?.name ?? doomed?.email ?? "" })
        }
        confirm={isKey(doomed) ? t("access.revoke") : t("access.remove")}
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => doomed && remove.mutate(doomed)}
      >
        {isKey(doomed) ? t("access.revokeText") : t("access.removeText")}
      </ConfirmDialog>
    </Stack>
  );
}
