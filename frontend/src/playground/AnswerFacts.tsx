import { Text } from "@mantine/core";
import { useQuery } from "@tanstack/react-query";
import { useTranslation } from "react-i18next";
import { bodyOf, client } from "@/api/client";
import { toApiError } from "@/api/error";
import { AnchorLink } from "@/components/links";
import { useFormat } from "@/lib/useFormat";
import { useCan } from "@/session/session";
import type { Message } from "./useChat";

/** Tokens, time and cost of an answer, and the way to its trace. */
export function AnswerFacts({ answer }: { answer: NonNullable<Message["answer"]> }) {
  const { t } = useTranslation("playground");
  const format = useFormat();
  const id = answer.requestId ?? "";
  const may = useCan("usage.read");
  const event = useQuery({
    queryKey: ["get", "/v1/insula/usage/events/{usage_event_id}", id],
    queryFn: () =>
      bodyOf(
        client.GET("/v1/insula/usage/events/{usage_event_id}", { params: { path: { usage_event_id: id } } }),
      ),
    enabled: may && id !== "",
    // The ledger writes in groups, a moment after the answer.
    retry: (count, error) => count < 4 && toApiError(error).status === 404,
    retryDelay: (count) => 400 * 2 ** count,
    staleTime: Number.POSITIVE_INFINITY,
  });
  const facts = [
    answer.model,
    answer.usage &&
      t("chat.tokens", {
        input: format.number(answer.usage.prompt_tokens),
        output: format.number(answer.usage.completion_tokens),
      }),
    event.data && format.money(event.data.cost_usd),
    answer.firstMs !== undefined && t("chat.first", { time: format.duration(answer.firstMs) }),
    answer.ms !== undefined && t("chat.whole", { time: format.duration(answer.ms) }),
  ].filter(Boolean);
  return (
    <Text size="xs" c="dimmed">
      {facts.join(" · ")}
      {id && event.data && (
        <>
          {" · "}
          <AnchorLink to="/requests/$id" params={{ id }} inherit underline="always">
            {t("chat.trace")}
          </AnchorLink>
        </>
      )}
    </Text>
  );
}
