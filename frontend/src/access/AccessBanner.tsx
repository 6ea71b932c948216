import { Button, Group, Stack } from "@mantine/core";
import { IconLockOpen2 } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { useEffect } from "react";
import { useTranslation } from "react-i18next";
import { bodyOf, operatorClient } from "@/api/client";
import { useFormat } from "@/lib/useFormat";
import { type Session, useSession } from "@/session/session";
import { noteSwitch } from "@/session/switched";
import classes from "./AccessBanner.module.css";
import { useTimeLeft } from "./useTimeLeft";

/** On every page while a tenant is open by break-glass: what it is for, how long it lasts, and the way out. */
export function AccessBanner() {
  const { access, tenant } = useSession();
  return access && tenant ? <Banner access={access} tenant={tenant} /> : null;
}

function Banner({
  access,
  tenant,
}: {
  access: NonNullable<Session["access"]>;
  tenant: NonNullable<Session["tenant"]>;
}) {
  const { t } = useTranslation("access");
  const format = useFormat();
  const left = useTimeLeft(access.expires_at);
  const over = left === 0;
  const leave = () => {
    noteSwitch();
    // A full load: nothing that was read in the tenant stays in memory.
    window.location.assign(`/operator/tenants/${tenant.id}`);
  };
  const end = useMutation({
    mutationFn: () =>
      bodyOf(
        operatorClient.POST("/v1/insula/operator/accesses/{access_id}/end", {
          params: { path: { access_id: access.id } },
        }),
      ),
    onSuccess: leave,
  });
  // By the server's clock: this one may be ahead, and would come back here again and again.
  // biome-ignore lint/correctness/useExhaustiveDependencies: once, when the time is up
  useEffect(() => {
    if (!over) return;
    const ask = () =>
      bodyOf(operatorClient.GET("/v1/insula/session")).then(
        (session) => session.access === null && leave(),
        // It is asked again.
        () => undefined,
      );
    void ask();
    const timer = setInterval(ask, 2_000);
    return () => clearInterval(timer);
  }, [over]);
  return (
    <section className={classes.banner} aria-label={t("title")}>
      <Group justify="space-between" gap="xs">
        <Group gap="sm" wrap="nowrap" align="flex-start" flex="1 1 260px" miw={0}>
          <IconLockOpen2 size={18} aria-hidden style={{ flex: "none", marginBlockStart: 1 }} />
          <Stack gap={0} miw={0}>
            <span>
              {t("inside", { name: tenant.name })}{" "}
              <span className={classes.left} role="timer">
                {t("timeLeft", { time: format.clock(left) })}
              </span>
            </span>
            <span className={classes.reason} dir="auto">
              {access.reason}
            </span>
          </Stack>
        </Group>
        <Button
          size="xs"
          color="dark.6"
          onClick={() => end.mutate()}
          loading={end.isPending || end.isSuccess}
        >
          {t("end.leave")}
        </Button>
      </Group>
    </section>
  );
}
