import { Text } from "@mantine/core";
import { IconCoins } from "@tabler/icons-react";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { type Column, DataTable } from "@/components/DataTable";
import { EmptyState } from "@/components/EmptyState";
import { ButtonLink } from "@/components/links";
import { Money } from "@/components/Money";
import { Panel } from "@/components/Panel";
import { Status } from "@/components/Status";
import { useFormat } from "@/lib/useFormat";
import { pricesOptions } from "./queries";

type Price = Schema<"Price">;
const figures = ["input", "cached_input", "output"] as const;

/** What models cost, as the routes in force say it: read here, set in routes.toml. */
export function PriceList() {
  const { t } = useTranslation("plans");
  const format = useFormat();
  const prices = useQuery(pricesOptions());
  const span = ({ valid_from: from, valid_until: until }: Price) =>
    from !== null && until !== null
      ? t("price.between", { from: format.date(from), until: format.date(until) })
      : from !== null
        ? t("price.from", { from: format.date(from) })
        : until !== null
          ? t("price.until", { until: format.date(until) })
          : t("price.always");
  const columns: Column<Price>[] = [
    {
      key: "model",
      header: t("price.model"),
      cell: (one) => (
        <>
          <Text inherit fw={500}>
            <span className="ltr">{one.model}</span>
          </Text>
          {one.target !== one.model && (
            <Text size="xs" c="dimmed">
              <span className="ltr">{one.target}</span>
            </Text>
          )}
        </>
      ),
    },
    ...figures.map(
      (figure): Column<Price> => ({
        key: figure,
        header: t(`price.${figure}`),
        align: "end",
        from: figure === "cached_input" ? "sm" : undefined,
        cell: (one) => <Money usd={one[figure]} />,
      }),
    ),
    {
      key: "when",
      header: t("price.valid"),
      from: "sm",
      cell: (one) => <Status tone={one.current ? "good" : "off"}>{span(one)}</Status>,
    },
  ];
  return (
    <Panel
      title={t("price.title")}
      flush
      actions={
        <Text size="sm" c="dimmed">
          {t("price.unit")}
        </Text>
      }
    >
      <DataTable
        label={t("price.title")}
        columns={columns}
        rows={prices.data?.data}
        rowKey={(one) => `${one.model} ${one.target} ${one.valid_from}`}
        dimmed={(one) => !one.current}
        error={prices.error}
        retry={() => void prices.refetch()}
        empty={
          <EmptyState
            icon={IconCoins}
            title={t("price.none")}
            text={t("price.noneHelp")}
            action={
              <ButtonLink variant="default" to="/operator/routes">
                {t("price.routes")}
              </ButtonLink>
            }
          />
        }
      />
    </Panel>
  );
}
