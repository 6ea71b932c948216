import { Group, PasswordInput, type PasswordInputProps, Progress, Stack, Text } from "@mantine/core";
import { IconCheck, IconCircle } from "@tabler/icons-react";
import { useId } from "react";
import { useTranslation } from "react-i18next";
import { shortest, strengthOf } from "@/lib/password";

interface Props extends Omit<PasswordInputProps, "value" | "onChange"> {
  value: string;
  onChange: (value: string) => void;
  /** What a password must not be made of: the person's own address and name. */
  names: (string | null | undefined)[];
}

const colors = ["gray", "red", "orange", "sea", "sea"];

/** A password to be chosen, with what would make it better while it is typed. */
export function NewPassword({ value, onChange, names, ...rest }: Props) {
  const { t } = useTranslation("signIn");
  const id = useId();
  const { score, ...rules } = strengthOf(value, names);
  return (
    <Stack gap={8}>
      <PasswordInput
        {...rest}
        autoComplete="new-password"
        required
        withAsterisk={false}
        dir="ltr"
        value={value}
        onChange={(event) => onChange(event.currentTarget.value)}
        aria-describedby={id}
        aria-invalid={rest.error ? true : undefined}
      />
      <Progress
        value={score * 25}
        size={4}
        color={colors[score]}
        aria-label={t("strength.label")}
        aria-hidden={value === ""}
      />
      <Stack gap={2} id={id}>
        {(["long", "varied", "foreign"] as const).map((rule) => {
          const met = value !== "" && rules[rule];
          const Icon = met ? IconCheck : IconCircle;
          return (
            <Group key={rule} gap={6} wrap="nowrap" c={met ? "var(--mantine-color-text)" : "dimmed"}>
              <Icon size={13} stroke={met ? 2.4 : 1.6} aria-hidden style={{ flex: "none" }} />
              <Text size="xs">{t(`strength.${rule}`, { count: shortest })}</Text>
            </Group>
          );
        })}
      </Stack>
    </Stack>
  );
}
