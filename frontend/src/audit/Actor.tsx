import { useTranslation } from "react-i18next";
import { useKeyNames } from "@/usage/useNames";
import { actorOf, type Entry } from "./diff";

/** Who acted, by the name that people know. */
export function Actor({ entry }: { entry: Entry }) {
  const { t } = useTranslation("audit");
  const keys = useKeyNames();
  const { key, email, id } = actorOf(entry);
  if (key) return <bdi>{t("byKey", { name: keys.get(key) ?? key })}</bdi>;
  if (email) return <bdi>{email}</bdi>;
  return id === "console" || !id ? t("console") : <bdi>{id}</bdi>;
}
