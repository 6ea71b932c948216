import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/PageHeader";

export const Route = createFileRoute("/_app/playground")({
  validateSearch: (search: Record<string, unknown>): { stores?: string[] } =>
    Array.isArray(search.stores) ? { stores: search.stores.filter((id) => typeof id === "string") } : {},
  component: Playground,
});

function Playground() {
  const { t } = useTranslation("requests");
  return <PageHeader title={t("title")} help={t("help")} />;
}
