import { Alert } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { ApiError } from "@/api/error";
import { ErrorState } from "@/components/ErrorState";

/** What stood in the way of a sign-in; `left` counts a wait down. */
export function SignInError({ error, left }: { error: ApiError | null; left: number }) {
  const { t } = useTranslation("signIn");
  if (!error) return null;
  if (error.code === "invalid_credentials") {
    return (
      <Alert color="red" role="alert">
        {t("invalid")}
      </Alert>
    );
  }
  if (error.status === 429 && error.retryAfterSeconds) {
    return (
      <Alert color="yellow" role="alert">
        {left > 0 ? t("slowed", { count: left }) : t("again")}
      </Alert>
    );
  }
  return <ErrorState error={error} />;
}

/** Why the identity provider's way failed, by the code that it came back with. */
export function ProviderError({ code }: { code: string }) {
  const { t } = useTranslation("signIn");
  const text =
    code === "not_invited"
      ? t("provider.not_invited")
      : code === "invalid_credentials"
        ? t("provider.invalid_credentials")
        : t("failed", { code });
  return (
    <Alert color="red" role="alert">
      {text}
    </Alert>
  );
}
