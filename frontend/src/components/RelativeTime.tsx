import { Tooltip } from "@mantine/core";
import { useEffect, useState } from "react";
import { timeZone } from "@/lib/format";
import { useFormat } from "@/lib/useFormat";

/** How long ago, with the exact time and its zone on demand. */
export function RelativeTime({ at }: { at: number }) {
  const format = useFormat();
  const [, tick] = useState(0);
  useEffect(() => {
    const timer = setInterval(() => tick((count) => count + 1), 60_000);
    return () => clearInterval(timer);
  }, []);
  return (
    <Tooltip label={`${format.dateTime(at)} · ${timeZone()}`}>
      <time dateTime={new Date(at * 1000).toISOString()} style={{ whiteSpace: "nowrap" }}>
        {format.relative(at)}
      </time>
    </Tooltip>
  );
}
