import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { $api, client } from "@/api/client";
import { useCan } from "@/session/session";
import { GuardrailFields } from "@/settings/GuardrailFields";
import { rulesOf } from "@/settings/rules";
import { SettingForm } from "@/settings/SettingForm";

const options = $api.queryOptions("get", "/v1/insula/guardrails");

export const Route = createFileRoute("/_app/settings/guardrails")({
  loader: ({ context }) => void context.queries.prefetchQuery(options),
  component: Guardrails,
});

function Guardrails() {
  const { t } = useTranslation("guardrails");
  const may = useCan("guardrails.write");
  const stored = $api.useQuery("get", "/v1/insula/guardrails");
  return (
    <SettingForm
      title={t("title")}
      help={t("help")}
      stored={stored.data && rulesOf(stored.data)}
      loadError={stored.error}
      retry={() => void stored.refetch()}
      queryKey={options.queryKey}
      scope="guardrails.write"
      save={(body) => client.PUT("/v1/insula/guardrails", { body })}
    >
      {(value, change) => <GuardrailFields rules={value} change={change} disabled={!may} />}
    </SettingForm>
  );
}
