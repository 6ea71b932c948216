import { SegmentedControl, Stack, Text, Timeline } from "@mantine/core";
import { IconDatabase, IconKey, IconTerminal2 } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { CodeBlock } from "@/components/CodeBlock";
import { Guarded } from "@/components/Guarded";
import { ButtonLink } from "@/components/links";
import { Panel } from "@/components/Panel";
import { type SnippetLanguage, snippet, snippetLanguages } from "@/lib/snippets";

/** What to do before there is anything to look at. */
export function FirstRun() {
  const { t } = useTranslation("overview");
  const [language, setLanguage] = useState<SnippetLanguage>("python");
  const body = { model: "insula/extractive", messages: [{ role: "user", content: t("first.question") }] };
  return (
    <Panel title={t("first.title")}>
      <Timeline active={-1} bulletSize={28} lineWidth={2}>
        <Timeline.Item bullet={<IconKey size={15} />} title={t("first.key")}>
          <Stack gap="xs" align="flex-start">
            <Text c="dimmed">{t("first.keyText")}</Text>
            <Guarded scope="api_keys.write">
              <ButtonLink to="/api-keys" search={{ create: true }} size="xs">
                {t("first.keyAction")}
              </ButtonLink>
            </Guarded>
          </Stack>
        </Timeline.Item>
        <Timeline.Item bullet={<IconTerminal2 size={15} />} title={t("first.call")}>
          <Stack gap="xs">
            <Text c="dimmed">{t("first.callText")}</Text>
            <SegmentedControl
              size="xs"
              aria-label={t("first.language")}
              style={{ alignSelf: "flex-start" }}
              value={language}
              onChange={(value) => setLanguage(value as SnippetLanguage)}
              data={snippetLanguages.map((value) => ({ value: value.id, label: value.label }))}
            />
            <CodeBlock code={snippet(language, "chat", body)} label={t("first.call")} />
          </Stack>
        </Timeline.Item>
        <Timeline.Item bullet={<IconDatabase size={15} />} title={t("first.store")}>
          <Stack gap="xs" align="flex-start">
            <Text c="dimmed">{t("first.storeText")}</Text>
            <ButtonLink to="/vector-stores" size="xs" variant="default">
              {t("first.storeAction")}
            </ButtonLink>
          </Stack>
        </Timeline.Item>
      </Timeline>
    </Panel>
  );
}
