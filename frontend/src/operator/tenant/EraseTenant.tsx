import { List, Stack, Text } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { bodyOf, operatorClient } from "@/api/client";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { erasuresPath, stateOf, type Tenant, tenantsOptions } from "../queries";

interface Props {
  tenant: Tenant;
  opened: boolean;
  onClose: () => void;
}

/** Two steps, so that none is taken by mistake: a tenant is suspended, and then erased under its typed name. */
export function EraseTenant({ tenant, opened, onClose }: Props) {
  const { t } = useTranslation(["erasures", "tenants"]);
  const queries = useQueryClient();
  const navigate = useNavigate();
  const params = { path: { tenant_id: tenant.id } };
  const refresh = () => queries.invalidateQueries({ queryKey: tenantsOptions().queryKey });
  const active = stateOf(tenant) === "active";
  const suspend = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(operatorClient.POST("/v1/insula/operator/tenants/{tenant_id}/suspend", { params })),
    onSuccess: refresh,
  });
  const erase = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        operatorClient.POST("/v1/insula/operator/tenants/{tenant_id}/erase", {
          params,
          body: { confirm: tenant.tenant_name },
        }),
      ),
    onSuccess: async (erasure) => {
      void refresh();
      void queries.invalidateQueries({ queryKey: ["get", erasuresPath] });
      await navigate({ to: "/operator/erasures/$id", params: { id: erasure.id } });
    },
  });
  const close = () => {
    suspend.reset();
    erase.reset();
    onClose();
  };
  if (active) {
    return (
      <ConfirmDialog
        opened={opened}
        onClose={close}
        title={t("erase.first", { name: tenant.name })}
        confirm={t("tenants:suspend.action")}
        busy={suspend.isPending}
        error={suspend.error}
        onConfirm={() => suspend.mutate()}
      >
        {t("erase.firstText")}
      </ConfirmDialog>
    );
  }
  return (
    <ConfirmDialog
      opened={opened}
      onClose={close}
      title={t("erase.title", { name: tenant.name })}
      confirm={t("erase.submit")}
      phrase={tenant.tenant_name}
      busy={erase.isPending}
      error={erase.error}
      onConfirm={() => erase.mutate()}
    >
      <Stack gap="xs">
        <Text inherit>{t("erase.text")}</Text>
        <List size="sm" spacing={4}>
          <List.Item>{t("erase.gone")}</List.Item>
          <List.Item>{t("erase.kept")}</List.Item>
          <List.Item>{t("erase.ever")}</List.Item>
        </List>
      </Stack>
    </ConfirmDialog>
  );
}
