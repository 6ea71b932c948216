import { useQueryClient } from "@tanstack/react-query";
import { useCallback, useEffect, useRef, useState } from "react";
import { bodyOf, client } from "@/api/client";
import { type ApiError, toApiError } from "@/api/error";
import { uploadFile } from "@/api/upload";

export interface Upload {
  key: number;
  file: File;
  sent: number;
  state: "waiting" | "sending" | "attaching" | "failed";
  error?: ApiError;
}

/** More at once only share the line. */
const atOnce = 3;

let keys = 0;

/** Files on their way into a store: sent, then attached; from then on the store's own list tells about them. */
export function useUploads(storeId: string) {
  const queries = useQueryClient();
  const [uploads, setUploads] = useState<Upload[]>([]);
  const controllers = useRef(new Map<number, AbortController>());

  useEffect(() => {
    const all = controllers.current;
    return () => {
      for (const controller of all.values()) controller.abort();
    };
  }, []);

  const patch = useCallback((key: number, change: Partial<Upload>) => {
    setUploads((before) => before.map((one) => (one.key === key ? { ...one, ...change } : one)));
  }, []);
  const drop = useCallback((key: number) => {
    controllers.current.get(key)?.abort();
    controllers.current.delete(key);
    setUploads((before) => before.filter((one) => one.key !== key));
  }, []);

  const send = useCallback(
    async (upload: Upload) => {
      const controller = new AbortController();
      controllers.current.set(upload.key, controller);
      try {
        const file = await uploadFile(upload.file, (sent) => patch(upload.key, { sent }), controller.signal);
        patch(upload.key, { state: "attaching", sent: upload.file.size });
        const path = { vector_store_id: storeId };
        await bodyOf(
          client.POST("/v1/vector_stores/{vector_store_id}/files", {
            params: { path },
            body: { file_id: file.id },
          }),
        );
        await queries.invalidateQueries({ queryKey: ["get", "/v1/vector_stores/{vector_store_id}/files"] });
        void queries.invalidateQueries({ queryKey: ["get", "/v1/vector_stores/{vector_store_id}"] });
        drop(upload.key);
      } catch (error) {
        if (controller.signal.aborted) return;
        patch(upload.key, { state: "failed", error: toApiError(error) });
      }
    },
    [storeId, patch, drop, queries],
  );

  useEffect(() => {
    const busy = uploads.filter((one) => one.state === "sending" || one.state === "attaching").length;
    const next = uploads.filter((one) => one.state === "waiting").slice(0, Math.max(0, atOnce - busy));
    for (const upload of next) {
      patch(upload.key, { state: "sending" });
      void send(upload);
    }
  }, [uploads, patch, send]);

  const add = useCallback((files: Iterable<File>) => {
    const more = [...files].map((file): Upload => ({ key: ++keys, file, sent: 0, state: "waiting" }));
    setUploads((before) => [...before, ...more]);
  }, []);
  const retry = useCallback(
    (key: number) => patch(key, { state: "waiting", sent: 0, error: undefined }),
    [patch],
  );

  return { uploads, add, retry, drop };
}
