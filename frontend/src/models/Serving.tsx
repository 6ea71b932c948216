import { Button, Group, NumberInput, Progress, Stack, Text } from "@mantine/core";
import { IconArrowBackUp, IconCircleCheck } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { Facts } from "@/components/Facts";
import { Guarded } from "@/components/Guarded";
import { Panel } from "@/components/Panel";
import { useFormat } from "@/lib/useFormat";
import { refreshModels } from "./queries";

interface Props {
  model: Schema<"RegisteredModel">;
  versions: Schema<"ModelVersion">[] | undefined;
}

/** Which versions answer, how the calls are shared out between them, and the ways forward and back. */
export function Serving({ model, versions }: Props) {
  const { t } = useTranslation("models");
  const format = useFormat();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<"rollback" | "promote" | null>(null);
  const [share, setShare] = useState<number | string>(model.canary_percent ?? 10);
  const { production, canary } = model.aliases;
  const percent = model.canary_percent ?? 0;
  const path = { model_name: model.name };
  const settled = {
    meta: { inline: true },
    onSuccess: async () => {
      await refreshModels(queries);
      setAsked(null);
    },
  };
  const rollback = useMutation({
    ...settled,
    mutationFn: () => bodyOf(client.POST("/v1/insula/models/{model_name}/rollback", { params: { path } })),
  });
  const activate = useMutation({
    ...settled,
    mutationFn: (canary_percent: number | null) =>
      bodyOf(
        client.POST("/v1/insula/models/{model_name}/activate", {
          params: { path },
          body: { version: canary ?? 0, canary_percent },
        }),
      ),
  });
  const end = useMutation({
    onSuccess: settled.onSuccess,
    mutationFn: () => bodyOf(client.POST("/v1/insula/models/{model_name}/canary/end", { params: { path } })),
  });
  const metrics = (version: number | null) => {
    const of = versions?.find((one) => one.version === version)?.metrics ?? {};
    const parts = Object.entries(of).map(([name, value]) => `${name} ${format.number(value)}`);
    return parts.length > 0 ? <span className="ltr">{parts.join(" · ")}</span> : "–";
  };
  const row = (label: string, version: number, part: number, tone: string) => (
    <Stack gap={4} key={label}>
      <Group justify="space-between" gap="xs">
        <Text fw={500}>{t("serving.version", { label, version: format.number(version) })}</Text>
        <Text c="dimmed">{format.percent(part / 100)}</Text>
      </Group>
      <Progress value={part} color={tone} aria-label={t("serving.share", { label })} />
      <Text size="sm" c="dimmed">
        {metrics(version)}
      </Text>
    </Stack>
  );
  return (
    <Panel
      title={t("serving.title")}
      actions={
        <Guarded scope="registry.write">
          <Button
            size="xs"
            variant="default"
            leftSection={<IconArrowBackUp size={14} />}
            disabled={production === null}
            onClick={() => setAsked("rollback")}
          >
            {t("rollback.action")}
          </Button>
        </Guarded>
      }
    >
      <Stack gap="md">
        {production === null && <Text c="dimmed">{t("serving.none")}</Text>}
        {production !== null &&
          row(t("alias.production"), production, canary === null ? 100 : 100 - percent, "green")}
        {canary !== null && row(t("alias.canary"), canary, percent, "yellow")}
        {canary !== null && (
          <Group gap="xs" align="flex-end">
            <NumberInput
              size="xs"
              w={110}
              label={t("canary.share")}
              suffix=" %"
              min={1}
              max={99}
              allowDecimal={false}
              value={share}
              onChange={setShare}
            />
            <Guarded scope="registry.write">
              <Button
                size="xs"
                variant="default"
                loading={activate.isPending && asked === null}
                disabled={typeof share !== "number" || share === percent}
                onClick={() => activate.mutate(Number(share))}
              >
                {t("canary.change")}
              </Button>
            </Guarded>
            <Guarded scope="registry.write">
              <Button
                size="xs"
                leftSection={<IconCircleCheck size={14} />}
                onClick={() => setAsked("promote")}
              >
                {t("canary.promote")}
              </Button>
            </Guarded>
            <Guarded scope="registry.write">
              <Button size="xs" variant="default" loading={end.isPending} onClick={() => end.mutate()}>
                {t("canary.end")}
              </Button>
            </Guarded>
          </Group>
        )}
        {model.gate && (
          <Facts
            facts={model.gate.metrics.map(({ name, at_least, at_most }) => ({
              label: t("gate.of", { name }),
              value:
                at_least !== null
                  ? t("gate.least", { value: format.number(at_least) })
                  : t("gate.most", { value: format.number(at_most ?? 0) }),
            }))}
          />
        )}
      </Stack>
      <ConfirmDialog
        opened={asked === "rollback"}
        onClose={() => setAsked(null)}
        title={t("rollback.title", { name: model.name })}
        confirm={t("rollback.action")}
        harmless
        onConfirm={() => rollback.mutate()}
        busy={rollback.isPending}
        error={rollback.error}
      >
        {canary === null ? t("rollback.text") : t("rollback.canary")}
      </ConfirmDialog>
      <ConfirmDialog
        opened={asked === "promote"}
        onClose={() => setAsked(null)}
        title={t("canary.promoteTitle", { version: format.number(canary ?? 0) })}
        confirm={t("canary.promote")}
        harmless
        onConfirm={() => activate.mutate(null)}
        busy={activate.isPending}
        error={activate.error}
      >
        {t("canary.promoteText")}
      </ConfirmDialog>
    </Panel>
  );
}
