import { Avatar, Menu, Text, UnstyledButton } from "@mantine/core";
import { IconBook2, IconLogout, IconSelector, IconUserCircle } from "@tabler/icons-react";
import { Link } from "@tanstack/react-router";
import { useTranslation } from "react-i18next";
import { timeZone } from "@/lib/format";
import { useSession } from "@/session/session";
import { useSignOut } from "@/session/useSignOut";
import classes from "./Shell.module.css";

export function UserMenu() {
  const { t } = useTranslation(["shell", "console"]);
  const { person } = useSession();
  const signOut = useSignOut();
  const name = person.name ?? person.email;
  return (
    <div className={classes.foot}>
      <Menu position="top-start" width={224}>
        <Menu.Target>
          <UnstyledButton className={classes.account} aria-label={t("account", { name })}>
            <Avatar size={28} radius="xl" name={name} color="gray" aria-hidden />
            <span className={classes.accountText}>
              <Text component="span" display="block" truncate>
                {name}
              </Text>
              {person.name && (
                <Text component="span" display="block" size="xs" c="dimmed" truncate>
                  <bdi>{person.email}</bdi>
                </Text>
              )}
            </span>
            <IconSelector size={16} aria-hidden />
          </UnstyledButton>
        </Menu.Target>
        <Menu.Dropdown>
          <Menu.Item component={Link} to="/account" leftSection={<IconUserCircle size={16} />}>
            {t("console:account")}
          </Menu.Item>
          <Menu.Item
            component="a"
            href="/docs/"
            target="_blank"
            rel="noopener"
            leftSection={<IconBook2 size={16} />}
          >
            {t("apiDocs")}
          </Menu.Item>
          <Menu.Item leftSection={<IconLogout size={16} />} onClick={() => signOut.mutate()}>
            {t("signOut")}
          </Menu.Item>
          <Menu.Divider />
          <Menu.Label>{t("timeZone", { zone: timeZone() })}</Menu.Label>
        </Menu.Dropdown>
      </Menu>
    </div>
  );
}
