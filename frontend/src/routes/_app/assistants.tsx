import { ActionIcon, Button, Group, Stack, Text } from "@mantine/core";
import { IconMessages, IconPencil, IconPlus, IconRobot, IconTrash } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client, cursor } from "@/api/client";
import type { Schema } from "@/api/paths";
import { AssistantForm } from "@/assistants/AssistantForm";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { Guarded } from "@/components/Guarded";
import { ButtonLink } from "@/components/links";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { useFormat } from "@/lib/useFormat";
import { useStores } from "@/playground/useStores";

type Assistant = Schema<"Assistant">;

export const Route = createFileRoute("/_app/assistants")({ component: Assistants });

function Assistants() {
  const { t } = useTranslation("assistants");
  const format = useFormat();
  const queries = useQueryClient();
  const [asked, setAsked] = useState<Assistant | "new" | null>(null);
  const [gone, setGone] = useState<Assistant | null>(null);
  const names = new Map(useStores().options.map((store) => [store.value, store.label]));
  const assistants = $api.useInfiniteQuery(
    "get",
    "/v1/insula/assistants",
    { params: { query: { limit: 50 } } },
    cursor,
  );
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: (id: string) =>
      bodyOf(
        client.DELETE("/v1/insula/assistants/{assistant_id}", { params: { path: { assistant_id: id } } }),
      ),
    onSuccess: async () => {
      await queries.invalidateQueries({ queryKey: ["get", "/v1/insula/assistants"] });
      setGone(null);
    },
  });
  const button = (
    <Guarded scope="assistants.write">
      <Button leftSection={<IconPlus size={16} />} onClick={() => setAsked("new")}>
        {t("form.create")}
      </Button>
    </Guarded>
  );
  const columns: Column<Assistant>[] = [
    {
      key: "name",
      header: t("column.name"),
      cell: (assistant) => (
        <Stack gap={0} align="flex-start">
          <Text inherit fw={500} className="ltr">
            {assistant.name}
          </Text>
          {assistant.instructions && (
            <Text size="xs" c="dimmed" lineClamp={2} maw={420} dir="auto">
              {assistant.instructions}
            </Text>
          )}
        </Stack>
      ),
    },
    {
      key: "model",
      header: t("column.model"),
      from: "sm",
      cell: (assistant) => <span className="ltr">{assistant.model}</span>,
    },
    {
      key: "stores",
      header: t("column.stores"),
      from: "md",
      cell: (assistant) => format.list(assistant.vector_store_ids.map((id) => names.get(id) ?? id)) || "–",
    },
    {
      key: "actions",
      header: t("column.actions"),
      hiddenHeader: true,
      align: "end",
      cell: (assistant) => (
        <Group gap={4} justify="flex-end" wrap="nowrap">
          <ButtonLink
            size="xs"
            variant="default"
            to="/playground"
            search={{ mode: "chat", model: assistant.name }}
            leftSection={<IconMessages size={14} />}
          >
            {t("try")}
          </ButtonLink>
          <Guarded scope="assistants.write">
            <ActionIcon
              onClick={() => setAsked(assistant)}
              aria-label={t("form.change", { name: assistant.name })}
            >
              <IconPencil size={16} />
            </ActionIcon>
          </Guarded>
          <Guarded scope="assistants.write">
            <ActionIcon
              onClick={() => setGone(assistant)}
              aria-label={t("delete.title", { name: assistant.name })}
            >
              <IconTrash size={16} />
            </ActionIcon>
          </Guarded>
        </Group>
      ),
    },
  ];
  return (
    <>
      <PageHeader title={t("title")} help={t("help")} actions={button} />
      <Panel flush>
        <DataTable
          label={t("title")}
          columns={columns}
          rows={assistants.data?.pages.flatMap((page) => page.data)}
          rowKey={(assistant) => assistant.id}
          error={assistants.error}
          retry={() => void assistants.refetch()}
          more={assistants}
          empty={
            <EmptyState icon={IconRobot} title={t("empty.title")} text={t("empty.text")} action={button} />
          }
        />
      </Panel>
      <AssistantForm asked={asked} onClose={() => setAsked(null)} />
      <ConfirmDialog
        opened={gone !== null}
        onClose={() => setGone(null)}
        title={t("delete.title", { name: gone?.name ?? "" })}
        confirm={t("delete.action")}
        onConfirm={() => gone && remove.mutate(gone.id)}
        busy={remove.isPending}
        error={remove.error}
      >
        {t("delete.text")}
      </ConfirmDialog>
    </>
  );
}
