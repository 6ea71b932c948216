import { Button, Stack, Text } from "@mantine/core";
import { IconDeviceLaptop } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { RelativeTime } from "@/components/RelativeTime";
import { Status } from "@/components/Status";
import { readUserAgent } from "@/lib/userAgent";
import { useSignOut } from "@/session/useSignOut";

type SessionInfo = Schema<"SessionInfo">;

/** Where the person is signed in; each can be ended from here. */
export function SessionList() {
  const { t } = useTranslation("account");
  const queries = useQueryClient();
  const signOut = useSignOut();
  const sessions = $api.useQuery("get", "/v1/insula/sessions");
  const end = useMutation({
    mutationFn: (id: string) =>
      bodyOf(client.DELETE("/v1/insula/sessions/{session_id}", { params: { path: { session_id: id } } })),
    onSettled: () => queries.invalidateQueries({ queryKey: ["get", "/v1/insula/sessions"] }),
  });
  const nameOf = ({ user_agent }: SessionInfo) => {
    const found = readUserAgent(user_agent);
    if (!found) return user_agent ?? t("sessions.unknown");
    return found.system ? t("sessions.device", { ...found, system: found.system }) : found.browser;
  };
  const columns: Column<SessionInfo>[] = [
    {
      key: "device",
      header: t("sessions.deviceColumn"),
      cell: (session) => (
        <Stack gap={0}>
          <Text inherit fw={500}>
            {nameOf(session)}
          </Text>
          <Text size="xs" c="dimmed" span className="ltr" style={{ alignSelf: "start" }}>
            {session.address ?? "–"}
          </Text>
        </Stack>
      ),
    },
    {
      key: "seen",
      header: t("sessions.seen"),
      cell: (session) =>
        session.current ? (
          <Status tone="good">{t("sessions.here")}</Status>
        ) : (
          <RelativeTime at={session.last_seen_at} />
        ),
    },
    {
      key: "begun",
      header: t("sessions.begun"),
      from: "sm",
      cell: (session) => <RelativeTime at={session.created_at} />,
    },
    {
      key: "ends",
      header: t("sessions.ends"),
      from: "md",
      cell: (session) => <RelativeTime at={session.expires_at} />,
    },
    {
      key: "end",
      header: t("sessions.end"),
      hiddenHeader: true,
      align: "end",
      cell: (session) => (
        <Button
          size="xs"
          variant="default"
          loading={end.isPending && end.variables === session.id}
          onClick={() => (session.current ? signOut.mutate() : end.mutate(session.id))}
        >
          {session.current ? t("signOut") : t("sessions.end")}
        </Button>
      ),
    },
  ];
  return (
    <DataTable
      label={t("sessions.title")}
      columns={columns}
      rows={sessions.data?.data}
      rowKey={(session) => session.id}
      error={sessions.error}
      retry={() => void sessions.refetch()}
      empty={<EmptyState icon={IconDeviceLaptop} title={t("sessions.none")} text={t("sessions.noneHelp")} />}
    />
  );
}
