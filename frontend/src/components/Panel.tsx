import { Group, Paper, type PaperProps, Title } from "@mantine/core";
import type { ReactNode } from "react";
import classes from "./Panel.module.css";

interface Props extends PaperProps {
  title?: ReactNode;
  actions?: ReactNode;
  /** Without inner space, for tables that reach the edge. */
  flush?: boolean;
  children: ReactNode;
}

/** A surface with an optional heading. */
export function Panel({ title, actions, flush, children, ...rest }: Props) {
  return (
    <Paper component="section" className={classes.panel} {...rest}>
      {(title || actions) && (
        <Group className={classes.head} justify="space-between" gap="xs">
          {typeof title === "string" ? <Title order={2}>{title}</Title> : title}
          {actions && <Group gap="xs">{actions}</Group>}
        </Group>
      )}
      <div className={flush ? undefined : classes.body}>{children}</div>
    </Paper>
  );
}
