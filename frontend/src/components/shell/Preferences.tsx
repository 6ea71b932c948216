import { ActionIcon, Group, Menu, useMantineColorScheme } from "@mantine/core";
import { IconCheck, IconDeviceDesktop, IconLanguage, IconMoon, IconSun } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { type Language, languages } from "@/i18n";
import { useLanguage } from "@/session/useLanguage";

const schemes = [
  { value: "light", icon: IconSun },
  { value: "dark", icon: IconMoon },
  { value: "auto", icon: IconDeviceDesktop },
] as const;

/** Language and theme, also before signing in. */
export function Preferences() {
  const { t, i18n } = useTranslation("shell");
  const choose = useLanguage();
  const { colorScheme, setColorScheme } = useMantineColorScheme();
  const Current = schemes.find((scheme) => scheme.value === colorScheme)?.icon ?? IconDeviceDesktop;
  return (
    <Group gap={4} px={6}>
      <Menu position="top-start">
        <Menu.Target>
          <ActionIcon size="lg" aria-label={t("language")}>
            <IconLanguage size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {(Object.keys(languages) as Language[]).map((language) => (
            <Menu.Item
              key={language}
              lang={language}
              onClick={() => void choose(language)}
              rightSection={
                i18n.language === language ? <IconCheck size={14} aria-label={t("current")} /> : null
              }
            >
              {languages[language]}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
      <Menu position="top-start">
        <Menu.Target>
          <ActionIcon size="lg" aria-label={t("theme.label")}>
            <Current size={18} />
          </ActionIcon>
        </Menu.Target>
        <Menu.Dropdown>
          {schemes.map(({ value, icon: Icon }) => (
            <Menu.Item
              key={value}
              leftSection={<Icon size={16} />}
              onClick={() => setColorScheme(value)}
              rightSection={colorScheme === value ? <IconCheck size={14} aria-label={t("current")} /> : null}
            >
              {t(`theme.${value}`)}
            </Menu.Item>
          ))}
        </Menu.Dropdown>
      </Menu>
    </Group>
  );
}
