import { Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { Status, type Tone } from "@/components/Status";
import type { UsageEvent } from "./events";

const tones: Record<string, Tone> = { completed: "good", cancelled: "off", failed: "bad" };

export function OutcomeBadge({ event }: { event: Pick<UsageEvent, "outcome" | "error"> }) {
  const { t, i18n } = useTranslation("requests");
  const key = `outcome.${event.outcome as "completed"}` as const;
  const badge = (
    <Status tone={tones[event.outcome] ?? "off"}>
      {i18n.exists(`requests:${key}`) ? t(key) : event.outcome}
    </Status>
  );
  return event.error ? (
    <Tooltip label={event.error}>
      <span>{badge}</span>
    </Tooltip>
  ) : (
    badge
  );
}
