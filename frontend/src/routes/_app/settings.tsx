import { createFileRoute, Outlet } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/PageHeader";
import { TabLinks } from "@/components/TabLinks";

export const Route = createFileRoute("/_app/settings")({ component: Settings });

const tabs = [
  { to: "/settings", key: "general", exact: true },
  { to: "/settings/budgets", key: "budgets" },
  { to: "/settings/guardrails", key: "guardrails" },
  { to: "/settings/provider-keys", key: "providerKeys" },
  { to: "/settings/data", key: "data" },
] as const;

/** The frame of the settings: each part has an address of its own. */
function Settings() {
  const { t } = useTranslation("settings");
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} />
      <TabLinks
        label={t("title")}
        tabs={tabs.map(({ key, ...tab }) => ({ ...tab, label: t(`tab.${key}`) }))}
      />
      <Outlet />
    </>
  );
}
