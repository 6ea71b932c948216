import {
  Button,
  Group,
  Modal,
  MultiSelect,
  SegmentedControl,
  Select,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ErrorState } from "@/components/ErrorState";
import { allScopes, type Scope } from "@/lib/scopes";
import { useCan, useSession } from "@/session/session";
import { LimitFields, type Limits, limitsOf } from "./LimitFields";
import { ScopePicker } from "./ScopePicker";

const lifetimes = { never: null, "30": 30, "90": 90, "365": 365 } as const;

interface Props {
  opened: boolean;
  onClose: () => void;
  onCreated: (key: Schema<"CreatedApiKey">) => void;
}

export function CreateKey({ opened, onClose, onCreated }: Props) {
  const { t } = useTranslation("apiKeys");
  return (
    <Modal opened={opened} onClose={onClose} title={t("create.title")} size="lg">
      <Form onClose={onClose} onCreated={onCreated} />
    </Modal>
  );
}

function Form({ onClose, onCreated }: Omit<Props, "opened">) {
  const { t } = useTranslation(["apiKeys", "common"]);
  const own = useSession().scopes;
  const queries = useQueryClient();
  const mayList = useCan("vector_stores.read");
  const stores = $api.useQuery(
    "get",
    "/v1/vector_stores",
    { params: { query: { limit: 100 } } },
    { enabled: mayList },
  );
  const [name, setName] = useState("");
  const [mode, setMode] = useState("all");
  const [scopes, setScopes] = useState<Scope[]>(["models.read", "chat.write", "vector_stores.read"]);
  const [storeIds, setStoreIds] = useState<string[]>([]);
  const [lifetime, setLifetime] = useState<keyof typeof lifetimes>("never");
  const [limits, setLimits] = useState<Limits>({});

  const chosen =
    mode === "all"
      ? undefined
      : mode === "read"
        ? allScopes.filter((scope) => scope.endsWith(".read") && own.includes(scope))
        : scopes;
  const create = useMutation({
    meta: { inline: true },
    mutationFn: () => {
      const days = lifetimes[lifetime];
      const body = {
        name: name.trim(),
        ...(chosen ? { scopes: chosen } : {}),
        vector_store_ids: storeIds.length ? storeIds : null,
        expires_in_seconds: days ? days * 86_400 : null,
        limits: limitsOf(limits),
      };
      return bodyOf(client.POST("/v1/insula/api_keys", { body }));
    },
    onSuccess: (key) => {
      void queries.invalidateQueries({ queryKey: ["get", "/v1/insula/api_keys"] });
      onCreated(key);
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    create.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        <TextInput
          label={t("create.name")}
          description={t("create.nameHelp")}
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          required
          withAsterisk={false}
          maxLength={256}
          data-autofocus
        />
        <Stack gap={6}>
          <Text size="sm" fw={500}>
            {t("create.may")}
          </Text>
          <SegmentedControl
            aria-label={t("create.may")}
            value={mode}
            onChange={setMode}
            data={(["all", "read", "choose"] as const).map((value) => ({
              value,
              label: t(`create.mode.${value}`),
            }))}
          />
          {mode === "choose" && <ScopePicker value={scopes} onChange={setScopes} />}
        </Stack>
        <MultiSelect
          label={t("create.stores")}
          description={t("create.storesHelp")}
          placeholder={storeIds.length ? undefined : t("create.allStores")}
          data={(stores.data?.data ?? []).map((store) => ({
            value: store.id,
            label: store.name || store.id,
          }))}
          value={storeIds}
          onChange={setStoreIds}
          searchable
          disabled={!mayList}
        />
        <Select
          label={t("create.expires")}
          value={lifetime}
          onChange={(value) => value && setLifetime(value as keyof typeof lifetimes)}
          data={(["never", "30", "90", "365"] as const).map((value) => ({
            value,
            label: t(`create.lifetime.${value}`),
          }))}
        />
        <LimitFields value={limits} onChange={setLimits} />
        {create.error && <ErrorState error={create.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            {t("common:cancel")}
          </Button>
          <Button
            type="submit"
            loading={create.isPending}
            disabled={!name.trim() || (mode === "choose" && scopes.length === 0)}
          >
            {t("create.submit")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
