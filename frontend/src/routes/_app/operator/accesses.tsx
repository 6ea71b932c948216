import { Button, SegmentedControl } from "@mantine/core";
import { IconLock } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { type Access, AccessTable } from "@/access/AccessTable";
import { $operator, bodyOf, cursor, operatorClient } from "@/api/client";
import { ConfirmDialog } from "@/components/ConfirmDialog";
import { EmptyState } from "@/components/EmptyState";
import { AnchorLink, ButtonLink } from "@/components/links";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { accessesPath } from "@/operator/queries";
import { sessionOptions, useSession } from "@/session/session";
import { useSwitchTenant } from "@/session/useSwitchTenant";

export const Route = createFileRoute("/_app/operator/accesses")({
  validateSearch: (search: Record<string, unknown>): { open?: true } =>
    search.open === true ? { open: true } : {},
  component: Accesses,
});

/** Every break-glass of the install. Tenants see their own in their audit log. */
function Accesses() {
  const { t } = useTranslation("access");
  const { open } = Route.useSearch();
  const { access, person } = useSession();
  const enter = useSwitchTenant();
  const navigate = Route.useNavigate();
  const queries = useQueryClient();
  const [doomed, setDoomed] = useState<Access | null>(null);
  const accesses = $operator.useInfiniteQuery(
    "get",
    accessesPath,
    { params: { query: { limit: 50, ...(open ? { open } : {}) } } },
    { ...cursor, refetchInterval: 30_000 },
  );
  const end = useMutation({
    meta: { inline: true },
    mutationFn: (id: string) =>
      bodyOf(
        operatorClient.POST("/v1/insula/operator/accesses/{access_id}/end", {
          params: { path: { access_id: id } },
        }),
      ),
    onSuccess: async (_, id) => {
      // One's own: the session is in that tenant no more.
      if (access?.id === id) await queries.invalidateQueries({ queryKey: sessionOptions.queryKey });
      await queries.invalidateQueries({ queryKey: ["get", accessesPath] });
      setDoomed(null);
    },
  });
  return (
    <>
      <PageHeader title={t("list.title")} help={t("list.help")} />
      <Panel
        flush
        actions={
          <SegmentedControl
            size="xs"
            aria-label={t("list.filter")}
            value={open ? "open" : "all"}
            onChange={(value) =>
              void navigate({ search: value === "open" ? { open: true } : {}, replace: true })
            }
            data={[
              { value: "all", label: t("list.all") },
              { value: "open", label: t("state.open") },
            ]}
          />
        }
      >
        <AccessTable
          label={t("list.title")}
          rows={accesses.data?.pages.flatMap((page) => page.data)}
          error={accesses.error}
          retry={() => void accesses.refetch()}
          more={accesses}
          tenant={(one) => (
            <AnchorLink to="/operator/tenants/$id" params={{ id: one.tenant_id }} dir="auto" inherit>
              {one.tenant_name}
            </AnchorLink>
          )}
          onEnd={setDoomed}
          enter={(one) =>
            one.opened_by === person.id && (
              <Button
                size="xs"
                variant="default"
                loading={enter.isPending && enter.variables === one.tenant_id}
                onClick={() =>
                  one.id === access?.id ? void navigate({ to: "/" }) : enter.mutate(one.tenant_id)
                }
              >
                {t("enter")}
              </Button>
            )
          }
          empty={
            <EmptyState
              icon={IconLock}
              title={t(open ? "list.noneOpen" : "list.none")}
              text={t("list.noneHelp")}
              action={
                <ButtonLink variant="default" to="/operator/tenants">
                  {t("list.tenants")}
                </ButtonLink>
              }
            />
          }
        />
      </Panel>
      <ConfirmDialog
        opened={doomed !== null}
        onClose={() => {
          setDoomed(null);
          end.reset();
        }}
        title={t("end.title")}
        confirm={t("end.action")}
        busy={end.isPending}
        error={end.error}
        onConfirm={() => doomed && end.mutate(doomed.id)}
      >
        {t("end.text")}
      </ConfirmDialog>
    </>
  );
}
