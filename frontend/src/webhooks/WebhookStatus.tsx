import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { Status } from "@/components/Status";

export function WebhookStatus({ webhook }: { webhook: Schema<"Webhook"> }) {
  const { t } = useTranslation("webhooks");
  if (!webhook.enabled)
    return <Status tone="off">{webhook.disabled_reason ? t("state.disabled") : t("state.off")}</Status>;
  return webhook.failing_since ? (
    <Status tone="bad">{t("state.failing")}</Status>
  ) : (
    <Status tone="good">{t("state.on")}</Status>
  );
}
