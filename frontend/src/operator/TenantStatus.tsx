import { useTranslation } from "react-i18next";
import { Status, type Tone } from "@/components/Status";
import { stateOf, type Tenant } from "./queries";

const tones: Record<ReturnType<typeof stateOf>, Tone> = {
  active: "good",
  suspended: "warn",
  archived: "off",
};

export function TenantStatus({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation("tenants");
  const state = stateOf(tenant);
  return <Status tone={tones[state]}>{t(`status.${state}`)}</Status>;
}
