import { Button, PasswordInput, Stack, Text, TextInput } from "@mantine/core";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { fieldError } from "@/components/FormBody";
import { RelativeTime } from "@/components/RelativeTime";
import { NewPassword } from "./NewPassword";
import { SignInError } from "./SignInError";
import { useLinkForm } from "./useLinkForm";

/** New people choose a name and a password; known ones prove with theirs that the invitation reached them. */
export function AcceptForm({ token, invitation }: { token: string; invitation: Schema<"Invitation"> }) {
  const { t } = useTranslation("signIn");
  const { known, email } = invitation;
  const [name, setName] = useState("");
  const [password, setPassword] = useState("");
  const { error, left, submit, weak, busy } = useLinkForm(() =>
    bodyOf(
      client.POST("/v1/insula/invitations/accept", {
        body: { token, password, ...(name.trim() ? { name: name.trim() } : {}) },
      }),
    ),
  );
  return (
    <form onSubmit={submit}>
      <Stack gap="sm">
        {!weak && <SignInError error={error} left={left} />}
        <TextInput
          type="email"
          label={t("email")}
          value={email}
          readOnly
          autoComplete="username"
          dir="ltr"
          variant="filled"
        />
        {known ? (
          <PasswordInput
            label={t("password")}
            description={t("invitation.known")}
            autoComplete="current-password"
            required
            withAsterisk={false}
            dir="ltr"
            value={password}
            onChange={(event) => setPassword(event.currentTarget.value)}
            visibilityToggleButtonProps={{ "aria-label": t("show") }}
          />
        ) : (
          <>
            <TextInput
              label={t("invitation.name")}
              autoComplete="name"
              maxLength={256}
              dir="auto"
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
            />
            <NewPassword
              label={t("invitation.password")}
              value={password}
              onChange={setPassword}
              names={[email, name]}
              error={weak ? fieldError(error, "password") : undefined}
              visibilityToggleButtonProps={{ "aria-label": t("show") }}
            />
          </>
        )}
        <Button type="submit" fullWidth mt={4} loading={busy} disabled={left > 0}>
          {t("invitation.accept")}
        </Button>
        <Text size="xs" c="dimmed" ta="center">
          {t("invitation.until")} <RelativeTime at={invitation.expires_at} />
        </Text>
      </Stack>
    </form>
  );
}
