import { Alert, Button, Code, Group, Stack, Text } from "@mantine/core";
import { IconAlertTriangle, IconLock } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { toApiError } from "@/api/error";
import { CopyButton } from "./CopyButton";

interface Props {
  error: unknown;
  retry?: () => void;
}

/** What the server said, and the id by which its log can be searched. */
export function ErrorState({ error, retry }: Props) {
  const { t } = useTranslation();
  const { status, message, requestId, code } = toApiError(error);
  const forbidden = status === 403;
  const title = forbidden ? t("error.forbidden") : status === 404 ? t("error.notFound") : t("error.title");
  return (
    <Alert
      role="alert"
      variant="light"
      color={forbidden ? "yellow" : "red"}
      title={title}
      icon={forbidden ? <IconLock /> : <IconAlertTriangle />}
    >
      <Stack gap="xs" align="flex-start">
        <Text c="var(--mantine-color-text)">{code === "unreachable" ? t("error.unreachable") : message}</Text>
        {requestId && (
          <Group gap={6}>
            <Text size="xs" c="dimmed">
              {t("error.requestId")}
            </Text>
            <Code className="ltr">{requestId}</Code>
            <CopyButton value={requestId} label={t("error.copyRequestId")} />
          </Group>
        )}
        {retry && !forbidden && (
          <Button size="xs" variant="default" onClick={retry}>
            {t("retry")}
          </Button>
        )}
      </Stack>
    </Alert>
  );
}
