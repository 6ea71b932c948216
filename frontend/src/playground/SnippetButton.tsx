import { Button, Modal, SegmentedControl, Stack, Text } from "@mantine/core";
import { IconCode } from "@tabler/icons-react";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { CodeBlock } from "@/components/CodeBlock";
import { type SnippetCall, type SnippetLanguage, snippet, snippetLanguages } from "@/lib/snippets";
import { recall, remember } from "@/lib/storage";

interface Props {
  call: SnippetCall;
  /** What the page sends. */
  body: Record<string, unknown>;
  disabled?: boolean;
}

/** The same call as code, to be taken along. */
export function SnippetButton({ call, body, disabled }: Props) {
  const { t } = useTranslation("playground");
  const [opened, setOpened] = useState(false);
  const [language, setLanguage] = useState<SnippetLanguage>(
    (recall("insula.snippet") as SnippetLanguage) ?? "python",
  );
  const choose = (value: string) => {
    setLanguage(value as SnippetLanguage);
    remember("insula.snippet", value);
  };
  return (
    <>
      <Button
        size="xs"
        variant="default"
        leftSection={<IconCode size={15} />}
        onClick={() => setOpened(true)}
        disabled={disabled}
      >
        {t("code.action")}
      </Button>
      <Modal opened={opened} onClose={() => setOpened(false)} title={t("code.title")} size="xl">
        <Stack gap="sm">
          <SegmentedControl
            aria-label={t("code.language")}
            value={language}
            onChange={choose}
            data={snippetLanguages.map(({ id, label }) => ({ value: id, label }))}
          />
          <CodeBlock code={snippet(language, call, body)} label={t("code.title")} />
          <Text size="sm" c="dimmed">
            {t("code.key")}
          </Text>
        </Stack>
      </Modal>
    </>
  );
}
