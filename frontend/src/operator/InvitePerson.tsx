import { Modal, Select, Switch, TextInput } from "@mantine/core";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, operatorClient } from "@/api/client";
import type { Schema } from "@/api/paths";
import { FormBody, fieldError } from "@/components/FormBody";
import { type Role, RoleSelect } from "@/members/RoleSelect";
import { tenantsOptions } from "./queries";

interface Props {
  opened: boolean;
  onClose: () => void;
  onInvited: (invite: Schema<"CreatedInvite">) => void;
  /** Into this tenant, and no other. */
  tenant?: string;
}

/** Invites somebody to the install: into a tenant, to run it, or both. */
export function InvitePerson({ opened, onClose, ...rest }: Props) {
  const { t } = useTranslation("people");
  return (
    <Modal opened={opened} onClose={onClose} title={t("invite.title")}>
      <Form onClose={onClose} {...rest} />
    </Modal>
  );
}

function Form({ onClose, onInvited, tenant: fixed }: Omit<Props, "opened">) {
  const { t } = useTranslation("people");
  const queries = useQueryClient();
  const tenants = useQuery({ ...tenantsOptions(), enabled: fixed === undefined });
  const [email, setEmail] = useState("");
  const [runs, setRuns] = useState(false);
  const [tenant, setTenant] = useState<string | null>(fixed ?? null);
  const [role, setRole] = useState<Role>("owner");
  const invite = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        operatorClient.POST("/v1/organization/invites", {
          body: {
            email: email.trim(),
            role: runs ? "owner" : "reader",
            projects: tenant ? [{ id: tenant, role }] : [],
          },
        }),
      ),
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ["get", "/v1/organization/invites"] });
      onInvited(made);
    },
  });
  return (
    <FormBody
      submit={t("invite.submit")}
      onSubmit={() => invite.mutate()}
      onCancel={onClose}
      busy={invite.isPending}
      disabled={!email.trim() || (!tenant && !runs)}
      error={invite.error}
      fields={["email"]}
    >
      <TextInput
        type="email"
        label={t("invite.email")}
        value={email}
        onChange={(event) => setEmail(event.currentTarget.value)}
        required
        withAsterisk={false}
        dir="ltr"
        autoComplete="off"
        data-autofocus
        error={fieldError(invite.error, "email")}
      />
      {fixed === undefined && (
        <Select
          label={t("invite.tenant")}
          placeholder={t("invite.none")}
          value={tenant}
          onChange={setTenant}
          data={(tenants.data ?? []).map((one) => ({ value: one.id, label: one.name }))}
          searchable
          clearable
        />
      )}
      {tenant && <RoleSelect label={t("invite.role")} value={role} onChange={setRole} mayMakeOwners />}
      {fixed === undefined && (
        <Switch
          label={t("invite.runs")}
          description={t("invite.runsHelp")}
          checked={runs}
          onChange={(event) => setRuns(event.currentTarget.checked)}
        />
      )}
    </FormBody>
  );
}
