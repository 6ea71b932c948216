import { ActionIcon, Button, Group, Progress, Stack, Text } from "@mantine/core";
import { IconX } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { ErrorState } from "@/components/ErrorState";
import { Panel } from "@/components/Panel";
import { useFormat } from "@/lib/useFormat";
import type { useUploads } from "./useUploads";

/** Files whose bytes are on their way. */
export function UploadList({ uploads, retry, drop }: ReturnType<typeof useUploads>) {
  const { t } = useTranslation("stores");
  const format = useFormat();
  if (uploads.length === 0) return null;
  return (
    <Panel title={t("uploads.title", { count: uploads.length })}>
      <Stack gap="sm" aria-live="polite">
        {uploads.map((upload) => {
          const share = upload.file.size ? (upload.sent / upload.file.size) * 100 : 100;
          return (
            <Stack key={upload.key} gap={4}>
              <Group justify="space-between" wrap="nowrap" gap="sm">
                <Text size="sm" truncate>
                  <bdi>{upload.file.name}</bdi>
                </Text>
                <Group gap={6} wrap="nowrap">
                  <Text size="xs" c="dimmed" style={{ whiteSpace: "nowrap" }}>
                    {upload.state === "sending"
                      ? t("uploads.sent", {
                          sent: format.bytes(upload.sent),
                          size: format.bytes(upload.file.size),
                        })
                      : t(`uploads.${upload.state}`)}
                  </Text>
                  {upload.state === "failed" && (
                    <Button size="compact-xs" variant="default" onClick={() => retry(upload.key)}>
                      {t("uploads.retry")}
                    </Button>
                  )}
                  <ActionIcon
                    size="sm"
                    onClick={() => drop(upload.key)}
                    aria-label={t("uploads.remove", { name: upload.file.name })}
                  >
                    <IconX size={14} />
                  </ActionIcon>
                </Group>
              </Group>
              {upload.state !== "failed" && (
                <Progress
                  size="sm"
                  value={share}
                  striped={upload.state === "attaching"}
                  aria-label={t("uploads.progress", { name: upload.file.name })}
                />
              )}
              {upload.error && <ErrorState error={upload.error} />}
            </Stack>
          );
        })}
      </Stack>
    </Panel>
  );
}
