import { useTranslation } from "react-i18next";
import { Status, type Tone } from "@/components/Status";

const tones: Record<string, Tone> = { active: "good", suspended: "warn", archived: "off" };

export function TenantStatus({ status }: { status: string }) {
  const { t } = useTranslation("tenants");
  const tone = tones[status];
  return (
    <Status tone={tone ?? "off"}>
      {tone ? t(`status.${status as "active" | "suspended" | "archived"}`) : status}
    </Status>
  );
}
