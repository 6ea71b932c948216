import { Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { createFileRoute, useRouterState } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import { toApiError } from "@/api/error";
import { AuthFrame } from "@/auth/AuthFrame";
import { ResetForm } from "@/auth/ResetForm";
import { ErrorState } from "@/components/ErrorState";
import { ButtonLink } from "@/components/links";

export const Route = createFileRoute("/reset-password")({ component: ResetPassword });

function ResetPassword() {
  const { t } = useTranslation("signIn");
  // After the `#`, which browsers tell no server: the token reaches no log.
  const token = useRouterState({ select: (state) => state.location.hash });
  const preview = useQuery({
    queryKey: ["password reset", token],
    queryFn: () => bodyOf(client.POST("/v1/insula/password_resets/preview", { body: { token } })),
    enabled: token !== "",
    staleTime: Number.POSITIVE_INFINITY,
    meta: { quiet: true },
  });
  if (token === "" || (preview.error && toApiError(preview.error).status === 404)) {
    return (
      <AuthFrame title={t("reset.gone")} help={t("reset.goneHelp")}>
        <ButtonLink to="/sign-in" variant="default" fullWidth>
          {t("title")}
        </ButtonLink>
      </AuthFrame>
    );
  }
  return (
    <AuthFrame title={t("reset.title")} help={<Text inherit>{t("reset.help")}</Text>}>
      {preview.error ? (
        <ErrorState error={preview.error} retry={() => void preview.refetch()} />
      ) : preview.data ? (
        <ResetForm token={token} reset={preview.data} />
      ) : (
        <Skeleton h={180} />
      )}
    </AuthFrame>
  );
}
