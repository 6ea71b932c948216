import { Button, Group, Text } from "@mantine/core";
import type { ReactNode } from "react";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { usePeople } from "@/audit/usePeople";
import { type Column, DataTable } from "@/components/DataTable";
import { Guarded } from "@/components/Guarded";
import { RelativeTime } from "@/components/RelativeTime";
import { Status } from "@/components/Status";
import type { Scope } from "@/lib/scopes";
import { isOpen } from "./isOpen";

export type Access = Schema<"TenantAccess">;

interface Props {
  label: string;
  rows: Access[] | undefined;
  error: unknown;
  retry: () => void;
  more: { hasNextPage: boolean; isFetchingNextPage: boolean; fetchNextPage: () => unknown };
  empty: ReactNode;
  /** The tenant of each, where there are several. */
  tenant?: (access: Access) => ReactNode;
  onEnd: (access: Access) => void;
  /** What one has to be allowed to end it, in a tenant. */
  endScope?: Scope;
  /** The way into what is open. */
  enter?: (access: Access) => ReactNode;
}

/** Who looked into a tenant, why, and for how long. */
export function AccessTable({ tenant, onEnd, endScope, enter, ...table }: Props) {
  const { t } = useTranslation("access");
  const people = usePeople();
  // Members do not know the operator's people by name.
  const name = (one: Access) => people.get(one.opened_by) ?? (tenant ? one.opened_by : t("byOperator"));
  const button = (one: Access) => (
    <Button
      size="xs"
      variant="default"
      aria-label={t("end.of", { name: name(one) })}
      onClick={() => onEnd(one)}
    >
      {t("end.action")}
    </Button>
  );
  const state = (one: Access) =>
    isOpen(one) ? (
      <Status tone="warn">
        {t("state.open")}&nbsp;· <RelativeTime at={one.expires_at} />
      </Status>
    ) : (
      <Status tone="off">
        {t("state.ended")}&nbsp;· <RelativeTime at={one.ended_at ?? one.expires_at} />
      </Status>
    );
  const columns: Column<Access>[] = [
    ...(tenant ? [{ key: "tenant", header: t("column.tenant"), from: "sm" as const, cell: tenant }] : []),
    {
      key: "who",
      header: t("column.who"),
      from: "sm",
      cell: (one) => <bdi>{name(one)}</bdi>,
    },
    {
      key: "reason",
      header: t("column.reason"),
      // On a narrow screen everything about an access is in one place.
      cell: (one) => (
        <>
          <Text inherit hiddenFrom="sm" fw={500} component="div">
            {tenant ? tenant(one) : name(one)}
          </Text>
          <Text inherit component="div" dir="auto" maw={420} style={{ overflowWrap: "anywhere" }}>
            {one.reason}
          </Text>
          <Text inherit hiddenFrom="sm" component="div" mt={4}>
            {state(one)}
          </Text>
        </>
      ),
    },
    {
      key: "opened",
      header: t("column.opened"),
      from: "md",
      cell: (one) => <RelativeTime at={one.opened_at} />,
    },
    { key: "state", header: t("column.until"), from: "sm", cell: state },
    {
      key: "end",
      header: t("end.action"),
      hiddenHeader: true,
      align: "end",
      cell: (one) =>
        isOpen(one) && (
          <Group gap="xs" justify="flex-end">
            {enter?.(one)}
            {endScope ? <Guarded scope={endScope}>{button(one)}</Guarded> : button(one)}
          </Group>
        ),
    },
  ];
  return <DataTable {...table} columns={columns} rowKey={(one) => one.id} dimmed={(one) => !isOpen(one)} />;
}
