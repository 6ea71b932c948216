import { Group, Text } from "@mantine/core";

export function Logo({ size = 24 }: { size?: number }) {
  return (
    <Group gap={10} wrap="nowrap" dir="ltr" component="span">
      <svg width={size} height={size} viewBox="0 0 32 32" aria-hidden="true">
        <rect width="32" height="32" rx="8" fill="var(--mantine-color-sea-7)" />
        <path
          d="M6 21.5c2 0 2 1.5 4 1.5s2-1.5 4-1.5 2 1.5 4 1.5 2-1.5 4-1.5 2 1.5 4 1.5"
          fill="none"
          stroke="var(--mantine-color-sea-2)"
          strokeWidth="2"
          strokeLinecap="round"
        />
        <path d="M9 18a7 7 0 0 1 14 0z" fill="#fff" />
      </svg>
      <Text component="span" fw={650} fz="lg" c="var(--mantine-color-text)">
        Insula
      </Text>
    </Group>
  );
}
