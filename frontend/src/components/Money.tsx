import { useFormat } from "@/lib/useFormat";

/** US dollars, with all their digits on demand. */
export function Money({ usd }: { usd: number | string }) {
  const format = useFormat();
  return <span title={`US$ ${usd}`}>{format.money(usd)}</span>;
}
