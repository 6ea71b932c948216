import { Button, Group, PasswordInput, Stack } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import { toApiError } from "@/api/error";
import { NewPassword } from "@/auth/NewPassword";
import { ErrorState } from "@/components/ErrorState";
import { fieldError } from "@/components/FormBody";
import { notifyDone } from "@/components/notifyError";
import { sessionOptions, useSession } from "@/session/session";

export function PasswordForm() {
  const { t } = useTranslation(["account", "signIn"]);
  const { person } = useSession();
  const queries = useQueryClient();
  const [current, setCurrent] = useState("");
  const [next, setNext] = useState("");
  const change = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        client.POST("/v1/insula/session/password", {
          body: { new_password: next, ...(current ? { current_password: current } : {}) },
        }),
      ),
    onSuccess: (session) => {
      queries.setQueryData(sessionOptions.queryKey, session);
      void queries.invalidateQueries({ queryKey: ["get", "/v1/insula/sessions"] });
      setCurrent("");
      setNext("");
      notifyDone(t("password.changed"));
    },
  });
  const error = change.error ? toApiError(change.error) : null;
  const wrong = error?.code === "invalid_credentials";
  const weak = error?.param === "new_password";
  const submit = (event: FormEvent) => {
    event.preventDefault();
    change.mutate();
  };
  const show = { "aria-label": t("signIn:show") };
  return (
    <form onSubmit={submit}>
      <Stack gap="sm" maw={480}>
        {/* Password managers look for whose password it is. */}
        <input type="text" name="username" autoComplete="username" value={person.email} readOnly hidden />
        <PasswordInput
          label={t("password.current")}
          description={t("password.currentHelp")}
          autoComplete="current-password"
          dir="ltr"
          value={current}
          onChange={(event) => setCurrent(event.currentTarget.value)}
          error={wrong ? t("password.wrong") : undefined}
          visibilityToggleButtonProps={show}
        />
        <NewPassword
          label={t("password.new")}
          value={next}
          onChange={setNext}
          names={[person.email, person.name]}
          error={weak ? fieldError(error, "new_password") : undefined}
          visibilityToggleButtonProps={show}
        />
        {error && !wrong && !weak && <ErrorState error={error} />}
        <Group>
          <Button type="submit" variant="default" loading={change.isPending} disabled={!next}>
            {t("password.change")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
