import { useCallback, useRef, useState } from "react";
import { client } from "@/api/client";
import { ApiError, toApiError } from "@/api/error";
import type { Schema } from "@/api/paths";
import { events } from "@/lib/sse";
import type { Citation } from "./citations";

export interface Message {
  id: number;
  role: "user" | "assistant";
  text: string;
  citations: Citation[];
  /** What came of it; absent for questions. */
  answer?: {
    state: "writing" | "done" | "stopped" | "failed";
    model: string;
    /** Where its passages come from, for finding them again. */
    storeIds: string[];
    requestId?: string;
    usage?: Schema<"CompletionUsage">;
    firstMs?: number;
    ms?: number;
    error?: ApiError;
  };
}

export interface Asked {
  model: string;
  storeIds: string[];
  /** Besides model and messages: data sources, temperature. */
  extra: Record<string, unknown>;
}

let ids = 0;

/** A conversation in this tab. Nothing of it is stored but what the server's log keeps by its own rules. */
export function useChat() {
  const [messages, setMessages] = useState<Message[]>([]);
  const controller = useRef<AbortController | null>(null);
  const busy = messages.at(-1)?.answer?.state === "writing";

  const patch = useCallback((id: number, change: (message: Message) => Message) => {
    setMessages((before) => before.map((message) => (message.id === id ? change(message) : message)));
  }, []);

  const ask = useCallback(
    async (text: string, { model, storeIds, extra }: Asked) => {
      const question: Message = { id: ++ids, role: "user", text, citations: [] };
      const id = ++ids;
      const history = [...messages.filter((one) => one.text && one.answer?.state !== "failed"), question];
      const began = performance.now();
      const answer = (change: Partial<NonNullable<Message["answer"]>>) =>
        patch(id, (one) => ({
          ...one,
          answer: { state: "writing", model, storeIds, ...one.answer, ...change },
        }));
      setMessages((before) => [
        ...before,
        question,
        { id, role: "assistant", text: "", citations: [], answer: { state: "writing", model, storeIds } },
      ]);
      const stop = new AbortController();
      controller.current = stop;
      try {
        const { response } = await client.POST("/v1/chat/completions", {
          body: {
            model,
            messages: history.map(({ role, text: content }) => ({ role, content })),
            stream: true,
            stream_options: { include_usage: true },
            ...extra,
          },
          parseAs: "stream",
          signal: stop.signal,
        });
        answer({ requestId: response.headers.get("x-request-id") ?? undefined });
        if (!response.body) throw new ApiError("The answer has no body.", response.status);
        for await (const event of events(response.body)) {
          if (event.data === "[DONE]") break;
          const chunk = JSON.parse(event.data) as Schema<"ChatCompletionChunk"> & Partial<Schema<"Error">>;
          // After the first byte a failure comes as an event.
          if (chunk.error) throw new ApiError(chunk.error.message, 200, chunk.error.code);
          if (chunk.usage) answer({ usage: chunk.usage });
          const delta = chunk.choices[0]?.delta;
          if (!delta) continue;
          const more = delta.content ?? delta.refusal ?? "";
          if (more) {
            const firstMs = performance.now() - began;
            patch(id, (one) => ({
              ...one,
              text: one.text + more,
              answer: one.answer && {
                ...one.answer,
                firstMs: one.answer.firstMs ?? firstMs,
              },
            }));
          }
          const citations = delta.annotations;
          if (citations) patch(id, (one) => ({ ...one, citations: [...one.citations, ...citations] }));
        }
        answer({ state: "done", ms: performance.now() - began });
      } catch (error) {
        if (stop.signal.aborted) answer({ state: "stopped", ms: performance.now() - began });
        else answer({ state: "failed", error: toApiError(error) });
      }
    },
    [messages, patch],
  );

  const stop = useCallback(() => controller.current?.abort(), []);
  const clear = useCallback(() => {
    controller.current?.abort();
    setMessages([]);
  }, []);
  return { messages, busy, ask, stop, clear };
}
