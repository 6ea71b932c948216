import { Button, Divider, PasswordInput, Stack, TextInput } from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { type FormEvent, useMemo, useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import { toApiError } from "@/api/error";
import { AuthFrame } from "@/auth/AuthFrame";
import { ProviderError, SignInError } from "@/auth/SignInError";
import { useCountdown } from "@/auth/useCountdown";

interface Search {
  /** Where to go afterwards, within this page. */
  next?: string;
  /** Why the identity provider's way failed. */
  error?: string;
}

/** An address of this page; another host's would make the sign-in a way to lead people astray. */
const inside = (next: unknown) =>
  typeof next === "string" && /^\/(?![/\\])/.test(next) && !next.startsWith("/sign-in") ? next : undefined;

export const Route = createFileRoute("/sign-in")({
  validateSearch: (search: Record<string, unknown>): Search => ({
    next: inside(search.next),
    error: typeof search.error === "string" ? search.error : undefined,
  }),
  component: SignIn,
});

function SignIn() {
  const { t } = useTranslation("signIn");
  const search = Route.useSearch();
  const ways = useQuery($api.queryOptions("get", "/v1/insula/sign_in"));
  const [email, setEmail] = useState("");
  const [password, setPassword] = useState("");
  const signIn = useMutation({
    mutationFn: () => bodyOf(client.POST("/v1/insula/session", { body: { email, password } })),
    meta: { inline: true },
    // A full load: nothing of a session before is left in memory.
    onSuccess: () => window.location.assign(search.next ?? "/"),
  });
  const error = useMemo(() => (signIn.error ? toApiError(signIn.error) : null), [signIn.error]);
  const left = useCountdown(error);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (left === 0) signIn.mutate();
  };

  return (
    <AuthFrame title={t("title")} help={t("help")}>
      {search.error && !error && <ProviderError code={search.error} />}
      <SignInError error={error} left={left} />
      {ways.data?.password !== false && (
        <form onSubmit={submit}>
          <Stack gap="sm">
            <TextInput
              type="email"
              label={t("email")}
              autoComplete="username"
              required
              withAsterisk={false}
              dir="ltr"
              value={email}
              onChange={(event) => setEmail(event.currentTarget.value)}
            />
            <PasswordInput
              label={t("password")}
              autoComplete="current-password"
              required
              withAsterisk={false}
              dir="ltr"
              value={password}
              onChange={(event) => setPassword(event.currentTarget.value)}
              visibilityToggleButtonProps={{ "aria-label": t("show") }}
            />
            <Button
              type="submit"
              fullWidth
              mt={4}
              loading={signIn.isPending || signIn.isSuccess}
              disabled={left > 0}
            >
              {t("submit")}
            </Button>
          </Stack>
        </form>
      )}
      {ways.data?.oidc && (
        <>
          {ways.data.password && <Divider label={t("or")} />}
          <Button component="a" href="/v1/insula/sign_in/oidc" variant="default" fullWidth>
            {t("oidc", { name: ways.data.oidc.name })}
          </Button>
        </>
      )}
    </AuthFrame>
  );
}
