import {
  ActionIcon,
  Button,
  Group,
  Input,
  Modal,
  NumberInput,
  Select,
  Stack,
  Textarea,
  TextInput,
} from "@mantine/core";
import { IconPlus, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { FormBody, fieldError } from "@/components/FormBody";
import { refreshModels } from "./queries";

type Model = Schema<"RegisteredModel">;

interface Props {
  opened: boolean;
  onClose: () => void;
  /** The one that is changed; absent: a new one. */
  model?: Model;
  onSaved: (model: Model) => void;
}

export function ModelForm(props: Props) {
  const { t } = useTranslation("models");
  return (
    <Modal
      opened={props.opened}
      onClose={props.onClose}
      title={props.model ? t("form.change") : t("form.create")}
    >
      <Form {...props} />
    </Modal>
  );
}

interface Condition {
  key: number;
  name: string;
  bound: "at_least" | "at_most";
  value: number | string;
}

let keys = 0;
const conditionsOf = (model?: Model): Condition[] =>
  (model?.gate?.metrics ?? []).map(({ name, at_least, at_most }) => ({
    key: ++keys,
    name,
    bound: at_least === null ? "at_most" : "at_least",
    value: at_least ?? at_most ?? "",
  }));

function Form({ model, onClose, onSaved }: Props) {
  const { t } = useTranslation("models");
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [description, setDescription] = useState(model?.description ?? "");
  const [ttl, setTtl] = useState<number | string>(model?.cache_ttl_seconds ?? "");
  const [gate, setGate] = useState(() => conditionsOf(model));
  const change = (key: number, part: Partial<Condition>) =>
    setGate((before) => before.map((one) => (one.key === key ? { ...one, ...part } : one)));
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () => {
      const metrics = gate
        .filter((one) => one.name.trim() && typeof one.value === "number")
        .map(({ name, bound, value }) => ({
          name: name.trim(),
          at_least: bound === "at_least" ? Number(value) : null,
          at_most: bound === "at_most" ? Number(value) : null,
        }));
      const body = {
        description: description.trim() || null,
        cache_ttl_seconds: typeof ttl === "number" ? ttl : null,
        gate: metrics.length > 0 ? { metrics } : null,
      };
      return bodyOf(
        model
          ? client.POST("/v1/insula/models/{model_name}", {
              params: { path: { model_name: model.name } },
              body,
            })
          : client.POST("/v1/insula/models", { body: { name: name.trim(), ...body } }),
      );
    },
    onSuccess: async (saved) => {
      await refreshModels(queries);
      onSaved(saved);
    },
  });
  return (
    <FormBody
      submit={model ? t("form.save") : t("form.create")}
      onSubmit={() => save.mutate()}
      onCancel={onClose}
      busy={save.isPending}
      disabled={!model && !name.trim()}
      error={save.error}
      fields={["name"]}
    >
      {!model && (
        <TextInput
          label={t("form.name")}
          description={t("form.nameHelp")}
          dir="ltr"
          value={name}
          onChange={(event) => setName(event.currentTarget.value)}
          error={fieldError(save.error, "name")}
          required
          withAsterisk={false}
          maxLength={64}
          data-autofocus
        />
      )}
      <Textarea
        label={t("form.description")}
        value={description}
        onChange={(event) => setDescription(event.currentTarget.value)}
        dir={description ? "auto" : undefined}
        autosize
        minRows={2}
        maxRows={5}
        maxLength={512}
      />
      <Input.Wrapper label={t("gate.title")} description={t("gate.help")}>
        <Stack gap="xs" mt="xs" align="flex-start">
          {gate.map((one) => (
            <Group key={one.key} gap="xs" wrap="nowrap" w="100%">
              <TextInput
                flex={1}
                aria-label={t("gate.metric")}
                placeholder="accuracy"
                dir="ltr"
                value={one.name}
                onChange={(event) => change(one.key, { name: event.currentTarget.value })}
              />
              <Select
                w={130}
                aria-label={t("gate.bound")}
                allowDeselect={false}
                data={[
                  { value: "at_least", label: t("gate.atLeast") },
                  { value: "at_most", label: t("gate.atMost") },
                ]}
                value={one.bound}
                onChange={(bound) => change(one.key, { bound: bound === "at_most" ? bound : "at_least" })}
              />
              <NumberInput
                w={90}
                aria-label={t("gate.value")}
                value={one.value}
                onChange={(value) => change(one.key, { value })}
              />
              <ActionIcon
                aria-label={t("gate.remove")}
                onClick={() => setGate((before) => before.filter(({ key }) => key !== one.key))}
              >
                <IconTrash size={16} />
              </ActionIcon>
            </Group>
          ))}
          <Button
            size="compact-xs"
            variant="default"
            leftSection={<IconPlus size={14} />}
            onClick={() =>
              setGate((before) => [...before, { key: ++keys, name: "", bound: "at_least", value: "" }])
            }
          >
            {t("gate.add")}
          </Button>
        </Stack>
      </Input.Wrapper>
      <NumberInput
        label={t("form.ttl")}
        description={t("form.ttlHelp")}
        placeholder={t("form.never")}
        value={ttl}
        onChange={setTtl}
        min={1}
        max={2_592_000}
        allowDecimal={false}
      />
    </FormBody>
  );
}
