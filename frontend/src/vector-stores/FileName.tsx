import { $api } from "@/api/client";

/** The name of an uploaded file: as whatever tells of the file says it, or else asked for; its id until it is known. */
export function useFileName(id: string, known?: string): string {
  const file = $api.useQuery(
    "get",
    "/v1/files/{file_id}",
    { params: { path: { file_id: id } } },
    // Names do not change, and a file may be gone while its passages stay.
    { staleTime: Number.POSITIVE_INFINITY, retry: false, enabled: known === undefined },
  );
  return known ?? file.data?.filename ?? id;
}

export function FileName({ id, name }: { id: string; name?: string }) {
  return <bdi>{useFileName(id, name)}</bdi>;
}
