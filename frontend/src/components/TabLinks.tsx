import { Box } from "@mantine/core";
import { Link, type LinkProps, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import classes from "./TabLinks.module.css";

interface Props {
  label: string;
  tabs: { to: NonNullable<LinkProps["to"]>; label: string; exact?: boolean }[];
}

/** Parts of a page that have addresses of their own. */
export function TabLinks({ label, tabs }: Props) {
  const path = useRouterState({ select: (state) => state.location.pathname });
  const bar = useRef<HTMLElement>(null);
  // On a narrow screen the bar is scrolled: the part that one is in stays in sight.
  // biome-ignore lint/correctness/useExhaustiveDependencies: another part is another path
  useEffect(() => {
    bar.current
      ?.querySelector("[data-status=active]")
      ?.scrollIntoView({ block: "nearest", inline: "nearest" });
  }, [path]);
  return (
    <Box component="nav" aria-label={label} className={classes.tabs} ref={bar}>
      {tabs.map((tab) => (
        <Link
          key={tab.to}
          to={tab.to}
          className={classes.tab}
          activeOptions={{ exact: tab.exact ?? false, includeSearch: false }}
        >
          {tab.label}
        </Link>
      ))}
    </Box>
  );
}
