import { Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import type { Schema } from "@/api/paths";
import { useFormat } from "@/lib/useFormat";
import classes from "./ScoreBars.module.css";

/** What a score is made of. The bars are shares: of a perfect score, and of the best of the page for words, which have no top. */
export function ScoreBars({
  item,
  bestText,
}: {
  item: Schema<"VectorStoreSearchResultItem">;
  bestText: number;
}) {
  const { t } = useTranslation("playground");
  const format = useFormat();
  const parts = item.score_parts;
  const digits = (value: number) => format.number(Math.round(value * 1000) / 1000);
  const rows: { key: string; label: string; value: string; share: number; rank?: number | null }[] = [
    { key: "score", label: t("score.all"), value: digits(item.score), share: item.score },
    {
      key: "vector",
      label: t("score.vector"),
      value: parts.vector_similarity == null ? "–" : digits(parts.vector_similarity),
      share: parts.vector_similarity ?? 0,
      rank: parts.vector_rank,
    },
    {
      key: "text",
      label: t("score.text"),
      value: parts.text_score == null ? "–" : digits(parts.text_score),
      share: bestText > 0 ? (parts.text_score ?? 0) / bestText : 0,
      rank: parts.text_rank,
    },
  ];
  if (parts.rerank_score != null) {
    rows.push({
      key: "rerank",
      label: t("score.rerank"),
      value: digits(parts.rerank_score),
      share: parts.rerank_score,
    });
  }
  return (
    <div className={classes.grid}>
      {rows.map((row) => (
        <div key={row.key} className={classes.row}>
          <Text size="xs" c="dimmed">
            {row.label}
          </Text>
          <div className={classes.track} aria-hidden="true">
            <div
              className={classes.bar}
              data-part={row.key}
              style={{ inlineSize: `${Math.min(1, Math.max(0, row.share)) * 100}%` }}
            />
          </div>
          <Text size="xs" ta="end">
            {row.value}
            {row.rank != null && (
              <Text span inherit c="dimmed">
                {" "}
                {t("score.rank", { rank: format.number(row.rank) })}
              </Text>
            )}
          </Text>
        </div>
      ))}
    </div>
  );
}
