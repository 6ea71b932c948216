import { Autocomplete, Modal, PasswordInput } from "@mantine/core";
import { useMutation } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import { FormBody, fieldError } from "@/components/FormBody";

interface Props {
  opened: boolean;
  onClose: () => void;
  onAdded: () => void;
}

export function AddProviderKey({ opened, onClose, onAdded }: Props) {
  const { t } = useTranslation("providerKeys");
  return (
    <Modal opened={opened} onClose={onClose} title={t("add")}>
      <Form onClose={onClose} onAdded={onAdded} />
    </Modal>
  );
}

function Form({ onClose, onAdded }: Omit<Props, "opened">) {
  const { t } = useTranslation(["providerKeys", "signIn"]);
  const routes = $api.useQuery("get", "/v1/insula/routes");
  // A provider on this machine needs no key.
  const targets = routes.data?.data.flatMap((route) => route.targets.filter((target) => !target.local)) ?? [];
  const known = [...new Set(targets.map((target) => target.provider))].sort();
  const [provider, setProvider] = useState("");
  const [key, setKey] = useState("");
  const add = useMutation({
    meta: { inline: true },
    mutationFn: () =>
      bodyOf(
        client.POST("/v1/insula/provider_keys", { body: { provider: provider.trim(), key: key.trim() } }),
      ),
    onSuccess: onAdded,
  });
  return (
    <FormBody
      submit={t("add")}
      onSubmit={() => add.mutate()}
      onCancel={onClose}
      busy={add.isPending}
      disabled={!provider.trim() || key.trim().length < 8}
      error={add.error}
      fields={["provider", "key"]}
    >
      <Autocomplete
        label={t("column.provider")}
        description={t("providerHelp")}
        data={known}
        value={provider}
        onChange={setProvider}
        maxLength={63}
        dir="ltr"
        data-autofocus
        error={fieldError(add.error, "provider")}
      />
      <PasswordInput
        label={t("column.key")}
        description={t("keyHelp")}
        value={key}
        onChange={(event) => setKey(event.currentTarget.value)}
        maxLength={4096}
        autoComplete="off"
        dir="ltr"
        error={fieldError(add.error, "key")}
        visibilityToggleButtonProps={{ "aria-label": t("signIn:show") }}
      />
    </FormBody>
  );
}
