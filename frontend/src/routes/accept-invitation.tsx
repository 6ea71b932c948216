import { Skeleton, Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { createFileRoute, useRouterState } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import { toApiError } from "@/api/error";
import { AcceptForm } from "@/auth/AcceptForm";
import { AuthFrame } from "@/auth/AuthFrame";
import { ErrorState } from "@/components/ErrorState";
import { ButtonLink } from "@/components/links";

export const Route = createFileRoute("/accept-invitation")({ component: AcceptInvitation });

function AcceptInvitation() {
  const { t } = useTranslation(["signIn", "shell"]);
  // After the `#`, which browsers tell no server: the token reaches no log.
  const token = useRouterState({ select: (state) => state.location.hash });
  const preview = useQuery({
    queryKey: ["invitation", token],
    queryFn: () => bodyOf(client.POST("/v1/insula/invitations/preview", { body: { token } })),
    enabled: token !== "",
    staleTime: Number.POSITIVE_INFINITY,
    meta: { quiet: true },
  });
  const invitation = preview.data;

  if (token === "" || (preview.error && toApiError(preview.error).status === 404)) {
    return (
      <AuthFrame title={t("invitation.gone")} help={t("invitation.goneHelp")}>
        <ButtonLink to="/sign-in" variant="default" fullWidth>
          {t("title")}
        </ButtonLink>
      </AuthFrame>
    );
  }
  return (
    <AuthFrame
      title={t("invitation.title")}
      help={
        invitation && (
          <>
            {invitation.tenants.map((tenant) => (
              <Text key={tenant.name} inherit>
                {t("invitation.tenant", { name: tenant.name, role: t(`shell:role.${tenant.role}`) })}
              </Text>
            ))}
            {invitation.operator && <Text inherit>{t("invitation.operator")}</Text>}
          </>
        )
      }
    >
      {preview.error ? (
        <ErrorState error={preview.error} retry={() => void preview.refetch()} />
      ) : invitation ? (
        <AcceptForm token={token} invitation={invitation} />
      ) : (
        <Skeleton h={180} />
      )}
    </AuthFrame>
  );
}
