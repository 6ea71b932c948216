import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { Status } from "@/components/Status";

export function ErasureStatus({ erasure }: { erasure: Schema<"Erasure"> }) {
  const { t } = useTranslation("erasures");
  return (
    <Status tone={erasure.status === "running" ? "busy" : "good"}>{t(`status.${erasure.status}`)}</Status>
  );
}
