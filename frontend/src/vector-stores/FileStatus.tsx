import { Group, Progress, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { Status } from "@/components/Status";
import { useFormat } from "@/lib/useFormat";
import type { Job } from "./useStoreJobs";

/** Whether a file can be searched: how far its reading is, or why it cannot. */
export function FileStatus({ file, job }: { file: Schema<"VectorStoreFile">; job?: Job }) {
  const { t, i18n } = useTranslation("stores");
  const format = useFormat();
  if (file.status === "completed") return <Status tone="good">{t("status.completed")}</Status>;
  if (file.status === "cancelled") return <Status tone="off">{t("status.cancelled")}</Status>;
  if (file.status === "failed") {
    return (
      <Stack gap={2}>
        <Status tone="bad">{t("status.failed")}</Status>
        {file.last_error && (
          <Text size="xs" c="dimmed" maw={420}>
            {file.last_error.message}
          </Text>
        )}
      </Stack>
    );
  }
  if (!job || job.status === "queued") {
    return (
      <Status tone="busy">
        {job?.position ? t("status.queued", { count: job.position }) : t("status.waiting")}
      </Status>
    );
  }
  if (job.status === "scheduled") return <Status tone="warn">{t("status.again")}</Status>;
  const stage =
    job.stage && i18n.exists(`stores:stage.${job.stage}`)
      ? t(`stage.${job.stage as "reading"}`)
      : t("status.running");
  const { done, total } = job.progress ?? { done: 0, total: null };
  return (
    <Stack gap={4} maw={200}>
      <Group gap={8} justify="space-between" wrap="nowrap">
        <Status tone="busy">{stage}</Status>
        {total ? (
          <Text size="xs" c="dimmed">
            {format.percent(done / total)}
          </Text>
        ) : null}
      </Group>
      {total ? <Progress size="xs" value={(done / total) * 100} aria-label={stage} /> : null}
    </Stack>
  );
}
