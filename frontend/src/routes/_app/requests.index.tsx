import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/PageHeader";

export const Route = createFileRoute("/_app/requests/")({ component: Requests });

function Requests() {
  const { t } = useTranslation("requests");
  return <PageHeader title={t("title")} help={t("help")} />;
}
