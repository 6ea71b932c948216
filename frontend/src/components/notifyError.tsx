import { Code, Group, Stack, Text } from "@mantine/core";
import { notifications } from "@mantine/notifications";
import i18next from "i18next";
import type { ApiError } from "@/api/error";
import { CopyButton } from "./CopyButton";

/** For acts whose place on the page shows no error itself. */
export function notifyError(error: ApiError) {
  notifications.show({
    color: "red",
    title: i18next.t(error.status === 403 ? "error.forbidden" : "error.title"),
    autoClose: 10_000,
    message: (
      <Stack gap={4}>
        <Text size="sm">{error.code === "unreachable" ? i18next.t("error.unreachable") : error.message}</Text>
        {error.requestId && (
          <Group gap={4} wrap="nowrap">
            <Code className="ltr" style={{ overflow: "hidden", textOverflow: "ellipsis" }}>
              {error.requestId}
            </Code>
            <CopyButton value={error.requestId} label={i18next.t("error.copyRequestId")} />
          </Group>
        )}
      </Stack>
    ),
  });
}

export function notifyDone(message: string) {
  notifications.show({ color: "sea", message, autoClose: 4_000 });
}
