import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { useCan } from "@/session/session";
import { type Group, none, rest } from "./sums";

/** Ids of keys are not what people call them. */
export function useKeyNames(): Map<string, string> {
  const may = useCan("api_keys.read");
  const keys = $api.useQuery(
    "get",
    "/v1/insula/api_keys",
    { params: { query: { limit: 100 } } },
    { enabled: may },
  );
  return new Map((keys.data?.data ?? []).filter((key) => key.name).map((key) => [key.id, key.name]));
}

/** What a series of a group is called. */
export function useGroupName(group: Group): (value: string) => string {
  const { t } = useTranslation("usage");
  const keys = useKeyNames();
  return (value) => {
    if (value === rest) return t("rest");
    if (value === none) return group === "api_key_id" ? t("noKey") : t("noEndUser");
    return group === "api_key_id" ? (keys.get(value) ?? `${value.slice(0, 8)}…${value.slice(-4)}`) : value;
  };
}
