import {
  ActionIcon,
  Button,
  Grid,
  Group,
  MultiSelect,
  NumberInput,
  ScrollArea,
  Select,
  Stack,
  Text,
  Textarea,
} from "@mantine/core";
import { IconArrowUp, IconMessages, IconPlayerStopFilled, IconPlus } from "@tabler/icons-react";
import { type FormEvent, type KeyboardEvent, useEffect, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { EmptyState } from "@/components/EmptyState";
import { Panel } from "@/components/Panel";
import { useCan } from "@/session/session";
import { FilterRows } from "./FilterRows";
import { type FilterRow, filterOf } from "./filters";
import { MessageView } from "./MessageView";
import { type Opened, PassageDrawer } from "./PassageDrawer";
import { SnippetButton } from "./SnippetButton";
import { useChat } from "./useChat";
import { useChatModels } from "./useChatModels";
import { useStores } from "./useStores";

/** A conversation with a model or an assistant, grounded in vector stores. */
export function ChatTab({ initialStores, initialModel }: { initialStores: string[]; initialModel?: string }) {
  const { t } = useTranslation(["playground", "common"]);
  const stores = useStores();
  const models = useChatModels();
  const chat = useChat();
  const may = useCan("chat.write");
  const [chosen, setChosen] = useState<string | null>(initialModel ?? null);
  const [storeIds, setStoreIds] = useState(initialStores);
  const [most, setMost] = useState<number | string>("");
  const [filters, setFilters] = useState<FilterRow[]>([]);
  const [text, setText] = useState("");
  const [opened, setOpened] = useState<Opened | null>(null);
  const end = useRef<HTMLDivElement>(null);

  const model = chosen ?? models.first;
  const assistant = models.assistants.get(model ?? "");
  const filter = filterOf(filters);
  const grounded = !assistant && storeIds.length > 0;
  const extra = grounded
    ? {
        data_sources: [
          {
            type: "insula_vector_stores",
            parameters: {
              vector_store_ids: storeIds,
              ...(typeof most === "number" ? { max_num_results: most } : {}),
              ...(filter ? { filters: filter } : {}),
            },
          },
        ],
      }
    : {};

  const last = chat.messages.at(-1);
  // biome-ignore lint/correctness/useExhaustiveDependencies: every new word moves the end
  useEffect(() => {
    if (last) end.current?.scrollIntoView({ block: "nearest" });
  }, [last?.text, last?.id]);

  const send = () => {
    const question = text.trim();
    if (!question || !model || chat.busy || !may) return;
    setText("");
    void chat.ask(question, { model, storeIds: assistant?.vector_store_ids ?? storeIds, extra });
  };
  const submit = (event: FormEvent) => {
    event.preventDefault();
    send();
  };
  const onKey = (event: KeyboardEvent) => {
    // Enter sends; while an input method composes a word, it belongs to that.
    if (event.key === "Enter" && !event.shiftKey && !event.nativeEvent.isComposing) {
      event.preventDefault();
      send();
    }
  };
  const asked =
    chat.messages.filter((message) => message.role === "user").at(-1)?.text ??
    (text.trim() || t("chat.example"));

  return (
    <Grid gap="md">
      <Grid.Col span={{ base: 12, md: 4 }} order={{ base: 1, md: 2 }}>
        <Panel title={t("chat.settings")}>
          <Stack gap="sm">
            <Select
              label={t("chat.model")}
              description={assistant ? t("chat.assistantNote") : undefined}
              data={models.groups}
              value={model}
              onChange={setChosen}
              searchable
            />
            {!assistant && (
              <>
                <MultiSelect
                  label={t("chat.stores")}
                  description={t("chat.storesHelp")}
                  data={stores.options}
                  value={storeIds}
                  onChange={setStoreIds}
                  maxValues={16}
                  searchable
                  clearable
                />
                {grounded && (
                  <>
                    <NumberInput
                      label={t("chat.most")}
                      placeholder="8"
                      min={1}
                      max={50}
                      allowDecimal={false}
                      value={most}
                      onChange={setMost}
                    />
                    <FilterRows rows={filters} onChange={setFilters} />
                  </>
                )}
              </>
            )}
            <Group gap="xs">
              <SnippetButton
                call="chat"
                disabled={!model}
                body={{ model, messages: [{ role: "user", content: asked }], stream: true, ...extra }}
              />
              <Button
                size="xs"
                variant="default"
                leftSection={<IconPlus size={15} />}
                onClick={chat.clear}
                disabled={chat.messages.length === 0}
              >
                {t("chat.new")}
              </Button>
            </Group>
          </Stack>
        </Panel>
      </Grid.Col>
      <Grid.Col span={{ base: 12, md: 8 }} order={{ base: 2, md: 1 }}>
        <Panel flush>
          <ScrollArea.Autosize
            mah="calc(100dvh - 330px)"
            mih={280}
            viewportProps={{ tabIndex: 0, role: "log", "aria-label": t("chat.log") }}
          >
            {chat.messages.length === 0 ? (
              <EmptyState icon={IconMessages} title={t("chat.before")} text={t("chat.beforeText")} />
            ) : (
              <Stack p="md" gap="lg">
                {chat.messages.map((message) => (
                  <MessageView key={message.id} message={message} onOpen={setOpened} />
                ))}
                <div ref={end} />
              </Stack>
            )}
          </ScrollArea.Autosize>
          <form onSubmit={submit}>
            <Group
              p="sm"
              gap="xs"
              wrap="nowrap"
              align="flex-end"
              style={{ borderBlockStart: "1px solid var(--insula-line)" }}
            >
              <Textarea
                flex={1}
                aria-label={t("chat.question")}
                placeholder={t("chat.placeholder")}
                dir={text ? "auto" : undefined}
                autosize
                minRows={1}
                maxRows={8}
                value={text}
                onChange={(event) => setText(event.currentTarget.value)}
                onKeyDown={onKey}
              />
              {chat.busy ? (
                <ActionIcon size={36} variant="default" onClick={chat.stop} aria-label={t("chat.stop")}>
                  <IconPlayerStopFilled size={16} />
                </ActionIcon>
              ) : (
                <ActionIcon
                  type="submit"
                  size={36}
                  variant="filled"
                  color="sea"
                  disabled={!text.trim() || !model || !may}
                  aria-label={t("chat.send")}
                >
                  <IconArrowUp size={18} />
                </ActionIcon>
              )}
            </Group>
          </form>
        </Panel>
        <Text size="xs" c="dimmed" mt={6}>
          {may ? t("chat.metered") : t("common:notAllowed", { scope: "chat.write" })}
        </Text>
      </Grid.Col>
      <PassageDrawer opened={opened} onClose={() => setOpened(null)} />
    </Grid>
  );
}
