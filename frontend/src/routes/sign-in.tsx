import {
  Alert,
  Box,
  Button,
  Center,
  Divider,
  PasswordInput,
  Stack,
  Text,
  TextInput,
  Title,
} from "@mantine/core";
import { useMutation, useQuery } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { type FormEvent, useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import { toApiError } from "@/api/error";
import { ErrorState } from "@/components/ErrorState";
import { Panel } from "@/components/Panel";
import { Logo } from "@/components/shell/Logo";
import { Preferences } from "@/components/shell/Preferences";

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
  const title = t("title");
  useEffect(() => {
    document.title = `${title} · Insula`;
  }, [title]);
  const submit = (event: FormEvent) => {
    event.preventDefault();
    signIn.mutate();
  };
  const error = signIn.error ? toApiError(signIn.error) : null;

  return (
    <Center mih="100dvh" p="md" component="main">
      <Stack w="100%" maw={380} gap="lg">
        <Center>
          <Logo size={32} />
        </Center>
        <Panel>
          <Stack gap="md">
            <Box>
              <Title order={1}>{title}</Title>
              <Text c="dimmed">{t("help")}</Text>
            </Box>
            {search.error && !error && (
              <Alert color="red" role="alert">
                {t("failed", { code: search.error })}
              </Alert>
            )}
            {error?.code === "invalid_credentials" ? (
              <Alert color="red" role="alert">
                {t("invalid")}
              </Alert>
            ) : error?.status === 429 && error.retryAfterSeconds ? (
              <Alert color="yellow" role="alert">
                {t("slowed", { count: error.retryAfterSeconds })}
              </Alert>
            ) : error ? (
              <ErrorState error={error} />
            ) : null}
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
                  />
                  <Button type="submit" fullWidth mt={4} loading={signIn.isPending || signIn.isSuccess}>
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
          </Stack>
        </Panel>
        <Center>
          <Preferences />
        </Center>
      </Stack>
    </Center>
  );
}
