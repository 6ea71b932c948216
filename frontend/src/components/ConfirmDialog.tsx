import { Button, Group, Modal, Stack, Text, TextInput } from "@mantine/core";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorState } from "./ErrorState";

interface Props {
  opened: boolean;
  onClose: () => void;
  title: string;
  children: ReactNode;
  /** The verb of the act. */
  confirm: string;
  onConfirm: () => void;
  busy?: boolean;
  error?: unknown;
  /** Nothing is lost by it. */
  harmless?: boolean;
  /** Must be typed before the act: for what cannot be undone. */
  phrase?: string;
}

export function ConfirmDialog(props: Props) {
  return (
    <Modal opened={props.opened} onClose={props.onClose} title={props.title}>
      <Body {...props} />
    </Modal>
  );
}

// Made anew with each opening, so that nothing typed stays.
function Body({ onClose, children, confirm, onConfirm, busy, error, phrase, harmless }: Props) {
  const { t } = useTranslation();
  const [typed, setTyped] = useState("");
  return (
    <form
      onSubmit={(event) => {
        event.preventDefault();
        onConfirm();
      }}
    >
      <Stack gap="md">
        <Text component="div">{children}</Text>
        {phrase && (
          <TextInput
            label={t("typeToConfirm", { phrase })}
            value={typed}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autoComplete="off"
            data-autofocus
          />
        )}
        {error ? <ErrorState error={error} /> : null}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose} data-autofocus={phrase ? undefined : true}>
            {t("cancel")}
          </Button>
          <Button
            type="submit"
            color={harmless ? undefined : "red.8"}
            loading={busy}
            disabled={phrase !== undefined && typed !== phrase}
          >
            {confirm}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
