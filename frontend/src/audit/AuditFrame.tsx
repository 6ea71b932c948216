import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/PageHeader";
import { TabLinks } from "@/components/TabLinks";

/** What was done in the tenant, beside who of the operator's people looked into it. */
export function AuditFrame({ actions, children }: { actions?: ReactNode; children: ReactNode }) {
  const { t } = useTranslation(["audit", "access"]);
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} actions={actions} />
      <TabLinks
        label={t("title")}
        tabs={[
          { to: "/audit-log", label: t("acts"), exact: true },
          { to: "/audit-log/accesses", label: t("access:ofUs.title") },
        ]}
      />
      {children}
    </>
  );
}
