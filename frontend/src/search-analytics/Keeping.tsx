import { Group, NumberInput, Stack, Switch, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ErrorState } from "@/components/ErrorState";
import { Panel } from "@/components/Panel";
import { useCan } from "@/session/session";

type Settings = Schema<"SearchAnalyticsSettings">;

/** Whether the words of searches are kept, and for how long. */
export function Keeping() {
  const { t } = useTranslation(["searchAnalytics", "common"]);
  const queries = useQueryClient();
  const maySee = useCan("guardrails.read");
  const mayChange = useCan("guardrails.write");
  const settings = $api.useQuery("get", "/v1/insula/settings/search_analytics", {}, { enabled: maySee });
  const save = useMutation({
    mutationFn: (body: Settings) => bodyOf(client.PUT("/v1/insula/settings/search_analytics", { body })),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["get", "/v1/insula/settings/search_analytics"] });
      await queries.invalidateQueries({ queryKey: ["get", "/v1/insula/search_analytics"] });
    },
  });
  if (!maySee) return null;
  if (settings.error) return <ErrorState error={settings.error} />;
  const now = settings.data;
  return (
    <Panel>
      <Group justify="space-between" gap="md">
        <Stack gap={2} maw={560}>
          <Switch
            label={t("keep.label")}
            checked={now?.enabled ?? false}
            disabled={!now || !mayChange || save.isPending}
            title={mayChange ? undefined : t("common:notAllowed", { scope: "guardrails.write" })}
            onChange={(event) => now && save.mutate({ ...now, enabled: event.currentTarget.checked })}
          />
          <Text size="sm" c="dimmed">
            {t("keep.text")}
          </Text>
        </Stack>
        <NumberInput
          key={now?.retention_days}
          label={t("keep.days")}
          w={150}
          min={1}
          max={3650}
          allowDecimal={false}
          disabled={!now?.enabled || !mayChange}
          defaultValue={now?.retention_days}
          onBlur={(event) => {
            const days = Number(event.currentTarget.value);
            if (now && days >= 1 && days !== now.retention_days)
              save.mutate({ ...now, retention_days: days });
          }}
        />
      </Group>
    </Panel>
  );
}
