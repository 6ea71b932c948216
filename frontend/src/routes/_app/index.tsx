import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/PageHeader";

export const Route = createFileRoute("/_app/")({ component: Overview });

function Overview() {
  const { t } = useTranslation("overview");
  return <PageHeader title={t("title")} help={t("help")} />;
}
