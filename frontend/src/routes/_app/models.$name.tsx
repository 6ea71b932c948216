import { ActionIcon, Button, Menu, Stack } from "@mantine/core";
import { IconDots, IconPencil, IconTrash, IconUpload } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client, cursor } from "@/api/client";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { ErrorState } from "@/components/ErrorState";
import { Guarded } from "@/components/Guarded";
import { PageHeader } from "@/components/PageHeader";
import { Activations } from "@/models/Activations";
import { ModelForm } from "@/models/ModelForm";
import { ModelState } from "@/models/ModelState";
import { refreshModels } from "@/models/queries";
import { Serving } from "@/models/Serving";
import { TryIt } from "@/models/TryIt";
import { UploadVersion } from "@/models/UploadVersion";
import { Versions } from "@/models/Versions";
import { useCan } from "@/session/session";

export const Route = createFileRoute("/_app/models/$name")({ component: OneModel });

function OneModel() {
  const { t } = useTranslation("models");
  const { name } = Route.useParams();
  const navigate = Route.useNavigate();
  const queries = useQueryClient();
  const may = useCan("registry.write");
  const [asked, setAsked] = useState<"edit" | "upload" | "delete" | null>(null);
  const close = () => setAsked(null);
  const found = $api.useQuery("get", "/v1/insula/models/{model_name}", {
    params: { path: { model_name: name } },
  });
  const model = found.data;
  const versions = $api.useInfiniteQuery(
    "get",
    "/v1/insula/models/{model_name}/versions",
    { params: { path: { model_name: name }, query: { limit: 50 } } },
    cursor,
  );
  const rows = versions.data?.pages.flatMap((page) => page.data);
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(client.DELETE("/v1/insula/models/{model_name}", { params: { path: { model_name: name } } })),
    onSuccess: async () => {
      await navigate({ to: "/models" });
      void refreshModels(queries);
    },
  });
  const upload = (
    <Guarded scope="registry.write">
      <Button leftSection={<IconUpload size={16} />} onClick={() => setAsked("upload")}>
        {t("upload.action")}
      </Button>
    </Guarded>
  );
  return (
    <>
      <PageHeader
        title={name}
        help={model?.description || t("oneHelp")}
        crumbs={[{ label: t("title"), to: "/models" }]}
        aside={model && <ModelState model={model} />}
        actions={
          model && (
            <>
              {upload}
              <Menu position="bottom-end">
                <Menu.Target>
                  <ActionIcon size="lg" variant="default" aria-label={t("more")}>
                    <IconDots size={16} />
                  </ActionIcon>
                </Menu.Target>
                <Menu.Dropdown>
                  <Menu.Item
                    leftSection={<IconPencil size={14} />}
                    disabled={!may}
                    onClick={() => setAsked("edit")}
                  >
                    {t("form.change")}
                  </Menu.Item>
                  <Menu.Item
                    leftSection={<IconTrash size={14} />}
                    disabled={!may}
                    onClick={() => setAsked("delete")}
                  >
                    {t("delete.action")}
                  </Menu.Item>
                </Menu.Dropdown>
              </Menu>
            </>
          )
        }
      />
      {found.error && <ErrorState error={found.error} retry={() => void found.refetch()} />}
      {model && (
        <Stack gap="md">
          {model.latest_version !== null && <Serving model={model} versions={rows} />}
          {rows && rows.length > 0 && <TryIt model={model} versions={rows} />}
          <Versions model={model} rows={rows} query={versions} upload={upload} />
          {model.latest_version !== null && <Activations name={name} />}
          <ModelForm opened={asked === "edit"} onClose={close} model={model} onSaved={close} />
          <UploadVersion opened={asked === "upload"} onClose={close} name={name} />
        </Stack>
      )}
      <ConfirmDialog
        opened={asked === "delete"}
        onClose={close}
        title={t("delete.title", { name })}
        confirm={t("delete.action")}
        phrase={name}
        onConfirm={() => remove.mutate()}
        busy={remove.isPending}
        error={remove.error}
      >
        {t("delete.text")}
      </ConfirmDialog>
    </>
  );
}
