import { Button, Group, Stack, Text, Tooltip } from "@mantine/core";
import { IconRefresh, IconRoute } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { bodyOf, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { ErrorState } from "@/components/ErrorState";
import { notifyDone } from "@/components/notifyError";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { Status, type Tone } from "@/components/Status";
import { Tag } from "@/components/Tag";
import { useFormat } from "@/lib/useFormat";
import { routesOptions } from "@/operator/queries";

type Target = Schema<"OperatorRouteTarget">;
const tones: Record<string, Tone> = { healthy: "good", resting: "bad", probing: "warn" };

export const Route = createFileRoute("/_app/operator/routes")({
  loader: ({ context }) => void context.queries.prefetchQuery(routesOptions()),
  component: Routes,
});

function Routes() {
  const { t } = useTranslation("routes");
  const format = useFormat();
  const queries = useQueryClient();
  // Targets rest for seconds: what is shown is never older than some.
  const routes = useQuery({ ...routesOptions(), refetchInterval: 5_000 });
  const reload = useMutation({
    meta: { inline: true },
    mutationFn: () => bodyOf(operatorClient.POST("/v1/insula/operator/routes/reload")),
    onSuccess: async ({ models }) => {
      await queries.invalidateQueries({ queryKey: routesOptions().queryKey });
      notifyDone(t("reloaded", { count: models.length }));
    },
  });
  const ms = (value: number | null) => (value === null ? "–" : format.duration(value));
  const state = (target: Target) => {
    const text =
      target.state === "resting" && target.rests_for_ms
        ? t("state.restingFor", { time: format.duration(target.rests_for_ms) })
        : target.state === "healthy" || target.state === "resting" || target.state === "probing"
          ? t(`state.${target.state}`)
          : target.state;
    return <Status tone={tones[target.state] ?? "off"}>{text}</Status>;
  };
  const columns: Column<Target>[] = [
    {
      key: "target",
      header: t("column.target"),
      cell: (target) => (
        <Group gap={6}>
          <Text inherit fw={500} span className="ltr">
            {target.provider} / {target.upstream_model}
          </Text>
          {target.local && (
            <Tooltip label={t("localHelp")}>
              <span>
                <Tag>{t("local")}</Tag>
              </span>
            </Tooltip>
          )}
        </Group>
      ),
    },
    { key: "state", header: t("column.state"), width: 180, cell: state },
    {
      key: "calls",
      header: t("column.calls"),
      align: "end",
      from: "sm",
      width: 90,
      cell: (target) => format.number(target.calls),
    },
    {
      key: "failed",
      header: t("column.failed"),
      align: "end",
      from: "sm",
      width: 110,
      cell: (target) => (target.calls ? format.percent(target.failed_calls / target.calls) : "–"),
    },
    {
      key: "first",
      header: t("column.first"),
      align: "end",
      from: "md",
      width: 120,
      cell: (target) => ms(target.first_token_ms),
    },
    {
      key: "whole",
      header: t("column.whole"),
      align: "end",
      from: "md",
      width: 120,
      cell: (target) => ms(target.whole_answer_ms),
    },
  ];
  return (
    <>
      <PageHeader
        title={t("title")}
        help={t("help")}
        actions={
          <Button
            variant="default"
            leftSection={<IconRefresh size={16} />}
            loading={reload.isPending}
            onClick={() => reload.mutate()}
          >
            {t("reload")}
          </Button>
        }
      />
      <Stack gap="md">
        {reload.error && <ErrorState error={reload.error} />}
        {routes.data?.data.map((route) => (
          <Panel
            key={route.model}
            title={
              <Group gap="xs">
                <Text fw={600} component="h2" className="ltr">
                  {route.model}
                </Text>
                <Text size="sm" c="dimmed">
                  {t("targets", { count: route.targets.length })}
                </Text>
              </Group>
            }
            flush
          >
            <DataTable
              label={route.model}
              columns={columns}
              rows={route.targets}
              rowKey={(target) => `${target.provider}/${target.upstream_model}`}
              empty={<EmptyState icon={IconRoute} title={t("none")} text={t("noneHelp")} />}
            />
          </Panel>
        ))}
        {(!routes.data || routes.data.data.length === 0) && (
          <Panel flush>
            <DataTable
              label={t("title")}
              columns={columns}
              rows={routes.data ? [] : undefined}
              rowKey={(target) => target.upstream_model}
              error={routes.error}
              retry={() => void routes.refetch()}
              empty={<EmptyState icon={IconRoute} title={t("none")} text={t("noneHelp")} />}
            />
          </Panel>
        )}
      </Stack>
    </>
  );
}
