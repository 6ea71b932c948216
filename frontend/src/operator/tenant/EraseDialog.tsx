import { Button, Group, Modal, Stack, Text } from "@mantine/core";
import { IconDownload } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useNavigate } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { bodyOf, operatorClient } from "@/api/client";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { Facts } from "@/components/Facts";
import { download } from "@/lib/download";
import { useFormat } from "@/lib/useFormat";
import { type Tenant, tenantsOptions } from "../queries";

interface Props {
  tenant: Tenant;
  opened: boolean;
  onClose: () => void;
}

/** Deletes everything of a tenant, and hands out the receipt: the only trace that is left. */
export function EraseDialog({ tenant, opened, onClose }: Props) {
  const { t } = useTranslation(["tenants", "common"]);
  const format = useFormat();
  const queries = useQueryClient();
  const navigate = useNavigate();
  const erase = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        operatorClient.POST("/v1/insula/operator/tenants/{tenant_id}/erase", {
          params: { path: { tenant_id: tenant.id } },
          body: { confirm: tenant.tenant_name },
        }),
      ),
  });
  const receipt = erase.data;
  const save = () =>
    receipt &&
    download(
      `insula-erasure-${receipt.tenant_id}.json`,
      `${JSON.stringify(receipt, null, 2)}\n`,
      "application/json",
    );
  const leave = async () => {
    await navigate({ to: "/operator/tenants" });
    await queries.invalidateQueries({ queryKey: tenantsOptions().queryKey });
  };
  if (!receipt) {
    return (
      <ConfirmDialog
        opened={opened}
        onClose={onClose}
        title={t("erase.title", { name: tenant.name })}
        confirm={t("erase.confirm")}
        onConfirm={() => erase.mutate()}
        busy={erase.isPending}
        error={erase.error}
        phrase={tenant.tenant_name}
      >
        {t("erase.text")}
      </ConfirmDialog>
    );
  }
  return (
    <Modal
      opened={opened}
      onClose={() => void leave()}
      title={t("erase.done", { name: receipt.name })}
      closeOnClickOutside={false}
      closeOnEscape={false}
      withCloseButton={false}
    >
      <Stack gap="md">
        <Text>{t("erase.receipt")}</Text>
        <Facts
          facts={[
            { label: t("erase.at"), value: format.dateTime(receipt.erased_at) },
            ...Object.entries(receipt.deleted).map(([what, count]) => ({
              label: what.replaceAll("_", " "),
              value: format.number(count),
            })),
            { label: t("erase.head"), value: <code>{receipt.audit_head}</code> },
          ]}
        />
        <Group justify="flex-end" gap="xs">
          <Button variant="default" leftSection={<IconDownload size={16} />} onClick={save}>
            {t("erase.download")}
          </Button>
          <Button onClick={() => void leave()}>{t("common:done")}</Button>
        </Group>
      </Stack>
    </Modal>
  );
}
