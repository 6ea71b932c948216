import type { ReactNode } from "react";
import classes from "./Status.module.css";

export type Tone = "good" | "busy" | "warn" | "bad" | "off";

/** A state: the colour hints, the word says it. */
export function Status({ tone, children }: { tone: Tone; children: ReactNode }) {
  return (
    <span className={classes.status}>
      <span className={classes.dot} data-tone={tone} aria-hidden="true" />
      {children}
    </span>
  );
}
