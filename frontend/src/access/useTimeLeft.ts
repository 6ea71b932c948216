import { useEffect, useState } from "react";

/** Seconds until a time; counted down, never below none. */
export function useTimeLeft(until: number): number {
  const [now, setNow] = useState(() => Date.now() / 1000);
  useEffect(() => {
    setNow(Date.now() / 1000);
    const timer = setInterval(() => setNow(Date.now() / 1000), 1_000);
    return () => clearInterval(timer);
  }, []);
  return Math.max(0, Math.ceil(until - now));
}
