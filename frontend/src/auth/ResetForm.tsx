import { Button, Stack, Text, TextInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import { toApiError } from "@/api/error";
import type { Schema } from "@/api/paths";
import { fieldError } from "@/components/FormBody";
import { RelativeTime } from "@/components/RelativeTime";
import { NewPassword } from "./NewPassword";
import { SignInError } from "./SignInError";
import { useCountdown } from "./useCountdown";

/** A new password for somebody who was sent a link. */
export function ResetForm({ token, reset }: { token: string; reset: Schema<"PasswordResetPreview"> }) {
  const { t } = useTranslation("signIn");
  const [password, setPassword] = useState("");
  const accept = useMutation({
    meta: { inline: true },
    mutationFn: () => bodyOf(client.POST("/v1/insula/password_resets/accept", { body: { token, password } })),
    // A full load, without the token in the address.
    onSuccess: () => window.location.replace("/"),
  });
  const error = useMemo(() => (accept.error ? toApiError(accept.error) : null), [accept.error]);
  const left = useCountdown(error);
  const weak = error?.param === "password";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (left === 0) accept.mutate();
  };
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
        <Button
          type="submit"
          fullWidth
          mt={4}
          loading={accept.isPending || accept.isSuccess}
          disabled={left > 0}
        >
          {t("reset.submit")}
        </Button>
        <Text size="xs" c="dimmed" ta="center">
          {t("reset.until")} <RelativeTime at={reset.expires_at} />
        </Text>
      </Stack>
    </form>
  );
}
