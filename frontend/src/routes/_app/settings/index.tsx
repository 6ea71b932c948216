import { Group, SimpleGrid, Stack } from "@mantine/core";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { $api } from "@/api/client";
import { CopyButton } from "@/components/CopyButton";
import { Facts } from "@/components/Facts";
import { AnchorLink } from "@/components/links";
import { Panel } from "@/components/Panel";
import { StatCard } from "@/components/StatCard";
import { Preferences } from "@/components/shell/Preferences";
import { useFormat } from "@/lib/useFormat";
import { useCan, useSession } from "@/session/session";

export const Route = createFileRoute("/_app/settings/")({ component: General });

function General() {
  const { t } = useTranslation(["settings", "shell"]);
  const format = useFormat();
  const { tenant } = useSession();
  const may = useCan("files.read");
  const storage = $api.useQuery("get", "/v1/insula/usage/storage", undefined, { enabled: may });
  if (!tenant) return null;
  const note = (quota: number | null, write: (value: number) => string) =>
    quota === null ? t("storage.free") : t("storage.of", { quota: write(quota) });
  return (
    <Stack gap="md">
      <Panel title={t("general.title")}>
        <Facts
          facts={[
            { label: t("general.name"), value: tenant.name },
            {
              label: t("general.id"),
              value: (
                <Group gap={4}>
                  <code>{tenant.id}</code>
                  <CopyButton value={tenant.id} label={t("general.copy")} />
                </Group>
              ),
            },
            {
              label: t("general.role"),
              value: (
                <Group gap="xs">
                  {t(`shell:role.${tenant.role}`)}
                  <AnchorLink to="/members" fz="sm">
                    {t("general.members")}
                  </AnchorLink>
                </Group>
              ),
            },
            { label: t("general.language"), value: <Preferences /> },
          ]}
        />
      </Panel>
      {may && (
        <SimpleGrid cols={{ base: 1, xs: 3 }} spacing="md">
          {(["files", "bytes", "chunks"] as const).map((what) => {
            const figure = storage.data?.[what];
            const write = what === "bytes" ? format.bytes : format.number;
            return (
              <StatCard
                key={what}
                label={t(`storage.${what}`)}
                value={figure && write(figure.used)}
                note={figure && note(figure.quota ?? null, write)}
              />
            );
          })}
        </SimpleGrid>
      )}
    </Stack>
  );
}
