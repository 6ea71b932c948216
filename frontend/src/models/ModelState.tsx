import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { Status } from "@/components/Status";
import { useFormat } from "@/lib/useFormat";

/** Which version answers. */
export function ModelState({ model }: { model: Schema<"RegisteredModel"> }) {
  const { t } = useTranslation("models");
  const format = useFormat();
  const { production, canary } = model.aliases;
  if (production !== null && canary !== null)
    return (
      <Status tone="busy">
        {t("state.canary", {
          production: format.number(production),
          canary: format.number(canary),
          share: format.percent((model.canary_percent ?? 0) / 100),
        })}
      </Status>
    );
  if (production !== null)
    return <Status tone="good">{t("state.production", { version: format.number(production) })}</Status>;
  if (model.latest_version !== null) return <Status tone="warn">{t("state.inactive")}</Status>;
  return <Status tone="off">{t("state.empty")}</Status>;
}
