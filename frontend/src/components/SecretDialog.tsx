import { Button, Checkbox, Group, Modal, Stack, Text } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { CodeBlock } from "./CodeBlock";
import { CopyButton } from "./CopyButton";

interface Props {
  /** Null: closed. */
  secret: string | null;
  onClose: () => void;
  title: string;
  /** What it is for, and that it is not shown again. */
  text: string;
  children?: ReactNode;
}

/** Shows a secret that the server tells only once. It does not close by accident. */
export function SecretDialog({ secret, onClose, title, text, children }: Props) {
  return (
    <Modal
      opened={secret !== null}
      onClose={onClose}
      title={title}
      size="lg"
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      {secret !== null && <Body secret={secret} onClose={onClose} text={text} more={children} />}
    </Modal>
  );
}

function Body({
  secret,
  onClose,
  text,
  more,
}: {
  secret: string;
  onClose: () => void;
  text: string;
  more?: ReactNode;
}) {
  const { t } = useTranslation();
  const [saved, setSaved] = useState(false);
  return (
    <Stack gap="md">
      <Text>{text}</Text>
      <CodeBlock code={secret} label={t("secret.label")} />
      {more}
      <Checkbox
        checked={saved}
        onChange={(event) => setSaved(event.currentTarget.checked)}
        label={t("secret.saved")}
      />
      <Group justify="flex-end" gap="xs">
        <CopyButton value={secret} text={t("copy")} />
        <Button onClick={onClose} disabled={!saved}>
          {t("done")}
        </Button>
      </Group>
    </Stack>
  );
}
