import { Button, type ButtonProps, Group, Stack } from "@mantine/core";
import type { FormEvent, ReactNode } from "react";
import { useTranslation } from "react-i18next";
import { toApiError } from "@/api/error";
import { ErrorState } from "./ErrorState";

interface Props {
  children: ReactNode;
  /** The verb of the act. */
  submit: string;
  onSubmit: () => void;
  onCancel?: () => void;
  busy?: boolean;
  disabled?: boolean;
  error?: unknown;
  /** Fields that show what is wrong with them themselves. */
  fields?: string[];
  color?: ButtonProps["color"];
}

/** What a form in a dialog consists of: fields, what the server said, and the two buttons. */
export function FormBody({
  children,
  submit,
  onSubmit,
  onCancel,
  busy,
  disabled,
  error,
  fields = [],
  color,
}: Props) {
  const { t } = useTranslation();
  const send = (event: FormEvent) => {
    event.preventDefault();
    // A form in a dialog is, for React, inside of the form that opened the dialog.
    event.stopPropagation();
    if (!disabled && !busy) onSubmit();
  };
  const shown = error && !fields.includes(toApiError(error).param ?? "");
  return (
    <form onSubmit={send}>
      <Stack gap="md">
        {children}
        {shown ? <ErrorState error={error} /> : null}
        <Group justify="flex-end" gap="xs">
          {onCancel && (
            <Button variant="default" onClick={onCancel}>
              {t("cancel")}
            </Button>
          )}
          <Button type="submit" loading={busy} disabled={disabled} color={color}>
            {submit}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}

/** What the server has against one field. */
export function fieldError(error: unknown, field: string): ReactNode {
  if (!error) return undefined;
  const { param, message } = toApiError(error);
  // The server speaks English, in whatever direction the page runs.
  return param === field ? (
    <span dir="auto" style={{ display: "block" }}>
      {message}
    </span>
  ) : undefined;
}
