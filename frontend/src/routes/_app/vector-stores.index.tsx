import { Button, Stack, Text } from "@mantine/core";
import { IconDatabase, IconPlus } from "@tabler/icons-react";
import { createFileRoute, Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, cursor } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, rowLink } from "@/components/DataTable";
import { Guarded } from "@/components/Guarded";
import { ListPage } from "@/components/ListPage";
import { RelativeTime } from "@/components/RelativeTime";
import { Status } from "@/components/Status";
import { useFormat } from "@/lib/useFormat";
import { StoreForm } from "@/vector-stores/StoreForm";

export const Route = createFileRoute("/_app/vector-stores/")({ component: VectorStores });

function VectorStores() {
  const { t } = useTranslation("stores");
  const format = useFormat();
  const navigate = Route.useNavigate();
  const [creating, setCreating] = useState(false);
  const stores = $api.useInfiniteQuery(
    "get",
    "/v1/vector_stores",
    { params: { query: { limit: 50 } } },
    cursor,
  );
  const button = (
    <Guarded scope="vector_stores.write">
      <Button leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>
        {t("form.create")}
      </Button>
    </Guarded>
  );
  const columns: Column<Schema<"VectorStore">>[] = [
    {
      key: "name",
      header: t("column.name"),
      cell: (store) => (
        <Stack gap={0}>
          <Link to="/vector-stores/$storeId" params={{ storeId: store.id }} className={rowLink}>
            <bdi>{store.name || store.id}</bdi>
          </Link>
          {store.description && (
            <Text size="xs" c="dimmed" lineClamp={1} maw={360}>
              {store.description}
            </Text>
          )}
        </Stack>
      ),
    },
    {
      key: "state",
      header: t("column.state"),
      cell: (store) =>
        store.status === "expired" ? (
          <Status tone="off">{t("state.expired")}</Status>
        ) : store.file_counts.in_progress > 0 ? (
          <Status tone="busy">{t("state.reading", { count: store.file_counts.in_progress })}</Status>
        ) : store.file_counts.failed > 0 ? (
          <Status tone="warn">{t("state.failed", { count: store.file_counts.failed })}</Status>
        ) : store.file_counts.total === 0 ? (
          <Status tone="off">{t("state.empty")}</Status>
        ) : (
          <Status tone="good">{t("state.ready")}</Status>
        ),
    },
    {
      key: "files",
      header: t("column.files"),
      align: "end",
      from: "xs",
      cell: (store) => format.number(store.file_counts.total),
    },
    {
      key: "size",
      header: t("column.size"),
      align: "end",
      from: "sm",
      cell: (store) => format.bytes(store.usage_bytes),
    },
    {
      key: "model",
      header: t("column.model"),
      from: "md",
      cell: (store) => <span className="ltr">{store.embedding_model}</span>,
    },
    {
      key: "active",
      header: t("column.active"),
      from: "sm",
      cell: (store) => <RelativeTime at={store.last_active_at} />,
    },
  ];
  return (
    <>
      <ListPage
        title={t("title")}
        help={t("help")}
        columns={columns}
        query={stores}
        action={button}
        empty={{ icon: IconDatabase, title: t("empty.title"), text: t("empty.text") }}
      />
      <StoreForm
        opened={creating}
        onClose={() => setCreating(false)}
        onSaved={(store) => void navigate({ to: "/vector-stores/$storeId", params: { storeId: store.id } })}
      />
    </>
  );
}
