import { IconSettings, IconUsers } from "@tabler/icons-react";
import type { NavGroup } from "./nav";

/** Who may what in the tenant, and how it is set up. */
export const tenantNav: NavGroup = {
  label: "console:nav.tenant",
  items: [
    { to: "/members", label: "console:nav.members", icon: IconUsers },
    { to: "/settings", label: "console:nav.settings", icon: IconSettings },
  ],
};
