import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { useCan } from "@/session/session";

/** What can be asked: the tenant's assistants, which bring their stores, and the chat models behind routes. */
export function useChatModels() {
  const { t } = useTranslation("playground");
  const routes = $api.useQuery("get", "/v1/insula/routes", {}, { enabled: useCan("models.read") });
  const assistants = $api.useQuery(
    "get",
    "/v1/insula/assistants",
    { params: { query: { limit: 100 } } },
    { enabled: useCan("assistants.read") },
  );
  const chat = (routes.data?.data ?? []).filter((route) => route.kind === "chat").map((route) => route.model);
  const own = assistants.data?.data ?? [];
  const ready = !routes.isLoading && !assistants.isLoading;
  return {
    groups: [
      { group: t("chat.assistants"), items: own.map((assistant) => assistant.name) },
      { group: t("chat.models"), items: chat },
    ].filter((group) => group.items.length > 0),
    assistants: new Map(own.map((assistant) => [assistant.name, assistant])),
    chat,
    first: ready ? (own[0]?.name ?? chat[0] ?? null) : null,
  };
}
