import { Button, Group } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import { IconBuildingCommunity, IconPlayerPause, IconUserQuestion } from "@tabler/icons-react";
import { Outlet, useRouterState } from "@tanstack/react-router";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { EmptyState } from "@/components/EmptyState";
import { ButtonLink } from "@/components/links";
import { useSession } from "@/session/session";
import { useSuspended } from "@/session/suspended";
import { takeSwitch } from "@/session/switched";
import { useFollowLanguage } from "@/session/useLanguage";
import { useSignOut } from "@/session/useSignOut";

/** Lets through to the page, or says why there is none: no tenant, or one that is suspended. */
export function Gate() {
  const { t } = useTranslation(["console", "shell", "access"]);
  const { tenant, operator, language } = useSession();
  const path = useRouterState({ select: (state) => state.location.pathname });
  const suspended = useSuspended();
  const signOut = useSignOut();
  useFollowLanguage(language);
  // biome-ignore lint/correctness/useExhaustiveDependencies: told once, after the load that it is about
  useEffect(() => {
    const switched = takeSwitch();
    if (switched?.left)
      notifications.show({ message: t("access:left", { name: switched.left }), autoClose: 8_000 });
    else if (switched && tenant)
      notifications.show({ message: t("switched", { name: tenant.name }), autoClose: 8_000 });
  }, []);

  // The person's own account and the operator's console are of no tenant.
  const anywhere = path === "/account" || path === "/operator" || path.startsWith("/operator/");
  if (anywhere || (tenant && suspended !== tenant.id)) return <Outlet />;
  const actions = (
    <Group justify="center" gap="xs">
      {operator && (
        <ButtonLink to="/operator/tenants" leftSection={<IconBuildingCommunity size={16} />}>
          {t("open")}
        </ButtonLink>
      )}
      <Button variant="default" onClick={() => signOut.mutate()} loading={signOut.isPending}>
        {t("shell:signOut")}
      </Button>
    </Group>
  );
  return tenant ? (
    <EmptyState
      icon={IconPlayerPause}
      title={t("suspended.title", { name: tenant.name })}
      text={t("suspended.text")}
      action={actions}
    />
  ) : (
    <EmptyState
      icon={IconUserQuestion}
      title={t("none.title")}
      text={operator ? t("none.operator") : t("none.text")}
      action={actions}
    />
  );
}
