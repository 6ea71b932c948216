import { Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/useFormat";
import type { Limit } from "./LimitRows";

const fields = ["requests_per_minute", "tokens_per_minute", "concurrency"] as const;

/** Limits in words, to be read. */
export function LimitList({ limits }: { limits: Limit[] }) {
  const { t } = useTranslation("limits");
  const format = useFormat();
  if (limits.length === 0) return <Text c="dimmed">{t("none")}</Text>;
  return (
    <Stack gap={2}>
      {limits.map((limit) => (
        <Text inherit key={`${limit.subject_kind}/${limit.subject ?? ""}`}>
          {limit.subject ? (
            <code>{limit.subject}</code>
          ) : (
            t(limit.subject_kind === "tenant" ? "subject.tenant" : `everyOf.${limit.subject_kind}`)
          )}
          {": "}
          {format.list(
            fields
              .filter((field) => limit[field] != null)
              .map((field) => t(`short.${field}`, { figure: format.compact(limit[field] ?? 0) })),
          )}
        </Text>
      ))}
    </Stack>
  );
}
