import { Checkbox, Fieldset, Group, SimpleGrid, Stack, Text } from "@mantine/core";
import { useTranslation } from "react-i18next";
import { type Scope, scopeGroups } from "@/lib/scopes";
import { useSession } from "@/session/session";

interface Props {
  value: Scope[];
  onChange: (scopes: Scope[]) => void;
}

/** Permissions by what they are about, reading beside writing. Nobody gives what they do not have. */
export function ScopePicker({ value, onChange }: Props) {
  const { t } = useTranslation("apiKeys");
  const own = new Set(useSession().scopes);
  const chosen = new Set(value);
  const toggle = (scope: Scope, on: boolean) =>
    onChange(on ? [...value, scope] : value.filter((one) => one !== scope));
  return (
    <Fieldset legend={t("scopes.legend")} p="sm">
      <Stack gap={2}>
        {scopeGroups.map(({ noun, scopes }) => (
          <SimpleGrid key={noun} cols={2} spacing="xs">
            <Text size="sm">{t(`noun.${noun}`)}</Text>
            <Group gap="md">
              {scopes.map((scope) => (
                <Checkbox
                  key={scope}
                  size="xs"
                  label={scope.endsWith(".read") ? t("scopes.read") : t("scopes.write")}
                  aria-label={`${t(`noun.${noun}`)}: ${scope.endsWith(".read") ? t("scopes.read") : t("scopes.write")}`}
                  checked={chosen.has(scope)}
                  disabled={!own.has(scope)}
                  onChange={(event) => toggle(scope, event.currentTarget.checked)}
                />
              ))}
            </Group>
          </SimpleGrid>
        ))}
      </Stack>
    </Fieldset>
  );
}
