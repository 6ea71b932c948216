import {
  IconChartBar,
  IconDatabase,
  IconHistory,
  IconHome2,
  IconKey,
  IconListDetails,
  IconMessages,
  IconPackage,
  IconReportSearch,
  IconRobot,
  IconWebhook,
} from "@tabler/icons-react";
import type { LinkProps } from "@tanstack/react-router";
import type { ParseKeys } from "i18next";
import type { ComponentType } from "react";
import { operatorNav } from "./navOperator";
import { tenantNav } from "./navTenant";

type ShellKey = ParseKeys<["shell", "console"]>;

export interface NavItem {
  to: NonNullable<LinkProps["to"]>;
  /** A key of the namespace `shell`. */
  label: ShellKey;
  icon: ComponentType<{ size?: number; stroke?: number }>;
  /** Only the address itself is this item, not what lies under it. */
  exact?: boolean;
}

export interface NavGroup {
  /** A key of the namespace `shell`; none for the first group. */
  label?: ShellKey;
  items: NavItem[];
  /** Only for operators. */
  operator?: boolean;
}

export const nav: NavGroup[] = [
  { items: [{ to: "/", label: "nav.overview", icon: IconHome2, exact: true }] },
  {
    label: "nav.build",
    items: [
      { to: "/playground", label: "nav.playground", icon: IconMessages },
      { to: "/assistants", label: "nav.assistants", icon: IconRobot },
      { to: "/vector-stores", label: "nav.vectorStores", icon: IconDatabase },
      { to: "/models", label: "nav.models", icon: IconPackage },
      { to: "/api-keys", label: "nav.apiKeys", icon: IconKey },
      { to: "/webhooks", label: "nav.webhooks", icon: IconWebhook },
    ],
  },
  {
    label: "nav.observe",
    items: [
      { to: "/usage", label: "nav.usage", icon: IconChartBar },
      { to: "/requests", label: "nav.requests", icon: IconListDetails },
      { to: "/search-analytics", label: "nav.searchAnalytics", icon: IconReportSearch },
      { to: "/audit-log", label: "nav.audit", icon: IconHistory },
    ],
  },
  tenantNav,
  ...operatorNav,
];
