import { IconDatabase, IconHome2, IconKey, IconListDetails } from "@tabler/icons-react";
import type { LinkProps } from "@tanstack/react-router";
import type { ParseKeys } from "i18next";
import type { ComponentType } from "react";

type ShellKey = ParseKeys<"shell">;

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
      { to: "/api-keys", label: "nav.apiKeys", icon: IconKey },
      { to: "/vector-stores", label: "nav.vectorStores", icon: IconDatabase },
    ],
  },
  {
    label: "nav.observe",
    items: [{ to: "/requests", label: "nav.requests", icon: IconListDetails }],
  },
];
