import { $api } from "@/api/client";

/** The stores that can be chosen, the latest first. */
export function useStores() {
  const stores = $api.useQuery("get", "/v1/vector_stores", { params: { query: { limit: 100 } } });
  return {
    options: (stores.data?.data ?? []).map((store) => ({ value: store.id, label: store.name || store.id })),
    none: stores.data?.data.length === 0,
  };
}
