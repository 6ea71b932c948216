import { ownHeaders } from "./client";
import { ApiError } from "./error";
import type { Schema } from "./paths";

/** Sends a form with files in it and tells how far it is. By XMLHttpRequest: `fetch` does not say what it has sent. */
export function sendForm<Answer>(
  path: string,
  form: FormData,
  progress: (sent: number) => void,
  signal: AbortSignal,
  headers: Record<string, string> = {},
): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const request = new XMLHttpRequest();
    request.open("POST", path);
    for (const [name, value] of Object.entries({ ...ownHeaders(), ...headers }))
      request.setRequestHeader(name, value);
    request.upload.onprogress = (event) => progress(event.loaded);
    request.onerror = () => reject(new ApiError("The server cannot be reached.", 0, "unreachable"));
    request.onabort = () => reject(new DOMException("Cancelled", "AbortError"));
    request.onload = () => {
      if (request.status >= 200 && request.status < 300) {
        resolve(JSON.parse(request.responseText) as Answer);
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
    request.send(form);
  });
}

/** Uploads a file for vector stores. */
export function uploadFile(file: File, progress: (sent: number) => void, signal: AbortSignal) {
  const form = new FormData();
  // Before the file: servers that read as it comes know then what it is for.
  form.append("purpose", "assistants");
  form.append("file", file);
  return sendForm<Schema<"OpenAIFile">>("/v1/files", form, progress, signal);
}
