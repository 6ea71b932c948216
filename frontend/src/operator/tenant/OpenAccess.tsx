import { Alert, Modal, Select, Textarea } from "@mantine/core";
import { IconInfoCircle } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, operatorClient } from "@/api/client";
import { FormBody, fieldError } from "@/components/FormBody";
import { useSwitchTenant } from "@/session/useSwitchTenant";
import type { Tenant } from "../queries";

const lengths = [15, 30, 60, 120, 240];
const reasonFrom = 10;
const reasonTo = 500;

interface Props {
  tenant: Tenant;
  opened: boolean;
  onClose: () => void;
}

/** Break-glass: for a stated reason and a stated time, and in sight of the tenant. */
export function OpenAccess({ opened, onClose, tenant }: Props) {
  const { t } = useTranslation("access");
  return (
    <Modal opened={opened} onClose={onClose} title={t("open.title", { name: tenant.name })}>
      <Form tenant={tenant} onClose={onClose} />
    </Modal>
  );
}

function Form({ tenant, onClose }: Omit<Props, "opened">) {
  const { t } = useTranslation("access");
  const [reason, setReason] = useState("");
  const [minutes, setMinutes] = useState("30");
  const enter = useSwitchTenant();
  const open = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        operatorClient.POST("/v1/insula/operator/tenants/{tenant_id}/access", {
          params: { path: { tenant_id: tenant.id } },
          body: { reason: reason.trim(), minutes: Number(minutes) },
        }),
      ),
    onSuccess: () => enter.mutateAsync(tenant.id),
  });
  return (
    <FormBody
      submit={t("open.submit")}
      onSubmit={() => open.mutate()}
      onCancel={onClose}
      busy={open.isPending}
      disabled={reason.trim().length < reasonFrom}
      error={open.error}
      fields={["reason", "minutes"]}
    >
      <Alert color="yellow" variant="light" icon={<IconInfoCircle />}>
        {t("open.text")}
      </Alert>
      <Textarea
        label={t("open.reason")}
        description={t("open.reasonHelp", { count: reasonFrom })}
        value={reason}
        onChange={(event) => setReason(event.currentTarget.value)}
        required
        withAsterisk={false}
        maxLength={reasonTo}
        autosize
        minRows={3}
        maxRows={8}
        dir="auto"
        data-autofocus
        error={fieldError(open.error, "reason")}
      />
      <Select
        label={t("open.minutes")}
        value={minutes}
        onChange={(value) => value && setMinutes(value)}
        data={lengths.map((length) => ({
          value: String(length),
          label: t("open.length", { count: length }),
        }))}
        error={fieldError(open.error, "minutes")}
      />
    </FormBody>
  );
}
