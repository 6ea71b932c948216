import { Box } from "@mantine/core";
import { createFileRoute, Link, Outlet } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/PageHeader";
import classes from "./settings.module.css";

export const Route = createFileRoute("/_app/settings")({ component: Settings });

const tabs = [
  { to: "/settings", key: "general", exact: true },
  { to: "/settings/budgets", key: "budgets", exact: false },
  { to: "/settings/guardrails", key: "guardrails", exact: false },
  { to: "/settings/provider-keys", key: "providerKeys", exact: false },
  { to: "/settings/data", key: "data", exact: false },
] as const;

/** The frame of the settings: each part has an address of its own. */
function Settings() {
  const { t } = useTranslation("settings");
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} />
      <Box component="nav" aria-label={t("title")} className={classes.tabs}>
        {tabs.map(({ to, key, exact }) => (
          <Link key={key} to={to} className={classes.tab} activeOptions={{ exact }}>
            {t(`tab.${key}`)}
          </Link>
        ))}
      </Box>
      <Outlet />
    </>
  );
}
