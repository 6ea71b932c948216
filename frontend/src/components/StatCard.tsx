import { Group, Paper, Skeleton, Text, Tooltip } from "@mantine/core";
import { IconInfoCircle } from "@tabler/icons-react";
import type { ReactNode } from "react";
import classes from "./StatCard.module.css";

interface Props {
  label: string;
  /** Absent: still loading. */
  value?: ReactNode;
  note?: ReactNode;
  help?: string;
}

export function StatCard({ label, value, note, help }: Props) {
  return (
    <Paper className={classes.card}>
      <Group gap={4} wrap="nowrap">
        <Text size="sm" c="dimmed" truncate>
          {label}
        </Text>
        {help && (
          <Tooltip label={help} events={{ hover: true, focus: true, touch: true }}>
            <span className={classes.help} role="img" aria-label={help}>
              <IconInfoCircle size={14} />
            </span>
          </Tooltip>
        )}
      </Group>
      <div className={classes.value}>{value ?? <Skeleton h={26} w={96} my={3} />}</div>
      <Text size="xs" c="dimmed" component="div" mih={18}>
        {note}
      </Text>
    </Paper>
  );
}
