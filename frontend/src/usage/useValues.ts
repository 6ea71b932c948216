import { rangeOf } from "./range";
import type { Group } from "./sums";
import { useGroupName } from "./useNames";
import { useUsage } from "./useUsage";

/** What occurred lately, for choosing from: the most called first. */
export function useValues(group: Group): { value: string; label: string }[] {
  const name = useGroupName(group);
  const usage = useUsage(rangeOf("90d"), { width: "all", group });
  return (usage.data?.data ?? [])
    .toSorted((a, b) => b.requests - a.requests)
    .flatMap((sum) => (sum[group] ? [{ value: sum[group], label: name(sum[group]) }] : []));
}
