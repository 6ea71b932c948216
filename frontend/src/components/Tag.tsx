import type { ReactNode } from "react";
import classes from "./Tag.module.css";

/** A short remark beside something. */
export function Tag({ children }: { children: ReactNode }) {
  return <span className={classes.tag}>{children}</span>;
}
