import { Alert, Box, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { CodeBlock } from "@/components/CodeBlock";
import { ErrorState } from "@/components/ErrorState";
import { Panel } from "@/components/Panel";
import { useCan } from "@/session/session";
import { type Said, saidIn } from "./messages";

/** What was asked and answered, where it was logged and may be read. */
export function Logged({ id }: { id: string | null }) {
  const { t } = useTranslation(["requests", "common"]);
  const may = useCan("request_logs.read");
  const log = $api.useQuery(
    "get",
    "/v1/insula/request_logs/{request_log_id}",
    { params: { path: { request_log_id: id ?? "" } } },
    { enabled: may && id !== null },
  );
  const said = log.data ? [...saidIn(log.data.request), ...saidIn(log.data.response)] : [];
  return (
    <Panel title={t("logged.title")}>
      {id === null ? (
        <Text c="dimmed">{t("logged.none")}</Text>
      ) : !may ? (
        <Alert color="yellow">{t("common:notAllowed", { scope: "request_logs.read" })}</Alert>
      ) : log.error ? (
        <ErrorState error={log.error} />
      ) : log.data ? (
        said.length > 0 ? (
          <Stack gap="md">
            {said.map((one, index) => (
              // biome-ignore lint/suspicious/noArrayIndexKey: a log does not change
              <Message key={index} said={one} />
            ))}
          </Stack>
        ) : (
          <CodeBlock
            code={JSON.stringify({ request: log.data.request, response: log.data.response }, null, 2)}
            label={t("logged.title")}
          />
        )
      ) : null}
    </Panel>
  );
}

function Message({ said }: { said: Said }) {
  return (
    <Box>
      <Text size="xs" c="dimmed" mb={2} className="ltr" style={{ display: "inline-block" }}>
        {said.role}
      </Text>
      <Box dir="auto" fz="sm" style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere", lineHeight: 1.6 }}>
        {said.text}
      </Box>
    </Box>
  );
}
