import { Modal, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { FormBody, fieldError } from "@/components/FormBody";
import { notifyDone } from "@/components/notifyError";
import { type Tenant, tenantsOptions } from "./queries";

interface Props {
  opened: boolean;
  onClose: () => void;
  onInvited: (invite: Schema<"CreatedInvite">) => void;
}

export function CreateTenant({ opened, onClose, onInvited }: Props) {
  const { t } = useTranslation("tenants");
  return (
    <Modal opened={opened} onClose={onClose} title={t("create.title")}>
      <Form onClose={onClose} onInvited={onInvited} />
    </Modal>
  );
}

function Form({ onClose, onInvited }: Omit<Props, "opened">) {
  const { t } = useTranslation("tenants");
  const queries = useQueryClient();
  const [name, setName] = useState("");
  const [email, setEmail] = useState("");
  // Kept over a refused invitation: the second try is about the person alone.
  const [made, setMade] = useState<Tenant | null>(null);
  const create = useMutation({
    meta: { inline: true },
    mutationFn: async () => {
      const tenant =
        made ??
        (await bodyOf(operatorClient.POST("/v1/organization/projects", { body: { name: name.trim() } })));
      setMade(tenant);
      if (!email.trim()) return null;
      return bodyOf(
        operatorClient.POST("/v1/organization/invites", {
          body: { email: email.trim(), role: "reader", projects: [{ id: tenant.id, role: "owner" }] },
        }),
      );
    },
    onSuccess: (invite) => {
      notifyDone(t("create.done", { name: name.trim() }));
      onClose();
      if (invite) onInvited(invite);
    },
    onSettled: () => queries.invalidateQueries({ queryKey: tenantsOptions().queryKey }),
  });
  return (
    <FormBody
      submit={t("create.submit")}
      onSubmit={() => create.mutate()}
      onCancel={onClose}
      busy={create.isPending}
      disabled={!name.trim()}
      error={create.error}
      fields={["name", "email"]}
    >
      <TextInput
        label={t("create.name")}
        description={t("create.nameHelp")}
        value={name}
        onChange={(event) => setName(event.currentTarget.value)}
        required
        withAsterisk={false}
        readOnly={made !== null}
        dir="auto"
        maxLength={128}
        autoComplete="off"
        data-autofocus
        error={fieldError(create.error, "name")}
      />
      <TextInput
        type="email"
        label={t("create.owner")}
        description={t("create.ownerHelp")}
        value={email}
        onChange={(event) => setEmail(event.currentTarget.value)}
        dir="ltr"
        autoComplete="off"
        error={fieldError(create.error, "email")}
      />
    </FormBody>
  );
}
