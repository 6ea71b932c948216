import {
  Alert,
  Autocomplete,
  Box,
  Button,
  Grid,
  Group,
  NumberInput,
  Select,
  Stack,
  Text,
  TextInput,
} from "@mantine/core";
import { IconDatabase, IconSearch, IconZoomQuestion } from "@tabler/icons-react";
import { useMutation } from "@tanstack/react-query";
import { type FormEvent, useState } from "react";
import { useTranslation } from "react-i18next";
import { $api, bodyOf, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { EmptyState } from "@/components/EmptyState";
import { ErrorState } from "@/components/ErrorState";
import { AnchorLink, ButtonLink } from "@/components/links";
import { Panel } from "@/components/Panel";
import { Tag } from "@/components/Tag";
import { reflow } from "@/lib/reflow";
import { useFormat } from "@/lib/useFormat";
import { FilterRows } from "./FilterRows";
import { type FilterRow, filterOf } from "./filters";
import { ScoreBars } from "./ScoreBars";
import { SnippetButton } from "./SnippetButton";
import { useStores } from "./useStores";

type Results = Schema<"VectorStoreSearchResultsPage"> & { storeId: string; ms: number };

/** What a search finds, and why in this order. */
export function SearchTab({
  initialStore,
  initialQuery = "",
}: {
  initialStore?: string;
  initialQuery?: string;
}) {
  const { t } = useTranslation("playground");
  const stores = useStores();
  const models = $api.useQuery("get", "/v1/models");
  const [chosen, setChosen] = useState<string | null>(initialStore ?? null);
  const [query, setQuery] = useState(initialQuery);
  const [most, setMost] = useState<number | string>(10);
  const [threshold, setThreshold] = useState<number | string>("");
  const [ranker, setRanker] = useState("");
  const [filters, setFilters] = useState<FilterRow[]>([]);
  const storeId = chosen ?? stores.options[0]?.value ?? null;

  const filter = filterOf(filters);
  const ranking = {
    ...(ranker.trim() ? { ranker: ranker.trim() } : {}),
    ...(typeof threshold === "number" ? { score_threshold: threshold } : {}),
  };
  const body = {
    query: query.trim(),
    ...(typeof most === "number" ? { max_num_results: most } : {}),
    ...(Object.keys(ranking).length ? { ranking_options: ranking } : {}),
    ...(filter ? { filters: filter } : {}),
  };
  const search = useMutation({
    meta: { inline: true },
    mutationFn: async (id: string): Promise<Results> => {
      const began = performance.now();
      const path = { vector_store_id: id };
      const page = await bodyOf(
        client.POST("/v1/vector_stores/{vector_store_id}/search", { params: { path }, body }),
      );
      return { ...page, storeId: id, ms: performance.now() - began };
    },
  });
  const submit = (event: FormEvent) => {
    event.preventDefault();
    if (storeId && body.query) search.mutate(storeId);
  };
  if (stores.none) {
    return (
      <Panel>
        <EmptyState
          icon={IconDatabase}
          title={t("noStores")}
          text={t("noStoresText")}
          action={<ButtonLink to="/vector-stores">{t("openStores")}</ButtonLink>}
        />
      </Panel>
    );
  }
  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, md: 4 }}>
        <Panel title={t("search.title")}>
          <form onSubmit={submit}>
            <Stack gap="sm">
              <Select
                label={t("store")}
                data={stores.options}
                value={storeId}
                onChange={setChosen}
                searchable
              />
              <TextInput
                label={t("search.query")}
                dir={query ? "auto" : undefined}
                value={query}
                onChange={(event) => setQuery(event.currentTarget.value)}
                placeholder={t("search.placeholder")}
                required
                withAsterisk={false}
              />
              <Group grow gap="sm" align="flex-end">
                <NumberInput
                  label={t("search.most")}
                  min={1}
                  max={50}
                  allowDecimal={false}
                  value={most}
                  onChange={setMost}
                />
                <NumberInput
                  label={t("search.threshold")}
                  min={0}
                  max={1}
                  step={0.05}
                  value={threshold}
                  onChange={setThreshold}
                  placeholder="0"
                />
              </Group>
              <Autocomplete
                label={t("search.ranker")}
                placeholder={t("search.noRanker")}
                data={(models.data?.data ?? []).map((model) => model.id).filter((id) => /rerank/i.test(id))}
                value={ranker}
                onChange={setRanker}
                dir="ltr"
              />
              <FilterRows rows={filters} onChange={setFilters} />
              <Group justify="space-between">
                <SnippetButton
                  call={{ path: `/vector_stores/${storeId}/search` }}
                  body={body}
                  disabled={!storeId}
                />
                <Button
                  type="submit"
                  leftSection={<IconSearch size={16} />}
                  loading={search.isPending}
                  disabled={!body.query || !storeId}
                >
                  {t("search.submit")}
                </Button>
              </Group>
            </Stack>
          </form>
        </Panel>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 8 }}>
        {search.error ? (
          <ErrorState error={search.error} />
        ) : search.data ? (
          <Found results={search.data} />
        ) : (
          <Panel>
            <EmptyState icon={IconSearch} title={t("search.before")} text={t("search.beforeText")} />
          </Panel>
        )}
      </Grid.Col>
    </Grid>
  );
}

function Found({ results }: { results: Results }) {
  const { t } = useTranslation("playground");
  const format = useFormat();
  const { recall, data } = results;
  const bestText = Math.max(0, ...data.map((item) => item.score_parts.text_score ?? 0));
  const scanned = { count: recall.scanned };
  return (
    <Stack gap="sm" aria-live="polite">
      <Alert p="xs" variant="light" color="gray" icon={<IconZoomQuestion />}>
        {recall.mode === "exact" ? t("recall.exact", scanned) : t("recall.ann", scanned)}{" "}
        {t("recall.weight", { share: format.percent(recall.vector_weight) })}{" "}
        {t("recall.time", { time: format.duration(results.ms) })}
      </Alert>
      {data.length === 0 ? (
        <Panel>
          <EmptyState icon={IconZoomQuestion} title={t("search.nothing")} text={t("search.nothingText")} />
        </Panel>
      ) : (
        data.map((item, index) => (
          <Panel key={item.chunk_id}>
            <Stack gap="xs">
              <Group gap={8}>
                <Text fw={600}>{format.number(index + 1)}</Text>
                <AnchorLink
                  to="/vector-stores/$storeId/$fileId"
                  params={{ storeId: results.storeId, fileId: item.file_id }}
                  search={{ chunk: item.chunk_id }}
                >
                  <bdi>{item.filename}</bdi>
                </AnchorLink>
                {item.page !== null && <Tag>{t("page", { page: format.number(item.page) })}</Tag>}
                <Text size="xs" c="dimmed">
                  <bdi>{item.heading_path.join(" › ")}</bdi>
                </Text>
              </Group>
              <ScoreBars item={item} bestText={bestText} />
              <Box
                dir="auto"
                fz="sm"
                style={{ whiteSpace: "pre-wrap", overflowWrap: "anywhere", lineHeight: 1.6 }}
              >
                {reflow(item.content.map((part) => part.text).join("\n"))}
              </Box>
            </Stack>
          </Panel>
        ))
      )}
    </Stack>
  );
}
