import type { QueryClient } from "@tanstack/react-query";

/** Whatever is shown of models, anew: an act on one changes its versions, its state and its history. */
export async function refreshModels(queries: QueryClient) {
  await queries.invalidateQueries({
    predicate: ({ queryKey }) => String(queryKey[1]).startsWith("/v1/insula/models"),
  });
}
