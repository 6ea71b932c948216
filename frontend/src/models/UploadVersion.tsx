import { FileInput, Group, Modal, Progress, Stack, Text, Textarea, TextInput } from "@mantine/core";
import { IconFileUpload } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { sendForm } from "@/api/upload";
import { FormBody } from "@/components/FormBody";
import { notifyDone } from "@/components/notifyError";
import { useFormat } from "@/lib/useFormat";
import { monospaced } from "./monospaced";
import { numbersOf, pairsOf } from "./pairs";
import { refreshModels } from "./queries";

interface Props {
  opened: boolean;
  onClose: () => void;
  name: string;
}

export function UploadVersion(props: Props) {
  const { t } = useTranslation("models");
  return (
    <Modal opened={props.opened} onClose={props.onClose} size="lg" title={t("upload.title")}>
      <Form {...props} />
    </Modal>
  );
}

const lines = (text: string) =>
  text
    .split("\n")
    .map((line) => line.trim())
    .filter(Boolean);

/** What is no JSON, told apart from what is not there. */
function jsonOf(text: string): { value: unknown; wrong: boolean } {
  if (!text.trim()) return { value: null, wrong: false };
  try {
    return { value: JSON.parse(text), wrong: false };
  } catch {
    return { value: null, wrong: true };
  }
}

function Form({ name, onClose }: Props) {
  const { t } = useTranslation("models");
  const format = useFormat();
  const queries = useQueryClient();
  const [file, setFile] = useState<File | null>(null);
  const [tokenizer, setTokenizer] = useState<File | null>(null);
  const [description, setDescription] = useState("");
  const [metrics, setMetrics] = useState("");
  const [parameters, setParameters] = useState("");
  const [dataset, setDataset] = useState("");
  const [columns, setColumns] = useState("");
  const [labels, setLabels] = useState("");
  const [preprocessing, setPreprocessing] = useState("");
  const [sent, setSent] = useState(0);
  const controller = useRef(new AbortController());
  useEffect(() => {
    const { current } = controller;
    return () => current.abort();
  }, []);
  const measured = numbersOf(metrics);
  const trained = pairsOf(parameters);
  const prepared = jsonOf(preprocessing);
  const wrong = (lines: string[]) => (lines.length > 0 ? t("upload.wrong", { line: lines[0] }) : undefined);
  const send = useMutation({
    meta: { inline: true },
    mutationFn: () => {
      const spec = {
        description: description.trim() || null,
        metrics: measured.pairs,
        parameters: trained.pairs,
        dataset: dataset.trim() || null,
        columns: lines(columns).length > 0 ? lines(columns) : null,
        labels: lines(labels).length > 0 ? lines(labels) : null,
        preprocessing: prepared.value,
      };
      const form = new FormData();
      form.append("spec", new Blob([JSON.stringify(spec)], { type: "application/json" }));
      if (tokenizer) form.append("tokenizer", tokenizer);
      if (file) form.append("model", file);
      controller.current = new AbortController();
      return sendForm<Schema<"ModelVersion">>(
        `/v1/insula/models/${encodeURIComponent(name)}/versions`,
        form,
        setSent,
        controller.current.signal,
      );
    },
    onSuccess: async (made) => {
      await refreshModels(queries);
      notifyDone(t("upload.done", { version: format.number(made.version) }));
      onClose();
    },
  });
  return (
    <FormBody
      submit={t("upload.action")}
      onSubmit={() => send.mutate()}
      onCancel={onClose}
      busy={send.isPending}
      disabled={!file || measured.wrong.length > 0 || trained.wrong.length > 0 || prepared.wrong}
      error={send.error}
    >
      <FileInput
        label={t("upload.file")}
        description={t("upload.fileHelp")}
        placeholder={t("upload.choose")}
        accept=".onnx"
        leftSection={<IconFileUpload size={16} />}
        value={file}
        onChange={setFile}
        clearable
        required
        withAsterisk={false}
      />
      <TextInput
        label={t("upload.description")}
        value={description}
        onChange={(event) => setDescription(event.currentTarget.value)}
        dir={description ? "auto" : undefined}
        maxLength={512}
      />
      <Group grow align="flex-start" gap="sm">
        <Textarea
          label={t("upload.metrics")}
          description={t("upload.metricsHelp")}
          placeholder={"accuracy = 0.97\nf1 = 0.96"}
          dir="ltr"
          value={metrics}
          onChange={(event) => setMetrics(event.currentTarget.value)}
          error={wrong(measured.wrong)}
          autosize
          minRows={2}
          maxRows={8}
        />
        <Textarea
          label={t("upload.parameters")}
          description={t("upload.parametersHelp")}
          placeholder={"epochs = 20\nlearning_rate = 0.01"}
          dir="ltr"
          value={parameters}
          onChange={(event) => setParameters(event.currentTarget.value)}
          error={wrong(trained.wrong)}
          autosize
          minRows={2}
          maxRows={8}
        />
      </Group>
      <TextInput
        label={t("upload.dataset")}
        value={dataset}
        onChange={(event) => setDataset(event.currentTarget.value)}
        dir={dataset ? "auto" : undefined}
        maxLength={512}
      />
      <Group grow align="flex-start" gap="sm">
        <Textarea
          label={t("upload.columns")}
          description={t("upload.columnsHelp")}
          value={columns}
          onChange={(event) => setColumns(event.currentTarget.value)}
          dir={columns ? "auto" : undefined}
          autosize
          minRows={2}
          maxRows={8}
        />
        <Textarea
          label={t("upload.labels")}
          description={t("upload.labelsHelp")}
          value={labels}
          onChange={(event) => setLabels(event.currentTarget.value)}
          dir={labels ? "auto" : undefined}
          autosize
          minRows={2}
          maxRows={8}
        />
      </Group>
      <Textarea
        label={t("upload.preprocessing")}
        description={t("upload.preprocessingHelp")}
        dir="ltr"
        styles={monospaced}
        value={preprocessing}
        onChange={(event) => setPreprocessing(event.currentTarget.value)}
        error={prepared.wrong ? t("upload.noJson") : undefined}
        autosize
        minRows={2}
        maxRows={12}
      />
      <FileInput
        label={t("upload.tokenizer")}
        description={t("upload.tokenizerHelp")}
        placeholder={t("upload.choose")}
        accept=".json"
        value={tokenizer}
        onChange={setTokenizer}
        clearable
      />
      {send.isPending && file && (
        <Stack gap={4}>
          <Progress
            value={(100 * Math.min(sent, file.size)) / Math.max(1, file.size)}
            aria-label={t("upload.progress")}
          />
          <Text size="xs" c="dimmed" role="status">
            {sent < file.size
              ? t("upload.sending", { sent: format.bytes(sent), size: format.bytes(file.size) })
              : t("upload.checking")}
          </Text>
        </Stack>
      )}
    </FormBody>
  );
}
