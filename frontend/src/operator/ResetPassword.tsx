import { useMutation } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { bodyOf, operatorClient } from "@/api/client";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { SecretDialog } from "@/components/SecretDialog";

interface Props {
  /** Who has lost the password; null: closed. */
  person: { email: string; name?: string | null } | null;
  onClose: () => void;
}

/** A link with which a person chooses a new password: nobody here learns it. */
export function ResetPassword({ person, onClose }: Props) {
  const { t } = useTranslation("people");
  const make = useMutation({
    meta: { inline: true },
    mutationFn: (email: string) =>
      bodyOf(operatorClient.POST("/v1/insula/operator/people/password_resets", { body: { email } })),
  });
  const close = () => {
    make.reset();
    onClose();
  };
  return (
    <>
      <ConfirmDialog
        opened={person !== null && !make.data}
        onClose={close}
        title={t("reset.title", { name: person?.name ?? person?.email ?? "" })}
        confirm={t("reset.submit")}
        busy={make.isPending}
        error={make.error}
        harmless
        onConfirm={() => person && make.mutate(person.email)}
      >
        {t("reset.text")}
      </ConfirmDialog>
      <SecretDialog
        secret={make.data?.url ?? null}
        onClose={close}
        title={t("reset.link", { email: make.data?.email ?? "" })}
        text={t("reset.linkText")}
      />
    </>
  );
}
