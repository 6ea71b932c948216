import { ownHeaders } from "./client";
import { ApiError } from "./error";
import type { Schema } from "./paths";

/** Uploads a file and tells how far it is. By XMLHttpRequest: `fetch` does not say what it has sent. */
export function uploadFile(
  file: File,
  progress: (sent: number) => void,
  signal: AbortSignal,
): Promise<Schema<"OpenAIFile">> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", "/v1/files");
    for (const [name, value] of Object.entries(ownHeaders())) request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onerror = () => reject(new ApiError("The server cannot be reached.", 0, "unreachable"));
    request.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(JSON.parse(request.responseText) as Schema<"OpenAIFile">);
        return;
      }
      const headers = new Headers();
      for (const name of ["x-request-id", "retry-after"]) {
        const value = request.getResponseHeader(name);
        if (value) headers.set(name, value);
      }
      void ApiError.from(
        new Response(request.responseText, {
          status: request.status,
          statusText: request.statusText,
          headers,
        }),
      ).then(reject);
    };
    signal.addEventListener("abort", () => request.abort());
    const form = new FormData();
    // Before the file: servers that read as it comes know then what it is for.
    form.append("purpose", "assistants");
    form.append("file", file);
    request.send(form);
  });
}
