import { NumberInput, Stack, Switch } from "@mantine/core";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { $api, client } from "@/api/client";
import { useCan } from "@/session/session";
import { Export } from "@/settings/Export";
import { KeepFor } from "@/settings/KeepFor";
import { SettingForm } from "@/settings/SettingForm";

const loggingOptions = $api.queryOptions("get", "/v1/insula/settings/request_logging");
const usageOptions = $api.queryOptions("get", "/v1/insula/settings/usage_retention");
const conversationOptions = $api.queryOptions("get", "/v1/insula/settings/conversation_retention");

export const Route = createFileRoute("/_app/settings/data")({
  loader: ({ context: { queries } }) => {
    void queries.prefetchQuery(loggingOptions);
    void queries.prefetchQuery(usageOptions);
    void queries.prefetchQuery(conversationOptions);
  },
  component: Data,
});

function Data() {
  const { t } = useTranslation("data");
  const logging = $api.useQuery("get", "/v1/insula/settings/request_logging");
  const usage = $api.useQuery("get", "/v1/insula/settings/usage_retention");
  const conversations = $api.useQuery("get", "/v1/insula/settings/conversation_retention");
  const mayLog = useCan("guardrails.write");
  const mayUsage = useCan("usage.write");
  const mayTalk = useCan("responses.write");
  return (
    <Stack gap="md">
      <SettingForm
        title={t("logging.title")}
        help={t("logging.help")}
        stored={logging.data}
        loadError={logging.error}
        retry={() => void logging.refetch()}
        queryKey={loggingOptions.queryKey}
        scope="guardrails.write"
        save={({ enabled, redact, retention_days }) =>
          client.PUT("/v1/insula/settings/request_logging", { body: { enabled, redact, retention_days } })
        }
      >
        {(value, change) => (
          <Stack gap="sm">
            <Switch
              label={t("logging.enabled")}
              checked={value.enabled}
              disabled={!mayLog}
              onChange={(event) => change({ enabled: event.currentTarget.checked })}
            />
            <Switch
              label={t("logging.redact")}
              description={t("logging.redactHelp")}
              checked={value.redact}
              disabled={!mayLog || !value.enabled}
              onChange={(event) => change({ redact: event.currentTarget.checked })}
            />
            <NumberInput
              w={200}
              label={t("logging.days")}
              min={1}
              max={365}
              allowDecimal={false}
              disabled={!mayLog || !value.enabled}
              value={value.retention_days}
              onChange={(days) => change({ retention_days: Math.max(1, Number(days) || 1) })}
            />
          </Stack>
        )}
      </SettingForm>
      <SettingForm
        title={t("conversations.title")}
        help={t("conversations.help")}
        stored={conversations.data}
        loadError={conversations.error}
        retry={() => void conversations.refetch()}
        queryKey={conversationOptions.queryKey}
        scope="responses.write"
        save={(body) => client.PUT("/v1/insula/settings/conversation_retention", { body })}
      >
        {(value, change) => (
          <Stack gap="sm">
            <KeepFor
              label={t("conversations.responses")}
              description={t("conversations.responsesHelp")}
              none
              disabled={!mayTalk}
              value={value.responses_days ?? null}
              onChange={(responses_days) => change({ responses_days })}
            />
            <KeepFor
              label={t("conversations.conversations")}
              description={t("conversations.conversationsHelp")}
              disabled={!mayTalk}
              value={value.conversations_days ?? null}
              onChange={(conversations_days) => change({ conversations_days })}
            />
          </Stack>
        )}
      </SettingForm>
      <SettingForm
        title={t("usage.title")}
        help={t("usage.help")}
        stored={usage.data}
        loadError={usage.error}
        retry={() => void usage.refetch()}
        queryKey={usageOptions.queryKey}
        scope="usage.write"
        save={(body) => client.PUT("/v1/insula/settings/usage_retention", { body })}
      >
        {(value, change) => (
          <KeepFor
            label={t("usage.events")}
            description={t("usage.eventsHelp")}
            disabled={!mayUsage}
            value={value.days ?? null}
            onChange={(days) => change({ days })}
          />
        )}
      </SettingForm>
      <Export />
    </Stack>
  );
}
