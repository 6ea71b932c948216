import { Box } from "@mantine/core";
import { Link, type LinkProps } from "@tanstack/react-router";
import classes from "./TabLinks.module.css";

interface Props {
  label: string;
  tabs: { to: NonNullable<LinkProps["to"]>; label: string; exact?: boolean }[];
}

/** Parts of a page that have addresses of their own. */
export function TabLinks({ label, tabs }: Props) {
  return (
    <Box component="nav" aria-label={label} className={classes.tabs}>
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
