import { useSyncExternalStore } from "react";

// The session does not say whether its tenant is suspended; the first refused call does.
let suspended: string | null = null;
const listeners = new Set<() => void>();

/** The tenant that was found suspended, or none any more. */
export function noteSuspended(tenant: string | null) {
  if (suspended === tenant) return;
  suspended = tenant;
  for (const listener of listeners) listener();
}

const subscribe = (listener: () => void) => {
  listeners.add(listener);
  return () => listeners.delete(listener);
};

export const useSuspended = () => useSyncExternalStore(subscribe, () => suspended);
