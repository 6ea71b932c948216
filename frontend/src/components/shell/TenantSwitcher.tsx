import { Avatar, Menu, Text, UnstyledButton } from "@mantine/core";
import { IconCheck, IconSelector } from "@tabler/icons-react";
import { useTranslation } from "react-i18next";
import { useSession } from "@/session/session";
import { useSwitchTenant } from "@/session/useSwitchTenant";
import classes from "./Shell.module.css";

export function TenantSwitcher() {
  const { t } = useTranslation("shell");
  const { tenant, tenants } = useSession();
  const change = useSwitchTenant();
  const name = tenant?.name ?? t("noTenant");
  return (
    <Menu position="bottom-start" width={224}>
      <Menu.Target>
        <UnstyledButton
          className={classes.account}
          aria-label={t("switchTenant", { name })}
          disabled={tenants.length === 0}
        >
          <Avatar size={28} radius="md" color="sea" name={name} variant="filled" aria-hidden />
          <span className={classes.accountText}>
            <Text component="span" display="block" fw={600} truncate>
              {name}
            </Text>
            {tenant && (
              <Text component="span" display="block" size="xs" c="dimmed">
                {t(`role.${tenant.role}`)}
              </Text>
            )}
          </span>
          <IconSelector size={16} aria-hidden />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        <Menu.Label>{t("tenants")}</Menu.Label>
        {tenants.map((one) => (
          <Menu.Item
            key={one.id}
            onClick={() => one.id !== tenant?.id && change.mutate(one.id)}
            rightSection={one.id === tenant?.id ? <IconCheck size={14} aria-label={t("current")} /> : null}
          >
            <Text component="span" display="block">
              {one.name}
            </Text>
            <Text component="span" size="xs" c="dimmed">
              {t(`role.${one.role}`)}
            </Text>
          </Menu.Item>
        ))}
      </Menu.Dropdown>
    </Menu>
  );
}
