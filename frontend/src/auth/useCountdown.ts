import { useEffect, useState } from "react";

/** Seconds that are left of a wait; each new `of` begins it anew. */
export function useCountdown(of: { retryAfterSeconds: number | null } | null): number {
  const [left, setLeft] = useState(0);
  useEffect(() => {
    const seconds = of?.retryAfterSeconds ?? 0;
    const end = Date.now() + seconds * 1000;
    setLeft(seconds);
    if (!seconds) return;
    const timer = setInterval(() => {
      const rest = Math.max(0, Math.ceil((end - Date.now()) / 1000));
      setLeft(rest);
      if (rest === 0) clearInterval(timer);
    }, 250);
    return () => clearInterval(timer);
  }, [of]);
  return left;
}
