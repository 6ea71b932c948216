import { bodyOf, client } from "@/api/client";
import { ApiError } from "@/api/error";

/** How long a refusal may take to come back. A download that begins says nothing to the page. */
const patience = 3_000;

/**
 * Has the browser download what an address answers, however large it is: by its own means, which need no memory and outlive the
 * page. A refusal is thrown as of any other call.
 */
export async function downloadFrom(path: "/v1/insula/export"): Promise<void> {
  // Downloads name no tenant: whether this tab still shows the session's is asked before.
  await bodyOf(client.GET("/v1/insula/session"));
  const frame = document.createElement("iframe");
  frame.hidden = true;
  frame.src = path;
  const refused = await new Promise<boolean>((resolve) => {
    // Only what is not downloaded is loaded into the frame.
    frame.onload = () => resolve(true);
    setTimeout(() => resolve(false), patience);
    document.body.append(frame);
  });
  // Taken away, it would take a download with it that is about to begin.
  setTimeout(() => frame.remove(), 60_000);
  if (!refused) return;
  frame.remove();
  // The words of the refusal, which the frame is not let to see.
  const stop = new AbortController();
  const response = await fetch(path, { signal: stop.signal });
  if (!response.ok) throw await ApiError.from(response);
  stop.abort();
  throw new ApiError("The download did not begin. Try again.", response.status);
}
