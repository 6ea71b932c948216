import { Button, Group, Skeleton, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { ErrorState } from "@/components/ErrorState";
import { Guarded } from "@/components/Guarded";
import { notifyDone } from "@/components/notifyError";
import { Panel } from "@/components/Panel";
import type { Scope } from "@/lib/scopes";

interface Props<Value> {
  title: string;
  help: string;
  /** As the server has it; absent: still loading. */
  stored: Value | undefined;
  loadError: unknown;
  retry: () => void;
  /** Under which the server's answer is kept. */
  queryKey: readonly unknown[];
  scope: Scope;
  save: (value: Value) => Promise<unknown>;
  children: (value: Value, change: (part: Partial<Value>) => void) => ReactNode;
}

/** One setting that is read and written as a whole. */
export function SettingForm<Value extends object>(props: Props<Value>) {
  const { title, help, stored, loadError, retry } = props;
  return (
    <Panel title={title}>
      <Stack gap="md">
        <Text c="dimmed" maw="68ch">
          {help}
        </Text>
        {stored ? (
          <Form key={JSON.stringify(stored)} {...props} stored={stored} />
        ) : loadError ? (
          <ErrorState error={loadError} retry={retry} />
        ) : (
          <Skeleton h={72} />
        )}
      </Stack>
    </Panel>
  );
}

// Keyed by what is stored: after a save, or a change from elsewhere, it begins from there.
function Form<Value extends object>({
  stored,
  queryKey,
  scope,
  save,
  children,
}: Props<Value> & { stored: Value }) {
  const { t } = useTranslation("data");
  const queries = useQueryClient();
  const [value, setValue] = useState(stored);
  const dirty = JSON.stringify(value) !== JSON.stringify(stored);
  const store = useMutation({
    meta: { inline: true },
    mutationFn: () => save(value),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey });
      notifyDone(t("saved"));
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (dirty) store.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {children(value, (part) => setValue((before) => ({ ...before, ...part })))}
        {store.error && <ErrorState error={store.error} />}
        <Group gap="xs">
          <Guarded scope={scope}>
            <Button type="submit" size="xs" loading={store.isPending} disabled={!dirty}>
              {t("save")}
            </Button>
          </Guarded>
          {dirty && (
            <Button size="xs" variant="subtle" color="gray" onClick={() => setValue(stored)}>
              {t("undo")}
            </Button>
          )}
        </Group>
      </Stack>
    </form>
  );
}
