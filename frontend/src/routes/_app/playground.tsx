import { SegmentedControl } from "@mantine/core";
import { createFileRoute } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { PageHeader } from "@/components/PageHeader";
import { ChatTab } from "@/playground/ChatTab";
import { SearchTab } from "@/playground/SearchTab";

interface Search {
  mode?: "search" | "chat";
  /** Stores that are chosen from the beginning. */
  stores?: string[];
  model?: string;
  /** What to search for. */
  q?: string;
}

export const Route = createFileRoute("/_app/playground")({
  validateSearch: (search: Record<string, unknown>): Search => ({
    mode: search.mode === "search" || search.mode === "chat" ? search.mode : undefined,
    stores: Array.isArray(search.stores) ? search.stores.filter((id) => typeof id === "string") : undefined,
    model: typeof search.model === "string" ? search.model : undefined,
    q: typeof search.q === "string" ? search.q : undefined,
  }),
  component: Playground,
});

function Playground() {
  const { t } = useTranslation("playground");
  const { mode = "chat", stores = [], model, q } = Route.useSearch();
  const navigate = Route.useNavigate();
  return (
    <>
      <PageHeader
        title={t("title")}
        help={t("help")}
        actions={
          <SegmentedControl
            aria-label={t("mode.label")}
            value={mode}
            onChange={(value) =>
              void navigate({ search: (before) => ({ ...before, mode: value as Search["mode"] }) })
            }
            data={(["chat", "search"] as const).map((value) => ({ value, label: t(`mode.${value}`) }))}
          />
        }
      />
      {mode === "search" ? (
        <SearchTab initialStore={stores[0]} initialQuery={q} />
      ) : (
        <ChatTab initialStores={stores} initialModel={model} />
      )}
    </>
  );
}
