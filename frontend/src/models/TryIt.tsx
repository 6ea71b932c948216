import { Button, FileInput, Group, SegmentedControl, Select, Stack, Text, Textarea } from "@mantine/core";
import { IconPlayerPlay } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { sendForm } from "@/api/upload";
import { ErrorState } from "@/components/ErrorState";
import { Guarded } from "@/components/Guarded";
import { Panel } from "@/components/Panel";
import { useFormat } from "@/lib/useFormat";
import { exampleOf, type Way, wayOf, ways } from "./example";
import { monospaced } from "./monospaced";
import { Outcome } from "./Outcome";

interface Props {
  model: Schema<"RegisteredModel">;
  versions: Schema<"ModelVersion">[];
}

/** One prediction, made as a client would make it. */
export function TryIt({ model, versions }: Props) {
  const { t } = useTranslation("models");
  const format = useFormat();
  const [version, setVersion] = useState<string | null>(null);
  const [way, setWay] = useState<Way | null>(null);
  const [typed, setTyped] = useState<string | null>(null);
  const [image, setImage] = useState<File | null>(null);
  const standing = version ?? String(model.aliases.production ?? versions[0]?.version ?? "");
  const of = versions.find((one) => String(one.version) === standing);
  const how = way ?? (of ? wayOf(of) : "inputs");
  const text = typed ?? (of ? exampleOf(of, how) : "");
  const predict = useMutation({
    meta: { inline: true },
    mutationFn: async () => {
      const path = `/v1/insula/predict/${encodeURIComponent(model.name)}`;
      const began = performance.now();
      const answer =
        how === "image"
          ? await sendForm<Schema<"PredictResponse">>(
              path,
              formOf(image),
              () => {},
              new AbortController().signal,
              { "x-insula-model-version": standing },
            )
          : await bodyOf(
              client.POST("/v1/insula/predict/{model_name}", {
                params: { path: { model_name: model.name }, header: { "x-insula-model-version": standing } },
                body: bodyFrom(how, text),
              }),
            );
      return { answer, took: performance.now() - began };
    },
  });
  return (
    <Panel title={t("try.title")}>
      <Stack gap="md">
        <Group gap="sm" align="flex-end">
          <Select
            size="xs"
            w={150}
            label={t("column.version")}
            allowDeselect={false}
            value={standing}
            onChange={(value) => {
              setVersion(value);
              setTyped(null);
            }}
            data={versions.map((one) => ({
              value: String(one.version),
              label: t("version", { version: format.number(one.version) }),
            }))}
          />
          <SegmentedControl
            size="xs"
            aria-label={t("try.way")}
            value={how}
            onChange={(value) => {
              setWay(value as Way);
              setTyped(null);
            }}
            data={ways.map((value) => ({ value, label: t(`try.${value}`) }))}
          />
        </Group>
        {how === "image" ? (
          <Group align="flex-end" gap="sm">
            <FileInput
              label={t("try.file")}
              placeholder={t("upload.choose")}
              accept="image/*"
              miw={220}
              value={image}
              onChange={setImage}
              clearable
            />
            {image && <Preview file={image} />}
          </Group>
        ) : (
          <Textarea
            label={t(`try.${how}Help`)}
            dir={how === "texts" ? "auto" : "ltr"}
            styles={how === "texts" ? undefined : monospaced}
            value={text}
            onChange={(event) => setTyped(event.currentTarget.value)}
            autosize
            minRows={3}
            maxRows={14}
          />
        )}
        <Group>
          <Guarded scope="predict.write">
            <Button
              leftSection={<IconPlayerPlay size={16} />}
              loading={predict.isPending}
              disabled={how === "image" ? !image : !text.trim()}
              onClick={() => predict.mutate()}
            >
              {t("try.action")}
            </Button>
          </Guarded>
          {predict.data && (
            <Text size="sm" c="dimmed" role="status">
              {t("try.took", {
                version: format.number(predict.data.answer.version),
                time: format.duration(predict.data.took),
              })}
              {predict.data.answer.cached && ` ${t("try.cached")}`}
            </Text>
          )}
        </Group>
        {predict.error && (
          <ErrorState
            error={predict.error instanceof SyntaxError ? new Error(t("upload.noJson")) : predict.error}
          />
        )}
        {predict.data && <Outcome predictions={predict.data.answer.predictions} />}
      </Stack>
    </Panel>
  );
}

function formOf(image: File | null) {
  const form = new FormData();
  form.append("top_k", "5");
  if (image) form.append("image", image);
  return form;
}

function bodyFrom(way: Way, text: string) {
  if (way === "texts") return { texts: text.split("\n").filter((line) => line.trim()), top_k: 5 };
  return { [way]: JSON.parse(text), top_k: 5 };
}

function Preview({ file }: { file: File }) {
  const [address, setAddress] = useState<string>();
  useEffect(() => {
    const made = URL.createObjectURL(file);
    setAddress(made);
    return () => URL.revokeObjectURL(made);
  }, [file]);
  return (
    <img
      src={address}
      alt=""
      style={{ maxHeight: 96, maxWidth: 160, borderRadius: 6, imageRendering: "pixelated" }}
    />
  );
}
