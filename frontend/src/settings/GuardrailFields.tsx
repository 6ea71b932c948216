import {
  Fieldset,
  NumberInput,
  SegmentedControl,
  SimpleGrid,
  Slider,
  Stack,
  TagsInput,
  Text,
} from "@mantine/core";
import { useTranslation } from "react-i18next";
import { useFormat } from "@/lib/useFormat";
import { PersonalData } from "./PersonalData";
import { injectionActions, type Rules } from "./rules";
import { Terms } from "./Terms";

interface Props {
  rules: Rules;
  change: (part: Partial<Rules>) => void;
  disabled: boolean;
}

export function GuardrailFields({ rules, change, disabled }: Props) {
  const { t } = useTranslation("guardrails");
  const format = useFormat();
  const { injection, output } = rules;
  return (
    <Stack gap="lg">
      <Fieldset legend={<strong>{t("personal.title")}</strong>} disabled={disabled}>
        <Stack gap="sm">
          <PersonalData rules={rules.personal_data} onChange={(personal_data) => change({ personal_data })} />
          <TagsInput
            label={t("regions")}
            description={t("regionsHelp")}
            maw={420}
            dir="ltr"
            value={rules.phone_regions}
            onChange={(values) => change({ phone_regions: values.map((value) => value.toUpperCase()) })}
            disabled={disabled}
          />
        </Stack>
      </Fieldset>
      <Fieldset legend={<strong>{t("injection.title")}</strong>} disabled={disabled}>
        <Stack gap="sm">
          <Text size="sm" c="dimmed">
            {t("injection.help")}
          </Text>
          <SegmentedControl
            aria-label={t("injection.title")}
            style={{ alignSelf: "start", maxWidth: "100%", overflowX: "auto" }}
            disabled={disabled}
            value={injection?.action ?? "off"}
            onChange={(value) =>
              change({
                injection:
                  value === "off"
                    ? null
                    : {
                        threshold: injection?.threshold ?? 0.5,
                        action: value as (typeof injectionActions)[number],
                      },
              })
            }
            data={(["off", ...injectionActions] as const).map((value) => ({
              value,
              label: t(`injection.${value}`),
            }))}
          />
          {injection && (
            <Stack gap={2} maw={420}>
              <Text size="sm" fw={500}>
                {t("injection.threshold", { share: format.percent(injection.threshold ?? 0.5) })}
              </Text>
              <Slider
                min={0}
                max={1}
                step={0.05}
                disabled={disabled}
                label={format.percent}
                thumbLabel={t("injection.thumb")}
                value={injection.threshold ?? 0.5}
                onChange={(threshold) => change({ injection: { ...injection, threshold } })}
              />
              <Text size="xs" c="dimmed">
                {t("injection.thresholdHelp")}
              </Text>
            </Stack>
          )}
        </Stack>
      </Fieldset>
      <Fieldset legend={<strong>{t("terms.title")}</strong>} disabled={disabled}>
        <Terms rules={rules.blocked_terms} onChange={(blocked_terms) => change({ blocked_terms })} />
      </Fieldset>
      <Fieldset legend={<strong>{t("output.title")}</strong>} disabled={disabled}>
        <SimpleGrid cols={{ base: 1, xs: 2 }} maw={420} spacing="sm">
          {(["max_tokens", "max_characters"] as const).map((field) => (
            <NumberInput
              key={field}
              label={t(`output.${field}`)}
              placeholder={t("output.any")}
              min={1}
              allowDecimal={false}
              hideControls
              disabled={disabled}
              value={output[field] ?? ""}
              onChange={(value) =>
                change({ output: { ...output, [field]: typeof value === "number" ? value : null } })
              }
            />
          ))}
        </SimpleGrid>
      </Fieldset>
    </Stack>
  );
}
