import { Box, Button, Group, Loader, Stack, Text, Tooltip } from "@mantine/core";
import { Fragment, lazy, type ReactNode, Suspense } from "react";
import { useTranslation } from "react-i18next";
import { CopyButton } from "@/components/CopyButton";
import { ErrorState } from "@/components/ErrorState";
import { useFormat } from "@/lib/useFormat";
import { AnswerFacts } from "./AnswerFacts";
import { cut, type Part } from "./citations";
import classes from "./MessageView.module.css";
import type { Opened } from "./PassageDrawer";
import { withPlaceholders } from "./placeholders";
import type { Message } from "./useChat";

// Read by few pages, and as large as all of this one.
const Markdown = lazy(() => import("./Markdown"));

/** Until the library is there. */
function Plain({ parts, chip }: { parts: Part[]; chip: (index: number) => ReactNode }) {
  return (
    <div className={classes.plain}>
      {parts.map((part, index) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: parts only ever grow at the end
        <Fragment key={index}>{"text" in part ? part.text : chip(index)}</Fragment>
      ))}
    </div>
  );
}

export function MessageView({ message, onOpen }: { message: Message; onOpen: (opened: Opened) => void }) {
  const { t } = useTranslation("playground");
  const format = useFormat();
  const { answer } = message;
  if (!answer) {
    return (
      <Box component="article" className={classes.question} dir="auto" aria-label={t("chat.you")}>
        {message.text}
      </Box>
    );
  }
  const sources = new Map(message.citations.map((citation) => [citation.file_citation.passage, citation]));
  const open = (citation: Opened["citation"]) => onOpen({ citation, storeIds: answer.storeIds });
  const parts = cut(message.text, message.citations);
  const chip = (index: number) => {
    const part = parts[index];
    if (!part || "text" in part) return null;
    const { passage, filename } = part.citation.file_citation;
    return (
      <Tooltip label={filename}>
        <button
          type="button"
          className={classes.chip}
          onClick={() => open(part.citation)}
          aria-label={t("chat.source", { number: passage, name: filename })}
        >
          {format.number(passage)}
        </button>
      </Tooltip>
    );
  };
  return (
    <Box
      component="article"
      className={classes.answer}
      aria-label={answer.model}
      aria-busy={answer.state === "writing"}
    >
      <Stack gap="sm">
        <Box className={classes.text} dir="auto">
          <Suspense fallback={<Plain parts={parts} chip={chip} />}>
            <Markdown source={withPlaceholders(parts)} chip={chip} />
          </Suspense>
          {answer.state === "writing" && (
            <Loader size={12} type="dots" ms={6} display="inline-flex" aria-label={t("chat.writing")} />
          )}
        </Box>
        {answer.error && <ErrorState error={answer.error} />}
        {answer.state === "stopped" && (
          <Text size="sm" c="dimmed">
            {t("chat.stopped")}
          </Text>
        )}
        {sources.size > 0 && answer.state !== "writing" && (
          <Group gap={6}>
            {[...sources].map(([number, citation]) => (
              <Button
                key={number}
                size="compact-xs"
                variant="default"
                onClick={() => open(citation)}
                className={classes.source}
              >
                {format.number(number)}&nbsp;<bdi>{citation.file_citation.filename}</bdi>
                {citation.file_citation.page !== null && (
                  <>&nbsp;· {t("page", { page: format.number(citation.file_citation.page) })}</>
                )}
              </Button>
            ))}
          </Group>
        )}
        {answer.state !== "writing" && (
          <Group gap="xs" justify="space-between">
            <AnswerFacts answer={answer} />
            {message.text && <CopyButton value={message.text} label={t("chat.copy")} />}
          </Group>
        )}
      </Stack>
    </Box>
  );
}
