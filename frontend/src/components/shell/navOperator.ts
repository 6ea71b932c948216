import {
  IconActivityHeartbeat,
  IconBuildingCommunity,
  IconChartBar,
  IconEraser,
  IconKey,
  IconLockOpen2,
  IconRoute,
  IconShieldCheck,
  IconStack2,
  IconTicket,
  IconUsersGroup,
} from "@tabler/icons-react";
import type { NavGroup } from "./nav";

/** The operator's console. It stands in place of the tenant's pages while one is in it. */
export const operatorNav: NavGroup[] = [
  {
    label: "console:nav.customers",
    operator: true,
    items: [
      { to: "/operator/tenants", label: "console:nav.tenants", icon: IconBuildingCommunity },
      { to: "/operator/usage", label: "console:nav.usage", icon: IconChartBar },
      { to: "/operator/plans", label: "console:nav.plans", icon: IconTicket },
      { to: "/operator/erasures", label: "console:nav.erasures", icon: IconEraser },
    ],
  },
  {
    label: "console:nav.running",
    operator: true,
    items: [
      { to: "/operator/health", label: "console:nav.health", icon: IconActivityHeartbeat },
      { to: "/operator/routes", label: "console:nav.routes", icon: IconRoute },
      { to: "/operator/jobs", label: "console:nav.jobs", icon: IconStack2 },
    ],
  },
  {
    label: "console:nav.access",
    operator: true,
    items: [
      { to: "/operator/people", label: "console:nav.people", icon: IconUsersGroup },
      { to: "/operator/keys", label: "console:nav.keys", icon: IconKey },
      { to: "/operator/accesses", label: "console:nav.accesses", icon: IconLockOpen2 },
      { to: "/operator/audit", label: "console:nav.audit", icon: IconShieldCheck },
    ],
  },
];
