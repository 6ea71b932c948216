import { useTranslation } from "react-i18next";

/** What was done, in words; a type that this page does not know yet stays as it is. */
export function useEventName(): (type: string) => string {
  const { t, i18n } = useTranslation("audit");
  return (type) => {
    const key = `event.${type.replaceAll(".", "_") as "api_key_created"}` as const;
    return i18n.exists(`audit:${key}`) ? t(key) : type;
  };
}

/** The acts that can be asked for. */
export const eventTypes = [
  "api_key.created",
  "api_key.updated",
  "api_key.deleted",
  "user.added",
  "user.updated",
  "user.deleted",
  "invite.sent",
  "invite.accepted",
  "invite.deleted",
  "access.denied",
  "budget.created",
  "budget.updated",
  "budget.deleted",
  "rate_limit.updated",
  "quota.updated",
  "provider_key.created",
  "provider_key.deleted",
  "guardrails.updated",
  "request_logging.updated",
  "search_analytics.updated",
  "usage_retention.updated",
  "route_override.updated",
  "route_override.deleted",
  "model.created",
  "model.updated",
  "model.deleted",
  "model.activated",
  "model.rolled_back",
  "model_version.created",
  "model_version.deleted",
  "model_permissions.updated",
  "model_permissions.deleted",
  "project.created",
  "project.updated",
  "project.suspended",
  "project.resumed",
  "project.archived",
  "service_account.created",
  "service_account.updated",
  "service_account.deleted",
  "password_reset.created",
  "password_reset.accepted",
  "operator_access.opened",
  "operator_access.used",
  "operator_access.ended",
  "export.downloaded",
];
