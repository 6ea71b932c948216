import { ActionIcon, Button, Menu, Select, Stack, Text } from "@mantine/core";
import { IconDots, IconKey, IconUserMinus, IconUserPlus, IconUsers } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $operator, bodyOf, cursor, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { SecretDialog } from "@/components/SecretDialog";
import { Tag } from "@/components/Tag";
import { inviteLink } from "@/members/inviteLink";
import { InstallInvites } from "@/operator/InstallInvites";
import { InvitePerson } from "@/operator/InvitePerson";
import { ResetPassword } from "@/operator/ResetPassword";
import { useSession } from "@/session/session";

type Person = Schema<"OrganizationUser">;
type Role = Schema<"OrganizationRole">;
const roles: Role[] = ["owner", "reader"];
const path = "/v1/organization/users";

export const Route = createFileRoute("/_app/operator/people")({ component: People });

function People() {
  const { t } = useTranslation("people");
  const { person: self } = useSession();
  const queries = useQueryClient();
  const people = $operator.useInfiniteQuery("get", path, { params: { query: { limit: 50 } } }, cursor);
  const [inviting, setInviting] = useState(false);
  const [invited, setInvited] = useState<Schema<"CreatedInvite"> | null>(null);
  const [doomed, setDoomed] = useState<Person | null>(null);
  const [locked, setLocked] = useState<Person | null>(null);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", path] });
  const setRole = useMutation({
    mutationFn: ({ id, role }: { id: string; role: Role }) =>
      bodyOf(
        operatorClient.POST("/v1/organization/users/{user_id}", {
          params: { path: { user_id: id } },
          body: { role },
        }),
      ),
    onSettled: refresh,
  });
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: (id: string) =>
      bodyOf(
        operatorClient.DELETE("/v1/organization/users/{user_id}", { params: { path: { user_id: id } } }),
      ),
    onSuccess: () => refresh().then(() => setDoomed(null)),
  });
  const invite = (
    <Button leftSection={<IconUserPlus size={16} />} onClick={() => setInviting(true)}>
      {t("invite.action")}
    </Button>
  );
  const columns: Column<Person>[] = [
    {
      key: "person",
      header: t("column.person"),
      cell: (one) => (
        <Stack gap={0}>
          <Text inherit fw={500}>
            <bdi>{one.name ?? one.email}</bdi> {one.id === self.id && <Tag>{t("you")}</Tag>}
          </Text>
          {one.name && (
            <Text size="xs" c="dimmed" span className="ltr" style={{ alignSelf: "start" }}>
              {one.email}
            </Text>
          )}
        </Stack>
      ),
    },
    {
      key: "role",
      header: t("column.role"),
      cell: (one) => (
        <Select
          size="xs"
          w={{ base: 130, sm: 170 }}
          aria-label={t("roleOf", { name: one.name ?? one.email })}
          value={one.role}
          disabled={one.id === self.id || (setRole.isPending && setRole.variables.id === one.id)}
          onChange={(role) => role && setRole.mutate({ id: one.id, role: role as Role })}
          data={roles.map((value) => ({ value, label: t(`role.${value}`) }))}
        />
      ),
    },
    {
      key: "since",
      header: t("column.since"),
      from: "sm",
      cell: (one) => <RelativeTime at={one.added_at} />,
    },
    {
      key: "actions",
      header: t("more"),
      hiddenHeader: true,
      align: "end",
      cell: (one) =>
        one.id !== self.id && (
          <Menu position="bottom-end">
            <Menu.Target>
              <ActionIcon aria-label={t("actions", { name: one.name ?? one.email })}>
                <IconDots size={16} />
              </ActionIcon>
            </Menu.Target>
            <Menu.Dropdown>
              <Menu.Item leftSection={<IconKey size={15} />} onClick={() => setLocked(one)}>
                {t("reset.action")}
              </Menu.Item>
              <Menu.Item
                c="var(--mantine-color-error)"
                leftSection={<IconUserMinus size={15} />}
                onClick={() => setDoomed(one)}
              >
                {t("remove.action")}
              </Menu.Item>
            </Menu.Dropdown>
          </Menu>
        ),
    },
  ];
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} actions={invite} />
      <Stack gap="md">
        <Panel flush>
          <DataTable
            label={t("title")}
            columns={columns}
            rows={people.data?.pages.flatMap((page) => page.data)}
            rowKey={(one) => one.id}
            error={people.error}
            retry={() => void people.refetch()}
            more={people}
            empty={<EmptyState icon={IconUsers} title={t("none")} text={t("noneHelp")} action={invite} />}
          />
        </Panel>
        <InstallInvites />
      </Stack>
      <InvitePerson
        opened={inviting}
        onClose={() => setInviting(false)}
        onInvited={(made) => {
          setInviting(false);
          setInvited(made);
        }}
      />
      <SecretDialog
        secret={invited ? inviteLink(invited.token) : null}
        onClose={() => setInvited(null)}
        title={t("invite.link", { email: invited?.email ?? "" })}
        text={t("invite.linkText")}
      />
      <ResetPassword person={locked} onClose={() => setLocked(null)} />
      <ConfirmDialog
        opened={doomed !== null}
        onClose={() => {
          setDoomed(null);
          remove.reset();
        }}
        title={t("remove.title", { name: doomed?.name ?? doomed?.email ?? "" })}
        confirm={t("remove.action")}
        busy={remove.isPending}
        error={remove.error}
        onConfirm={() => doomed && remove.mutate(doomed.id)}
      >
        {t("remove.text")}
      </ConfirmDialog>
    </>
  );
}
