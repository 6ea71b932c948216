import { Button, Stack } from "@mantine/core";
import { IconLogout } from "@tabler/icons-react";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { PasswordForm } from "@/account/PasswordForm";
import { ProfileForm } from "@/account/ProfileForm";
import { SessionList } from "@/account/SessionList";
import { $api } from "@/api/client";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { useSignOut } from "@/session/useSignOut";

export const Route = createFileRoute("/_app/account")({
  loader: ({ context }) =>
    void context.queries.prefetchQuery($api.queryOptions("get", "/v1/insula/sessions")),
  component: Account,
});

function Account() {
  const { t } = useTranslation("account");
  const signOut = useSignOut();
  return (
    <>
      <PageHeader
        title={t("title")}
        help={t("help")}
        actions={
          <Button
            variant="default"
            leftSection={<IconLogout size={16} />}
            loading={signOut.isPending}
            onClick={() => signOut.mutate()}
          >
            {t("signOut")}
          </Button>
        }
      />
      <Stack gap="md">
        <Panel title={t("profile.title")}>
          <ProfileForm />
        </Panel>
        <Panel title={t("password.title")}>
          <PasswordForm />
        </Panel>
        <Panel title={t("sessions.title")} flush>
          <SessionList />
        </Panel>
      </Stack>
    </>
  );
}
