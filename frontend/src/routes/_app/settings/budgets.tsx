import { Button } from "@mantine/core";
import { IconPigMoney, IconPlus } from "@tabler/icons-react";
import { useMutation, useQueryClient } from "@tanstack/react-query";
import { createFileRoute } from "@tanstack/react-router";
import { useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import { BudgetList } from "@/budgets/BudgetList";
import type { Budget, Draft } from "@/budgets/budget";
import { EmptyState } from "@/components/EmptyState";
import { Guarded } from "@/components/Guarded";
import { Panel } from "@/components/Panel";
import { useCan } from "@/session/session";

export const Route = createFileRoute("/_app/settings/budgets")({
  loader: ({ context }) => void context.queries.prefetchQuery($api.queryOptions("get", "/v1/insula/budgets")),
  component: Budgets,
});

function Budgets() {
  const { t } = useTranslation(["budgets", "common"]);
  const may = useCan("budgets.write");
  const queries = useQueryClient();
  const budgets = $api.useQuery("get", "/v1/insula/budgets");
  const [creating, setCreating] = useState(false);
  const refresh = () => queries.invalidateQueries({ queryKey: ["get", "/v1/insula/budgets"] });
  const save = useMutation({
    meta: { inline: true },
    mutationFn: ({ draft, before }: { draft: Draft; before: Budget | null }) => {
      if (!before) return bodyOf(client.POST("/v1/insula/budgets", { body: draft }));
      const { amount_usd, name, hard, alert_at } = draft;
      return bodyOf(
        client.POST("/v1/insula/budgets/{budget_id}", {
          params: { path: { budget_id: before.id } },
          body: { amount_usd, name, hard, alert_at },
        }),
      );
    },
    onSuccess: refresh,
  });
  const remove = useMutation({
    meta: { inline: true },
    mutationFn: (budget: Budget) =>
      bodyOf(client.DELETE("/v1/insula/budgets/{budget_id}", { params: { path: { budget_id: budget.id } } })),
    onSuccess: refresh,
  });
  const create = (
    <Guarded scope="budgets.write">
      <Button size="xs" leftSection={<IconPlus size={15} />} onClick={() => setCreating(true)}>
        {t("new")}
      </Button>
    </Guarded>
  );
  return (
    <Panel title={t("title")} actions={create} flush>
      <BudgetList
        budgets={budgets.data?.data}
        error={budgets.error}
        retry={() => void budgets.refetch()}
        creating={creating}
        onCreating={setCreating}
        save={save}
        remove={remove}
        fixed={(budget) =>
          !may
            ? t("common:notAllowed", { scope: "budgets.write" })
            : budget.set_by === "operator"
              ? t("onlyOperator")
              : null
        }
        empty={<EmptyState icon={IconPigMoney} title={t("none")} text={t("noneHelp")} action={create} />}
      />
    </Panel>
  );
}
