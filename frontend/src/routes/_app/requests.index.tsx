import { Select } from "@mantine/core";
import { IconListDetails } from "@tabler/icons-react";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { EmptyState } from "@/components/EmptyState";
import { PageHeader } from "@/components/PageHeader";
import { Panel } from "@/components/Panel";
import { timeZone } from "@/lib/format";
import { useFormat } from "@/lib/useFormat";
import { EventTable } from "@/usage/EventTable";
import { useEvents } from "@/usage/events";
import { FilterBar } from "@/usage/FilterBar";
import { filtersOf, secondsOf } from "@/usage/search";
import type { Filters } from "@/usage/useUsage";

interface Search extends Filters {
  outcome?: string;
  from?: number;
  until?: number;
}

const outcomes = ["completed", "failed", "cancelled"] as const;

export const Route = createFileRoute("/_app/requests/")({
  validateSearch: (search: Record<string, unknown>): Search => ({
    ...filtersOf(search),
    outcome: outcomes.find((outcome) => outcome === search.outcome),
    from: secondsOf(search.from),
    until: secondsOf(search.until),
  }),
  component: Requests,
});

function Requests() {
  const { t } = useTranslation(["requests", "usage"]);
  const format = useFormat();
  const { outcome, from, until, ...filters } = Route.useSearch();
  const navigate = Route.useNavigate();
  const change = (next: Search) =>
    void navigate({ search: (before) => ({ ...before, ...next }), replace: true, resetScroll: false });
  const events = useEvents({ ...filters, outcome, start_time: from, end_time: until });
  const narrowed = Object.values({ ...filters, outcome, from }).some((value) => value !== undefined);
  return (
    <>
      <PageHeader title={t("title")} help={`${t("help")} ${t("zone", { zone: timeZone() })}`} />
      <FilterBar value={filters} onChange={change}>
        <Select
          size="xs"
          w={{ base: "calc(50% - 5px)", xs: 140 }}
          aria-label={t("column.outcome")}
          placeholder={t("column.outcome")}
          data={outcomes.map((value) => ({ value, label: t(`outcome.${value}`) }))}
          value={outcome ?? null}
          onChange={(next) => change({ outcome: next ?? undefined })}
          clearable
          allowDeselect
        />
        {from && until && (
          <Select
            size="xs"
            w={220}
            aria-label={t("range")}
            data={[{ value: "range", label: `${format.date(from)} – ${format.date(until - 1)}` }]}
            value="range"
            onChange={(next) => next === null && change({ from: undefined, until: undefined })}
            clearable
          />
        )}
      </FilterBar>
      <Panel flush>
        <EventTable
          events={events}
          empty={
            <EmptyState
              icon={IconListDetails}
              title={narrowed ? t("empty.filtered") : t("empty.title")}
              text={narrowed ? t("empty.filteredText") : t("empty.text")}
            />
          }
        />
      </Panel>
    </>
  );
}
