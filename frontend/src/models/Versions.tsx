import { ActionIcon, Checkbox, Group, Menu, Text } from "@mantine/core";
import { IconCircleCheck, IconDots, IconGitBranch, IconPackage, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { type ReactNode, useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Panel } from "@/components/Panel";
import { RelativeTime } from "@/components/RelativeTime";
import { Tag } from "@/components/Tag";
import { useFormat } from "@/lib/useFormat";
import { useCan } from "@/session/session";
import { Compare } from "./Compare";
import { refreshModels } from "./queries";

type Version = Schema<"ModelVersion">;
type Act = "activate" | "canary" | "delete";

interface Props {
  model: Schema<"RegisteredModel">;
  rows: Version[] | undefined;
  query: {
    error: unknown;
    refetch: () => unknown;
    hasNextPage: boolean;
    isFetchingNextPage: boolean;
    fetchNextPage: () => unknown;
  };
  /** The button that makes the first one. */
  upload: ReactNode;
}

/** More columns than this cannot be read side by side. */
const mostCompared = 4;
/** What a canary gets unless its share is changed. */
const firstShare = 10;

export function Versions({ model, rows, query, upload }: Props) {
  const { t } = useTranslation("models");
  const format = useFormat();
  const queries = useQueryClient();
  const may = useCan("registry.write");
  const [asked, setAsked] = useState<{ act: Act; version: Version } | null>(null);
  const [chosen, setChosen] = useState<number[]>([]);
  const act = useMutation({
    meta: { inline: true },
    mutationFn: async ({ act, version }: { act: Act; version: Version }) => {
      const path = { model_name: model.name };
      await (act === "delete"
        ? client.DELETE("/v1/insula/models/{model_name}/versions/{model_version}", {
            params: { path: { ...path, model_version: String(version.version) } },
          })
        : bodyOf(
            client.POST("/v1/insula/models/{model_name}/activate", {
              params: { path },
              body: { version: version.version, canary_percent: act === "canary" ? firstShare : null },
            }),
          ));
    },
    onSuccess: async () => {
      await refreshModels(queries);
      setAsked(null);
    },
  });
  const close = () => {
    setAsked(null);
    act.reset();
  };
  const compared = (rows ?? []).filter((one) => chosen.includes(one.version));
  const columns: Column<Version>[] = [
    {
      key: "compare",
      header: t("compare.choose"),
      hiddenHeader: true,
      width: 44,
      from: "sm",
      cell: (one) => (
        <Checkbox
          aria-label={t("compare.of", { version: format.number(one.version) })}
          checked={chosen.includes(one.version)}
          disabled={!chosen.includes(one.version) && chosen.length >= mostCompared}
          onChange={(event) =>
            setChosen(
              event.currentTarget.checked
                ? [...chosen, one.version]
                : chosen.filter((version) => version !== one.version),
            )
          }
        />
      ),
    },
    {
      key: "version",
      header: t("column.version"),
      cell: (one) => (
        <>
          <Group gap={6}>
            <Text inherit fw={500}>
              {format.number(one.version)}
            </Text>
            {one.aliases.map((alias) => (
              <Tag key={alias}>{t(alias === "production" ? "alias.production" : "alias.canary")}</Tag>
            ))}
          </Group>
          {one.description && (
            <Text size="xs" c="dimmed" lineClamp={1} maw={320} dir="auto">
              {one.description}
            </Text>
          )}
        </>
      ),
    },
    {
      key: "metrics",
      header: t("column.metrics"),
      from: "md",
      cell: (one) => (
        <span className="ltr">
          {Object.entries(one.metrics)
            .slice(0, 3)
            .map(([name, value]) => `${name} ${format.number(value)}`)
            .join(" · ") || "–"}
        </span>
      ),
    },
    {
      key: "size",
      header: t("column.size"),
      align: "end",
      from: "sm",
      cell: (one) => format.bytes(one.bytes),
    },
    {
      key: "made",
      header: t("column.made"),
      from: "xs",
      cell: (one) => <RelativeTime at={one.created_at} />,
    },
    {
      key: "actions",
      header: t("column.actions"),
      hiddenHeader: true,
      align: "end",
      cell: (one) => (
        <Menu position="bottom-end">
          <Menu.Target>
            <ActionIcon aria-label={t("actionsOf", { version: format.number(one.version) })}>
              <IconDots size={16} />
            </ActionIcon>
          </Menu.Target>
          <Menu.Dropdown>
            <Menu.Item
              leftSection={<IconCircleCheck size={14} />}
              disabled={!may || one.aliases.includes("production")}
              onClick={() => setAsked({ act: "activate", version: one })}
            >
              {t("activate.action")}
            </Menu.Item>
            <Menu.Item
              leftSection={<IconGitBranch size={14} />}
              disabled={!may || model.aliases.production === null || one.aliases.length > 0}
              onClick={() => setAsked({ act: "canary", version: one })}
            >
              {t("canary.action")}
            </Menu.Item>
            <Menu.Item
              leftSection={<IconTrash size={14} />}
              disabled={!may || one.aliases.length > 0}
              onClick={() => setAsked({ act: "delete", version: one })}
            >
              {t("delete.action")}
            </Menu.Item>
          </Menu.Dropdown>
        </Menu>
      ),
    },
  ];
  const number = format.number(asked?.version.version ?? 0);
  const share = format.percent(firstShare / 100);
  return (
    <>
      <Panel flush title={t("versions")}>
        <DataTable
          label={t("versions")}
          columns={columns}
          rows={rows}
          rowKey={(one) => one.id}
          error={query.error}
          retry={() => void query.refetch()}
          more={query}
          empty={
            <EmptyState
              icon={IconPackage}
              title={t("upload.none")}
              text={t("upload.noneText")}
              action={upload}
            />
          }
        />
      </Panel>
      {compared.length > 1 && <Compare versions={compared} onClose={() => setChosen([])} />}
      <ConfirmDialog
        opened={asked?.act === "activate"}
        onClose={close}
        title={t("activate.title", { version: number })}
        confirm={t("activate.action")}
        harmless
        onConfirm={() => asked && act.mutate(asked)}
        busy={act.isPending}
        error={act.error}
      >
        {t("activate.text")}
      </ConfirmDialog>
      <ConfirmDialog
        opened={asked?.act === "canary"}
        onClose={close}
        title={t("canary.title", { version: number })}
        confirm={t("canary.action")}
        harmless
        onConfirm={() => asked && act.mutate(asked)}
        busy={act.isPending}
        error={act.error}
      >
        {t("canary.text", { share })}
      </ConfirmDialog>
      <ConfirmDialog
        opened={asked?.act === "delete"}
        onClose={close}
        title={t("delete.versionTitle", { version: number })}
        confirm={t("delete.action")}
        onConfirm={() => asked && act.mutate(asked)}
        busy={act.isPending}
        error={act.error}
      >
        {t("delete.versionText")}
      </ConfirmDialog>
    </>
  );
}
