import { ActionIcon, Button, Group, Menu, Modal, TextInput } from "@mantine/core";
import {
  IconDots,
  IconEraser,
  IconLockOpen2,
  IconPencil,
  IconPlayerPause,
  IconPlayerPlay,
} from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, operatorClient } from "@/api/client";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { FormBody, fieldError } from "@/components/FormBody";
import { stateOf, type Tenant, tenantsOptions } from "../queries";
import { EraseTenant } from "./EraseTenant";
import { OpenAccess } from "./OpenAccess";

export function TenantActions({ tenant }: { tenant: Tenant }) {
  const { t } = useTranslation(["tenants", "access", "erasures"]);
  const queries = useQueryClient();
  const [asked, setAsked] = useState<"rename" | "suspend" | "open" | "erase" | null>(null);
  const close = () => setAsked(null);
  const params = { path: { tenant_id: tenant.id } };
  // The list, and each tenant under it.
  const refresh = () => queries.invalidateQueries({ queryKey: tenantsOptions().queryKey });
  const suspend = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(operatorClient.POST("/v1/insula/operator/tenants/{tenant_id}/suspend", { params })),
    onSuccess: () => refresh().then(close),
  });
  const resume = useMutation({
    mutationFn: () =>
      bodyOf(operatorClient.POST("/v1/insula/operator/tenants/{tenant_id}/resume", { params })),
    onSuccess: refresh,
  });
  const active = stateOf(tenant) === "active";
  return (
    <Group gap="xs">
      {active ? (
        <Button
          variant="default"
          leftSection={<IconPlayerPause size={16} />}
          onClick={() => setAsked("suspend")}
        >
          {t("suspend.action")}
        </Button>
      ) : (
        <Button
          leftSection={<IconPlayerPlay size={16} />}
          loading={resume.isPending}
          disabled={stateOf(tenant) === "archived"}
          onClick={() => resume.mutate()}
        >
          {t("resume")}
        </Button>
      )}
      <Menu position="bottom-end">
        <Menu.Target>
          <ActionIcon size="lg" variant="default" aria-label={t("more")}>
            <IconDots size={16} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item leftSection={<IconPencil size={15} />} onClick={() => setAsked("rename")}>
            {t("rename.action")}
          </Menu.Item>
          <Menu.Item
            leftSection={<IconLockOpen2 size={15} />}
            disabled={!active}
            onClick={() => setAsked("open")}
          >
            {t("access:open.action")}
          </Menu.Item>
          <Menu.Divider />
          <Menu.Item
            c="var(--mantine-color-error)"
            leftSection={<IconEraser size={15} />}
            onClick={() => setAsked("erase")}
          >
            {t("erasures:erase.action")}
          </Menu.Item>
        </Menu.Dropdown>
      </Menu>
      <ConfirmDialog
        opened={asked === "suspend"}
        onClose={close}
        title={t("suspend.title", { name: tenant.name })}
        confirm={t("suspend.action")}
        onConfirm={() => suspend.mutate()}
        busy={suspend.isPending}
        error={suspend.error}
      >
        {t("suspend.text")}
      </ConfirmDialog>
      <OpenAccess tenant={tenant} opened={asked === "open"} onClose={close} />
      <EraseTenant tenant={tenant} opened={asked === "erase"} onClose={close} />
      <Modal opened={asked === "rename"} onClose={close} title={t("rename.title")}>
        <Rename tenant={tenant} onDone={() => refresh().then(close)} onCancel={close} />
      </Modal>
    </Group>
  );
}

function Rename({ tenant, onDone, onCancel }: { tenant: Tenant; onDone: () => void; onCancel: () => void }) {
  const { t } = useTranslation("tenants");
  const [name, setName] = useState(tenant.name);
  const save = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        operatorClient.POST("/v1/organization/projects/{project_id}", {
          params: { path: { project_id: tenant.id } },
          body: { name: name.trim() },
        }),
      ),
    onSuccess: onDone,
  });
  return (
    <FormBody
      submit={t("rename.action")}
      onSubmit={() => save.mutate()}
      onCancel={onCancel}
      busy={save.isPending}
      disabled={!name.trim() || name.trim() === tenant.name}
      error={save.error}
      fields={["name"]}
    >
      <TextInput
        label={t("create.name")}
        description={t("create.nameHelp")}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        dir="auto"
        maxLength={128}
        data-autofocus
        error={fieldError(save.error, "name")}
      />
    </FormBody>
  );
}
