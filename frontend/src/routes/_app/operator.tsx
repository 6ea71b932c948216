import { IconLock } from "@tabler/icons-react";
import { createFileRoute, Outlet } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { EmptyState } from "@/components/EmptyState";
import { ButtonLink } from "@/components/links";
import { useSession } from "@/session/session";

/** Pages for people who run the install. The server refuses everybody else anyway. */
export const Route = createFileRoute("/_app/operator")({ component: Operator });

function Operator() {
  const { t } = useTranslation("console");
  const { operator } = useSession();
  if (operator) return <Outlet />;
  return (
    <EmptyState
      icon={IconLock}
      title={t("denied.title")}
      text={t("denied.text")}
      action={<ButtonLink to="/">{t("home")}</ButtonLink>}
    />
  );
}
