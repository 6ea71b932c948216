import { Button, List, Stack, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { ErrorState } from "@/components/ErrorState";
import { Guarded } from "@/components/Guarded";
import { Panel } from "@/components/Panel";
import { downloadFrom } from "@/lib/downloadFrom";

/** Everything that the tenant has here, to take along. */
export function Export() {
  const { t } = useTranslation("data");
  const start = useMutation({
    meta: { inline: true },
    mutationFn: () => downloadFrom("/v1/insula/export"),
  });
  return (
    <Panel title={t("export.title")}>
      <Stack gap="md" align="flex-start">
        <Text c="dimmed" maw="68ch">
          {t("export.help")}
        </Text>
        <List size="sm" spacing={4}>
          <List.Item>{t("export.objects")}</List.Item>
          <List.Item>{t("export.files")}</List.Item>
          <List.Item>{t("export.manifest")}</List.Item>
        </List>
        {start.error && <ErrorState error={start.error} />}
        <Guarded scope="export.read">
          <Button
            variant="default"
            leftSection={<IconDownload size={16} />}
            loading={start.isPending}
            onClick={() => start.mutate()}
          >
            {t("export.action")}
          </Button>
        </Guarded>
        {start.isSuccess && (
          <Text size="sm" c="dimmed" role="status">
            {t("export.begun")}
          </Text>
        )}
      </Stack>
    </Panel>
  );
}
