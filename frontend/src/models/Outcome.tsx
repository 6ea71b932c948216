import { Code, Group, Progress, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { useFormat } from "@/lib/useFormat";

/** Labels with how likely they are, or the outputs as they are. */
export function Outcome({ predictions }: { predictions: Schema<"PredictResponse">["predictions"] }) {
  const { t } = useTranslation("models");
  const format = useFormat();
  return (
    <Stack gap="md">
      {predictions.map((one, at) => (
        // biome-ignore lint/suspicious/noArrayIndexKey: predictions have no names and keep their places
        <Stack key={at} gap="xs">
          {predictions.length > 1 && <Text fw={500}>{t("try.one", { number: format.number(at + 1) })}</Text>}
          {one.top && one.top.length > 0 ? (
            one.top.map(({ label, probability }) => (
              <div key={label}>
                <Group justify="space-between" gap="xs">
                  <Text size="sm" fw={label === one.label ? 600 : 400}>
                    <bdi>{label}</bdi>
                  </Text>
                  <Text size="sm" c="dimmed">
                    {format.percent(probability)}
                  </Text>
                </Group>
                <Progress value={probability * 100} aria-label={label} />
              </div>
            ))
          ) : (
            <Code block className="ltr" tabIndex={0} style={{ maxHeight: 260, overflow: "auto" }}>
              {JSON.stringify(one.outputs ?? one, null, 2)}
            </Code>
          )}
        </Stack>
      ))}
    </Stack>
  );
}
