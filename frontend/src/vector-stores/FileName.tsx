import { $api } from "@/api/client";

/** The name of an uploaded file; its id until that is known. */
export function useFileName(id: string): string {
  const file = $api.useQuery(
    "get",
    "/v1/files/{file_id}",
    { params: { path: { file_id: id } } },
    // Names do not change, and a file may be gone while its passages stay.
    { staleTime: Number.POSITIVE_INFINITY, retry: false },
  );
  return file.data?.filename ?? id;
}

export function FileName({ id }: { id: string }) {
  return <bdi>{useFileName(id)}</bdi>;
}
