import {
  Button,
  Grid,
  Group,
  Modal,
  MultiSelect,
  NumberInput,
  Select,
  Stack,
  Textarea,
  TextInput,
} from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ErrorState } from "@/components/ErrorState";
import { useChatModels } from "@/playground/useChatModels";
import { useStores } from "@/playground/useStores";

interface Props {
  /** `"new"`, or the one that is changed; null: closed. */
  asked: Schema<"Assistant"> | "new" | null;
  onClose: () => void;
}

export function AssistantForm({ asked, onClose }: Props) {
  const { t } = useTranslation("assistants");
  const old = asked === "new" || asked === null ? undefined : asked;
  return (
    <Modal
      opened={asked !== null}
      onClose={onClose}
      size="lg"
      title={old ? t("form.change", { name: old.name }) : t("form.create")}
    >
      {asked && <Form old={old} onClose={onClose} />}
    </Modal>
  );
}

function Form({ old, onClose }: { old?: Schema<"Assistant">; onClose: () => void }) {
  const { t } = useTranslation(["assistants", "common"]);
  const queries = useQueryClient();
  const models = useChatModels();
  const stores = useStores();
  const [name, setName] = useState(old?.name ?? "");
  const [chosen, setChosen] = useState<string | null>(old?.model ?? null);
  const [instructions, setInstructions] = useState(old?.instructions ?? "");
  const [storeIds, setStoreIds] = useState(old?.vector_store_ids ?? []);
  const [most, setMost] = useState<number | string>(old?.max_num_results ?? "");
  const [threshold, setThreshold] = useState<number | string>(old?.score_threshold ?? "");
  const model = chosen ?? models.chat[0] ?? null;
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () => {
      const body = {
        model: model ?? "",
        instructions: instructions.trim() || null,
        vector_store_ids: storeIds,
        max_num_results: typeof most === "number" ? most : null,
        score_threshold: typeof threshold === "number" ? threshold : null,
      };
      return bodyOf(
        old
          ? client.POST("/v1/insula/assistants/{assistant_id}", {
              params: { path: { assistant_id: old.id } },
              body,
            })
          : client.POST("/v1/insula/assistants", { body: { name: name.trim(), ...body } }),
      );
    },
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["get", "/v1/insula/assistants"] });
      onClose();
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    save.mutate();
  };
  return (
    <form onSubmit={submit}>
      <Stack gap="md">
        {!old && (
          <TextInput
            label={t("form.name")}
            description={t("form.nameHelp")}
            dir="ltr"
            value={name}
            onChange={(event) => setName(event.currentTarget.value)}
            pattern="[A-Za-z0-9._:\-]+"
            required
            withAsterisk={false}
            data-autofocus
          />
        )}
        <Select label={t("form.model")} data={models.chat} value={model} onChange={setChosen} searchable />
        <Textarea
          label={t("form.instructions")}
          description={t("form.instructionsHelp")}
          dir={instructions ? "auto" : undefined}
          autosize
          minRows={3}
          maxRows={14}
          value={instructions}
          onChange={(event) => setInstructions(event.currentTarget.value)}
        />
        <MultiSelect
          label={t("form.stores")}
          description={t("form.storesHelp")}
          data={stores.options}
          value={storeIds}
          onChange={setStoreIds}
          searchable
        />
        <Grid gap="sm">
          <Grid.Col span={6}>
            <NumberInput
              label={t("form.most")}
              placeholder="8"
              min={1}
              max={50}
              allowDecimal={false}
              value={most}
              onChange={setMost}
            />
          </Grid.Col>
          <Grid.Col span={6}>
            <NumberInput
              label={t("form.threshold")}
              placeholder="0"
              min={0}
              max={1}
              step={0.05}
              value={threshold}
              onChange={setThreshold}
            />
          </Grid.Col>
        </Grid>
        {save.error && <ErrorState error={save.error} />}
        <Group justify="flex-end" gap="xs">
          <Button variant="default" onClick={onClose}>
            {t("common:cancel")}
          </Button>
          <Button type="submit" loading={save.isPending} disabled={!model || (!old && !name.trim())}>
            {old ? t("form.save") : t("form.create")}
          </Button>
        </Group>
      </Stack>
    </form>
  );
}
