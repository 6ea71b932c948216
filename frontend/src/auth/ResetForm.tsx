import { Button, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { fieldError } from "@/components/FormBody";
import { RelativeTime } from "@/components/RelativeTime";
import { NewPassword } from "./NewPassword";
import { SignInError } from "./SignInError";
import { useLinkForm } from "./useLinkForm";

/** A new password for somebody who was sent a link. */
export function ResetForm({ token, reset }: { token: string; reset: Schema<"PasswordResetPreview"> }) {
  const { t } = useTranslation("signIn");
  const [password, setPassword] = useState("");
  const { error, left, submit, weak, busy } = useLinkForm(() =>
    bodyOf(client.POST("/v1/insula/password_resets/accept", { body: { token, password } })),
  );
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        {!weak && <SignInError error={error} left={left} />}
        <TextInput
          type="email"
          label={t("email")}
          value={reset.email}
          readOnly
          autoComplete="username"
          dir="ltr"
          variant="filled"
        />
        <NewPassword
          label={t("reset.password")}
          value={password}
          onChange={setPassword}
          names={[reset.email]}
          error={weak ? fieldError(error, "password") : undefined}
          visibilityToggleButtonProps={{ "aria-label": t("show") }}
        />
        <Button type="submit" fullWidth mt={4} loading={busy} disabled={left > 0}>
          {t("reset.submit")}
        </Button>
        <Text size="xs" c="dimmed" ta="center">
          {t("reset.until")} <RelativeTime at={reset.expires_at} />
        </Text>
      </Stack>
    </form>
  );
}
