import { Box, Button, Group, Loader, Stack, Text, Tooltip } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { CopyButton } from "@/components/CopyButton";
import { ErrorState } from "@/components/ErrorState";
import { useFormat } from "@/lib/useFormat";
import { AnswerFacts } from "./AnswerFacts";
import { cut } from "./citations";
import classes from "./MessageView.module.css";
import type { Opened } from "./PassageDrawer";
import type { Message } from "./useChat";

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
  return (
    <Box
      component="article"
      className={classes.answer}
      aria-label={answer.model}
      aria-busy={answer.state === "writing"}
    >
      <Stack gap="sm">
        <Box className={classes.text} dir="auto">
          {cut(message.text, message.citations).map((part, index) =>
            "text" in part ? (
              // biome-ignore lint/suspicious/noArrayIndexKey: parts only ever grow at the end
              <span key={index}>{part.text}</span>
            ) : (
              // biome-ignore lint/suspicious/noArrayIndexKey: as above
              <Tooltip key={index} label={part.citation.file_citation.filename}>
                <button
                  type="button"
                  className={classes.chip}
                  onClick={() => open(part.citation)}
                  aria-label={t("chat.source", {
                    number: part.citation.file_citation.passage,
                    name: part.citation.file_citation.filename,
                  })}
                >
                  {format.number(part.citation.file_citation.passage)}
                </button>
              </Tooltip>
            ),
          )}
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
