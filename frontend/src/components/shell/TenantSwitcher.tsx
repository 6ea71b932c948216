import { Avatar, Menu, Text, UnstyledButton } from "@mantine/core";
import { IconBuildingCommunity, IconCheck, IconSelector } from "@tabler/icons-react";
import { Link, useNavigate, useRouterState } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { useSession } from "@/session/session";
import { useSwitchTenant } from "@/session/useSwitchTenant";
import classes from "./Shell.module.css";

export function TenantSwitcher() {
  const { t } = useTranslation(["shell", "console"]);
  const { tenant, tenants, operator } = useSession();
  const navigate = useNavigate();
  const inConsole = useRouterState({ select: ({ location }) => /^\/operator(\/|$)/.test(location.pathname) });
  const change = useSwitchTenant();
  const name = inConsole ? t("console:operator") : (tenant?.name ?? t("noTenant"));
  const note = inConsole ? t("console:operatorHelp") : tenant && t(`role.${tenant.role}`);
  return (
    <Menu position="bottom-start" width={224}>
      <Menu.Target>
        <UnstyledButton
          className={classes.account}
          aria-label={t("switchTenant", { name })}
          disabled={tenants.length === 0 && !operator}
        >
          {inConsole ? (
            <Avatar size={28} radius="md" color="gray" variant="filled" aria-hidden>
              <IconBuildingCommunity size={16} />
            </Avatar>
          ) : (
            <Avatar size={28} radius="md" color="sea" name={name} variant="filled" aria-hidden />
          )}
          <span className={classes.accountText}>
            <Text component="span" display="block" fw={600} truncate>
              {name}
            </Text>
            {note && (
              <Text component="span" display="block" size="xs" c="dimmed">
                {note}
              </Text>
            )}
          </span>
          <IconSelector size={16} aria-hidden />
        </UnstyledButton>
      </Menu.Target>
      <Menu.Dropdown>
        {tenants.length > 0 && <Menu.Label>{t("tenants")}</Menu.Label>}
        {tenants.map((one) => (
          <Menu.Item
            key={one.id}
            onClick={() => (one.id === tenant?.id ? void navigate({ to: "/" }) : change.mutate(one.id))}
            rightSection={
              one.id === tenant?.id && !inConsole ? <IconCheck size={14} aria-label={t("current")} /> : null
            }
          >
            <Text component="span" display="block">
              {one.name}
            </Text>
            <Text component="span" size="xs" c="dimmed">
              {t(`role.${one.role}`)}
            </Text>
          </Menu.Item>
        ))}
        {operator && (
          <>
            {tenants.length > 0 && <Menu.Divider />}
            <Menu.Item
              component={Link}
              to="/operator/tenants"
              leftSection={<IconBuildingCommunity size={16} />}
              rightSection={inConsole ? <IconCheck size={14} aria-label={t("current")} /> : null}
            >
              {t("console:operator")}
            </Menu.Item>
          </>
        )}
      </Menu.Dropdown>
    </Menu>
  );
}
