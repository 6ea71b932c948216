import { Link, useRouterState } from "@tanstack/react-router";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { useSession } from "@/session/session";
import { type NavGroup, nav } from "./nav";
import classes from "./Shell.module.css";

export function Sidebar() {
  const { operator, tenant } = useSession();
  const inConsole = useRouterState({ select: ({ location }) => /^\/operator(\/|$)/.test(location.pathname) });
  return (
    <div className={classes.links}>
      {nav
        .filter((group) => (group.operator ? operator && inConsole : tenant !== null && !inConsole))
        .map((group) => (
          <Group key={group.label ?? ""} group={group} />
        ))}
    </div>
  );
}

function Group({ group }: { group: NavGroup }) {
  const { t } = useTranslation(["shell", "console"]);
  const id = useId();
  return (
    <>
      {group.label && (
        <div id={id} className={classes.group}>
          {t(group.label)}
        </div>
      )}
      <ul className={classes.list} aria-labelledby={group.label ? id : undefined}>
        {group.items.map(({ to, label, icon: Icon, exact }) => (
          <li key={to}>
            <Link
              to={to}
              className={classes.link}
              activeOptions={{ exact: exact ?? false, includeSearch: false }}
            >
              <Icon size={17} stroke={1.7} />
              {t(label)}
            </Link>
          </li>
        ))}
      </ul>
    </>
  );
}
