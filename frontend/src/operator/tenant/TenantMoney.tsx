import { Button, Stack } from "@mantine/core";
import { IconPigMoney, IconPlus } from "@tabler/icons-react";
import { useMutation, useQuery, useQueryClient } from "@tanstack/react-query";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $operator, bodyOf, operatorClient } from "@/api/client";
import { toApiError } from "@/api/error";
import { BudgetList } from "@/budgets/BudgetList";
import { type Budget, type Draft, draftOf } from "@/budgets/budget";
import { EmptyState } from "@/components/EmptyState";
import { Panel } from "@/components/Panel";
import { SpendLimit } from "./SpendLimit";

/** What a tenant may spend, as far as the operator says so. Its own budgets are its own. */
export function TenantMoney({ id }: { id: string }) {
  const { t } = useTranslation(["tenants", "budgets"]);
  const queries = useQueryClient();
  const params = { path: { tenant_id: id } };
  const options = $operator.queryOptions("get", "/v1/insula/operator/tenants/{tenant_id}/budgets", {
    params,
  });
  const budgets = useQuery(options);
  const [creating, setCreating] = useState(false);
  // A server that cannot list them yet has them all the same: nothing is offered that would replace them unseen.
  const unknown = budgets.error ? toApiError(budgets.error).status === 405 : false;
  const all = budgets.data?.budgets ?? [];
  // They are replaced as a whole.
  const put = async (drafts: Draft[]) => {
    const stored = await bodyOf(
      operatorClient.PUT("/v1/insula/operator/tenants/{tenant_id}/budgets", {
        params,
        body: { budgets: drafts },
      }),
    );
    queries.setQueryData(options.queryKey, stored);
  };
  const save = useMutation({
    meta: { inline: true },
    mutationFn: ({ draft, before }: { draft: Draft; before: Budget | null }) =>
      put([...all.filter((one) => one.id !== before?.id).map(draftOf), draft]),
  });
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: (budget: Budget) => put(all.filter((one) => one.id !== budget.id).map(draftOf)),
  });
  const create = (
    <Button
      size="xs"
      leftSection={<IconPlus size={15} />}
      onClick={() => setCreating(true)}
      disabled={!budgets.data}
    >
      {t("budgets:new")}
    </Button>
  );
  return (
    <Stack gap="md">
      <SpendLimit id={id} />
      {!unknown && (
        <Panel title={t("money.budgets")} actions={create} flush>
          <BudgetList
            budgets={budgets.data?.budgets}
            error={budgets.error}
            retry={() => void budgets.refetch()}
            fixed={() => null}
            creating={creating}
            onCreating={setCreating}
            save={save}
            remove={remove}
            empty={
              <EmptyState
                icon={IconPigMoney}
                title={t("money.none")}
                text={t("money.noneHelp")}
                action={create}
              />
            }
          />
        </Panel>
      )}
    </Stack>
  );
}
