import { Button, Stack, Text } from "@mantine/core";
import { IconPackage, IconPlus } from "@tabler/icons-react";
import { createFileRoute, Link } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, cursor } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, rowLink } from "@/components/DataTable";
import { Guarded } from "@/components/Guarded";
import { ListPage } from "@/components/ListPage";
import { RelativeTime } from "@/components/RelativeTime";
import { useFormat } from "@/lib/useFormat";
import { ModelForm } from "@/models/ModelForm";
import { ModelState } from "@/models/ModelState";

export const Route = createFileRoute("/_app/models/")({ component: Models });

function Models() {
  const { t } = useTranslation("models");
  const format = useFormat();
  const navigate = Route.useNavigate();
  const [creating, setCreating] = useState(false);
  const models = $api.useInfiniteQuery(
    "get",
    "/v1/insula/models",
    { params: { query: { limit: 50 } } },
    cursor,
  );
  const button = (
    <Guarded scope="registry.write">
      <Button leftSection={<IconPlus size={16} />} onClick={() => setCreating(true)}>
        {t("form.create")}
      </Button>
    </Guarded>
  );
  const columns: Column<Schema<"RegisteredModel">>[] = [
    {
      key: "name",
      header: t("column.name"),
      cell: (model) => (
        <Stack gap={0}>
          <Link to="/models/$name" params={{ name: model.name }} className={rowLink}>
            <span className="ltr">{model.name}</span>
          </Link>
          {model.description && (
            <Text size="xs" c="dimmed" lineClamp={1} maw={360} dir="auto">
              {model.description}
            </Text>
          )}
        </Stack>
      ),
    },
    { key: "state", header: t("column.state"), cell: (model) => <ModelState model={model} /> },
    {
      key: "latest",
      header: t("column.latest"),
      align: "end",
      from: "sm",
      cell: (model) => (model.latest_version === null ? "–" : format.number(model.latest_version)),
    },
    {
      key: "updated",
      header: t("column.updated"),
      from: "sm",
      cell: (model) => <RelativeTime at={model.updated_at} />,
    },
  ];
  return (
    <>
      <ListPage
        title={t("title")}
        help={t("help")}
        columns={columns}
        query={models}
        action={button}
        empty={{ icon: IconPackage, title: t("empty.title"), text: t("empty.text") }}
      />
      <ModelForm
        opened={creating}
        onClose={() => setCreating(false)}
        onSaved={(model) => void navigate({ to: "/models/$name", params: { name: model.name } })}
      />
    </>
  );
}
