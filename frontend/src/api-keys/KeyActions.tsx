import { ActionIcon, Button, Group, Menu, Modal, Select, Stack, Text, TextInput } from "@mantine/core";
import { IconDots, IconPencil, IconRefresh, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { ErrorState } from "@/components/ErrorState";
import { useCan } from "@/session/session";
import { LimitFields, type Limits, limitsOf } from "./LimitFields";

type ApiKey = Schema<"ApiKey">;

interface Props {
  apiKey: ApiKey;
  onSecret: (key: Schema<"CreatedApiKey">) => void;
}

/** What can be done to one key. */
export function KeyActions({ apiKey, onSecret }: Props) {
  const { t } = useTranslation(["apiKeys", "common"]);
  const may = useCan("api_keys.write");
  const queries = useQueryClient();
  const [asked, setAsked] = useState<"edit" | "rotate" | "revoke" | null>(null);
  const close = () => setAsked(null);
  const params = { path: { api_key_id: apiKey.id } };
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", "/v1/insula/api_keys"] });
  const revoke = useMutation({
    meta: { inline: true },
    mutationFn: () => bodyOf(client.DELETE("/v1/insula/api_keys/{api_key_id}", { params })),
    onSuccess: () => refresh().then(close),
  });
  const label = t("actions", { name: apiKey.name || apiKey.redacted });
  return (
    <>
      <Menu position="bottom-end" disabled={!may}>
        <Menu.Target>
          <ActionIcon
            aria-label={label}
            title={may ? undefined : t("common:notAllowed", { scope: "api_keys.write" })}
            disabled={!may}
          >
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={15} />} onClick={() => setAsked("edit")}>
            {t("edit.action")}
          </Menu.Item>
          <Menu.Item leftSection={<IconRefresh size={15} />} onClick={() => setAsked("rotate")}>
            {t("rotate.action")}
          </Menu.Item>
          <Menu.Item
            leftSection={<IconTrash size={15} />}
            c="var(--mantine-color-error)"
            onClick={() => setAsked("revoke")}
          >
            {t("revoke.action")}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <Modal opened={asked === "edit"} onClose={close} title={t("edit.title")}>
        <Edit apiKey={apiKey} onDone={() => refresh().then(close)} />
      </Modal>
      <Modal
        opened={asked === "rotate"}
        onClose={close}
        title={t("rotate.title", { name: apiKey.name || apiKey.redacted })}
      >
        <Rotate
          apiKey={apiKey}
          onDone={(key) => {
            close();
            void refresh();
            onSecret(key);
          }}
        />
      </Modal>
      <ConfirmDialog
        opened={asked === "revoke"}
        onClose={close}
        title={t("revoke.title", { name: apiKey.name || apiKey.redacted })}
        confirm={t("revoke.action")}
        onConfirm={() => revoke.mutate()}
        busy={revoke.isPending}
        error={revoke.error}
      >
        {t("revoke.text")}
      </ConfirmDialog>
    </>
  );
}

function Edit({ apiKey, onDone }: { apiKey: ApiKey; onDone: () => void }) {
  const { t } = useTranslation("apiKeys");
  const [name, setName] = useState(apiKey.name);
  const [limits, setLimits] = useState<Limits>(apiKey.limits ?? {});
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        client.POST("/v1/insula/api_keys/{api_key_id}", {
          params: { path: { api_key_id: apiKey.id } },
          body: { name, limits: limitsOf(limits) },
        }),
      ),
    onSuccess: onDone,
  });
  return (
    <Dialog error={save.error} busy={save.isPending} submit={t("edit.submit")} onSubmit={() => save.mutate()}>
      <TextInput
        label={t("create.name")}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        maxLength={256}
        data-autofocus
      />
      <LimitFields value={limits} onChange={setLimits} />
    </Dialog>
  );
}

const graces = ["0", "3600", "86400", "604800"] as const;

function Rotate({ apiKey, onDone }: { apiKey: ApiKey; onDone: (key: Schema<"CreatedApiKey">) => void }) {
  const { t } = useTranslation("apiKeys");
  const [grace, setGrace] = useState<string>("86400");
  const rotate = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        client.POST("/v1/insula/api_keys/{api_key_id}/rotate", {
          params: { path: { api_key_id: apiKey.id } },
          body: { grace_seconds: Number(grace) },
        }),
      ),
    onSuccess: onDone,
  });
  return (
    <Dialog
      error={rotate.error}
      busy={rotate.isPending}
      submit={t("rotate.action")}
      onSubmit={() => rotate.mutate()}
    >
      <Text>{t("rotate.text")}</Text>
      <Select
        label={t("rotate.grace")}
        value={grace}
        onChange={(value) => value && setGrace(value)}
        data={graces.map((value) => ({ value, label: t(`rotate.for.${value}`) }))}
      />
    </Dialog>
  );
}

interface DialogProps {
  children: React.ReactNode;
  error: unknown;
  busy: boolean;
  submit: string;
  onSubmit: () => void;
}

function Dialog({ children, error, busy, submit, onSubmit }: DialogProps) {
  const send = (event: FormEvent) => {
    event.preventDefault();
    onSubmit();
  };
  return (
    <form onSubmit={send}>
      <Stack gap="md">
        {children}
        {error ? <ErrorState error={error} /> : null}
        <Group justify="flex-end">
          <Button type="submit" loading={busy}>
            {submit}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
