import { Button, Stack } from "@mantine/core";
import { IconUserPlus } from "@tabler/icons-react";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { Guarded } from "@/components/Guarded";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { SecretDialog } from "@/components/SecretDialog";
import { InviteDialog } from "@/members/InviteDialog";
import { InviteList } from "@/members/InviteList";
import { inviteLink } from "@/members/inviteLink";
import { MemberList } from "@/members/MemberList";
import { RoleTable } from "@/members/RoleTable";

export const Route = createFileRoute("/_app/members")({
  loader: ({ context: { queries } }) => {
    void queries.prefetchQuery($api.queryOptions("get", "/v1/insula/members"));
    void queries.prefetchQuery($api.queryOptions("get", "/v1/insula/invites"));
  },
  component: Members,
});

function Members() {
  const { t } = useTranslation("members");
  const [asked, setAsked] = useState(false);
  const [made, setMade] = useState<{ email: string; token: string } | null>(null);
  return (
    <>
      <PageHeader
        title={t("title")}
        help={t("help")}
        actions={
          <Guarded scope="members.write">
            <Button leftSection={<IconUserPlus size={16} />} onClick={() => setAsked(true)}>
              {t("invite.action")}
            </Button>
          </Guarded>
        }
      />
      <Stack gap="md">
        <Panel flush>
          <MemberList />
        </Panel>
        <InviteList />
        <Panel title={t("roles.title")} flush>
          <RoleTable />
        </Panel>
      </Stack>
      <InviteDialog
        opened={asked}
        onClose={() => setAsked(false)}
        onInvited={(invite) => {
          setAsked(false);
          setMade(invite);
        }}
      />
      <SecretDialog
        secret={made ? inviteLink(made.token) : null}
        onClose={() => setMade(null)}
        title={t("link.title", { email: made?.email ?? "" })}
        text={t("link.text")}
      />
    </>
  );
}
