import { useQueryClient } from "@tanstack/react-query";
import { useEffect, useState } from "react";
import { $api, client } from "@/api/client";
import type { Schema } from "@/api/paths";
import { events } from "@/lib/sse";
import { useCan } from "@/session/session";

export type Job = Schema<"Job">;

/** Browsers open six connections to a host without HTTP/2: most must stay free for everything else. */
const followed = 2;

const over = (job: Job) => ["succeeded", "dead", "cancelled"].includes(job.status);

/**
 * The work on a store's files, by file. While there is any, the list is asked every few seconds, and the jobs that run are
 * followed by their events in between.
 */
export function useStoreJobs(storeId: string, busy: boolean): Map<string, Job> {
  const may = useCan("jobs.read");
  const queries = useQueryClient();
  const query = { vector_store_id: storeId, limit: 100 };
  const jobs = $api.useQuery(
    "get",
    "/v1/insula/jobs",
    { params: { query } },
    { enabled: may, refetchInterval: busy ? 2_500 : false },
  );
  const [live, setLive] = useState<Record<string, Job>>({});
  const running = (jobs.data?.data ?? []).filter((job) => job.status === "running").slice(0, followed);
  const ids = busy ? running.map((job) => job.id).join() : "";

  useEffect(() => {
    if (!ids) return;
    const controller = new AbortController();
    const refresh = () => {
      for (const path of [
        "/v1/vector_stores/{vector_store_id}/files",
        "/v1/vector_stores/{vector_store_id}",
        "/v1/insula/jobs",
      ]) {
        void queries.invalidateQueries({ queryKey: ["get", path] });
      }
    };
    const follow = async (id: string) => {
      try {
        const { response } = await client.GET("/v1/insula/jobs/{job_id}/events", {
          params: { path: { job_id: id } },
          parseAs: "stream",
          signal: controller.signal,
        });
        if (!response.body) return;
        for await (const event of events(response.body)) {
          if (event.event === "error") return;
          const job = JSON.parse(event.data) as Job;
          setLive((before) => ({ ...before, [id]: job }));
          if (event.event === "done") refresh();
        }
      } catch {
        // The list is asked anyway; the events only make it smoother.
      }
    };
    for (const id of ids.split(",")) void follow(id);
    return () => controller.abort();
  }, [ids, queries]);

  const byFile = new Map<string, Job>();
  for (const listed of jobs.data?.data ?? []) {
    const followedJob = live[listed.id];
    const job = followedJob && !over(listed) ? followedJob : listed;
    // The latest comes first.
    if (job.file_id && !byFile.has(job.file_id)) byFile.set(job.file_id, job);
  }
  return byFile;
}
