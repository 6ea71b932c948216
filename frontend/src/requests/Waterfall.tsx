import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { useFormat } from "@/lib/useFormat";
import classes from "./Waterfall.module.css";

/** Where the time of a call went: its stages, each where it began and as long as it took. */
export function Waterfall({ stages, whole }: { stages: Schema<"UsageEventTrace">["stages"]; whole: number }) {
  const { t, i18n } = useTranslation("requests");
  const format = useFormat();
  const end = Math.max(whole, ...stages.map((stage) => stage.start_ms + stage.duration_ms), 0.001);
  const ticks = [0, 0.25, 0.5, 0.75, 1];
  return (
    <div>
      <ol className={classes.list} aria-label={t("trace.title")}>
        {stages.map((stage) => {
          // A stage like `search.embed` is a part of `search`.
          const part = stage.name.includes(".");
          const key = stage.name.replace(".", "_") as "model";
          const label = i18n.exists(`requests:stage.${key}`) ? t(`stage.${key}`) : stage.name;
          return (
            <li key={`${stage.name}-${stage.start_ms}`} className={classes.row}>
              <Text size="sm" truncate ps={part ? "sm" : 0} c={part ? "dimmed" : undefined}>
                {label}
              </Text>
              <div className={classes.track} aria-hidden="true">
                <div
                  className={classes.bar}
                  data-stage={stage.name.split(".")[0]}
                  data-part={part || undefined}
                  style={{
                    insetInlineStart: `${(stage.start_ms / end) * 100}%`,
                    inlineSize: `max(2px, ${(stage.duration_ms / end) * 100}%)`,
                  }}
                />
              </div>
              <Text size="sm" ta="end">
                {format.duration(stage.duration_ms)}
              </Text>
            </li>
          );
        })}
      </ol>
      <div className={classes.row} aria-hidden="true">
        <span />
        <div className={classes.axis}>
          {ticks.map((tick) => (
            <Text key={tick} size="xs" c="dimmed">
              {format.duration(end * tick)}
            </Text>
          ))}
        </div>
        <span />
      </div>
    </div>
  );
}
