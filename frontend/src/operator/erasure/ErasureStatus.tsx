import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { Status } from "@/components/Status";
import { stageOf } from "../queries";

export function ErasureStatus({ erasure }: { erasure: Schema<"Erasure"> }) {
  const { t } = useTranslation("erasures");
  return (
    <Status tone={stageOf(erasure) === "running" ? "busy" : "good"}>{t(`status.${stageOf(erasure)}`)}</Status>
  );
}
