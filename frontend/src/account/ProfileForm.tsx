import { Button, Group, Select, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import { ErrorState } from "@/components/ErrorState";
import { notifyDone } from "@/components/notifyError";
import { type Language, languages } from "@/i18n";
import { timeZone } from "@/lib/format";
import { sessionOptions, useSession } from "@/session/session";
import { useLanguage } from "@/session/useLanguage";

export function ProfileForm() {
  const { t, i18n } = useTranslation("account");
  const { person } = useSession();
  const queries = useQueryClient();
  const choose = useLanguage();
  const [name, setName] = useState(person.name ?? "");
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () => bodyOf(client.POST("/v1/insula/session/profile", { body: { name: name.trim() } })),
    onSuccess: (session) => {
      queries.setQueryData(sessionOptions.queryKey, session);
      notifyDone(t("profile.saved"));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <Stack gap="md" maw={480}>
      <form onSubmit={submit}>
        <Stack gap="sm">
          <TextInput label={t("profile.email")} value={person.email} readOnly variant="filled" dir="ltr" />
          <Group align="flex-end" gap="xs" wrap="nowrap">
            <TextInput
              flex={1}
              label={t("profile.name")}
              value={name}
              onChange={(event) => setName(event.currentTarget.value)}
              maxLength={256}
              dir="auto"
              autoComplete="name"
            />
            <Button
              type="submit"
              variant="default"
              loading={save.isPending}
              disabled={!name.trim() || name.trim() === person.name}
            >
              {t("save")}
            </Button>
          </Group>
          {save.error && <ErrorState error={save.error} />}
        </Stack>
      </form>
      <Select
        label={t("profile.language")}
        description={t("profile.languageHelp", { zone: timeZone() })}
        value={i18n.language}
        onChange={(value) => value && void choose(value as Language)}
        data={(Object.keys(languages) as Language[]).map((value) => ({ value, label: languages[value] }))}
      />
    </Stack>
  );
}
