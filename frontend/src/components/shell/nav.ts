import { IconHome2 } from "@tabler/icons-react";
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
  tenantNav,
  ...operatorNav,
];
