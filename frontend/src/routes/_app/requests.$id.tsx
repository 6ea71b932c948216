import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/PageHeader";

export const Route = createFileRoute("/_app/requests/$id")({ component: OneRequest });

function OneRequest() {
  const { t } = useTranslation("requests");
  return <PageHeader title={t("title")} help={t("help")} />;
}
