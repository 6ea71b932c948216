import { Modal, Radio, Stack, TextInput } from "@mantine/core";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { FormBody, fieldError } from "@/components/FormBody";
import { useSession } from "@/session/session";
import { type Role, roles } from "./RoleSelect";

interface Props {
  opened: boolean;
  onClose: () => void;
  onInvited: (invite: Schema<"CreatedMemberInvite">) => void;
}

export function InviteDialog({ opened, onClose, onInvited }: Props) {
  const { t } = useTranslation("members");
  return (
    <Modal opened={opened} onClose={onClose} title={t("invite.title")}>
      <Form onClose={onClose} onInvited={onInvited} />
    </Modal>
  );
}

function Form({ onClose, onInvited }: Omit<Props, "opened">) {
  const { t } = useTranslation(["members", "shell"]);
  const own = useSession().tenant?.role;
  const queries = useQueryClient();
  const [email, setEmail] = useState("");
  const [role, setRole] = useState<Role>("developer");
  const invite = useMutation({
    meta: { inline: true },
    mutationFn: () => bodyOf(client.POST("/v1/insula/invites", { body: { email: email.trim(), role } })),
    onSuccess: (made) => {
      void queries.invalidateQueries({ queryKey: ["get", "/v1/insula/invites"] });
      onInvited(made);
    },
  });
  return (
    <FormBody
      submit={t("invite.submit")}
      onSubmit={() => invite.mutate()}
      onCancel={onClose}
      busy={invite.isPending}
      disabled={!email.trim()}
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
      <Radio.Group label={t("invite.role")} value={role} onChange={(value) => setRole(value as Role)}>
        <Stack gap="xs" mt={6}>
          {roles.map((one) => (
            <Radio
              key={one}
              value={one}
              label={t(`shell:role.${one}`)}
              description={
                one === "owner" && own !== "owner" ? t("only.makeOwners") : t(`roles.short.${one}`)
              }
              disabled={one === "owner" && own !== "owner"}
            />
          ))}
        </Stack>
      </Radio.Group>
    </FormBody>
  );
}
