import { useTranslation } from "react-i18next";
import { useKeyNames } from "@/usage/useNames";
import { actorOf, type Entry } from "./diff";
import { usePeople } from "./usePeople";

/** Who acted, by the name that people know. */
export function Actor({ entry }: { entry: Entry }) {
  const { t } = useTranslation("audit");
  const keys = useKeyNames();
  const people = usePeople();
  const { key, email, id } = actorOf(entry);
  if (key) return <bdi>{t("byKey", { name: keys.get(key) ?? key })}</bdi>;
  const person = email ?? (id ? people.get(id) : undefined);
  if (person) return <bdi>{person}</bdi>;
  if (id === "system") return t("system");
  return id === "console" || !id ? t("console") : <bdi>{id}</bdi>;
}
