import { Button, Group, Text } from "@mantine/core";
import { IconUpload } from "@tabler/icons-react";
import { type DragEvent, useRef, useState } from "react";
import { useTranslation } from "react-i18next";
import { useCan } from "@/session/session";
import classes from "./DropZone.module.css";

export function DropZone({ onFiles }: { onFiles: (files: Iterable<File>) => void }) {
  const { t } = useTranslation(["stores", "common"]);
  const mayAttach = useCan("vector_stores.write");
  const mayUpload = useCan("files.write");
  const may = mayAttach && mayUpload;
  const input = useRef<HTMLInputElement>(null);
  const [over, setOver] = useState(false);
  const hold = (on: boolean) => (event: DragEvent) => {
    event.preventDefault();
    setOver(on && may);
  };
  return (
    // biome-ignore lint/a11y/noStaticElementInteractions: dropping is a shortcut for the button inside
    <div
      className={classes.zone}
      data-over={over || undefined}
      onDragEnter={hold(true)}
      onDragOver={hold(true)}
      onDragLeave={hold(false)}
      onDrop={(event) => {
        hold(false)(event);
        if (may) onFiles(event.dataTransfer.files);
      }}
    >
      <Group gap="md" justify="center">
        <IconUpload size={20} stroke={1.6} aria-hidden />
        <Text>{t("drop.text")}</Text>
        <Button
          size="xs"
          variant="default"
          data-disabled={!may || undefined}
          title={
            may
              ? undefined
              : t("common:notAllowed", { scope: mayAttach ? "files.write" : "vector_stores.write" })
          }
          onClick={() => may && input.current?.click()}
        >
          {t("drop.choose")}
        </Button>
      </Group>
      <Text size="xs" c="dimmed" ta="center" mt={4}>
        {t("drop.types")}
      </Text>
      <input
        ref={input}
        type="file"
        multiple
        hidden
        aria-label={t("drop.choose")}
        onChange={(event) => {
          onFiles(event.currentTarget.files ?? []);
          // The same file can be chosen again.
          event.currentTarget.value = "";
        }}
      />
    </div>
  );
}
