import { AppShell, Burger, Group, UnstyledButton } from "@mantine/core";
import { useDisclosure } from "@mantine/hooks";
import { Link, useRouterState } from "@tanstack/react-router";
import { useEffect, useRef } from "react";
import { useTranslation } from "react-i18next";
import { AccessBanner } from "@/access/AccessBanner";
import { Gate } from "./Gate";
import { Logo } from "./Logo";
import { Preferences } from "./Preferences";
import classes from "./Shell.module.css";
import { Sidebar } from "./Sidebar";
import { TenantSwitcher } from "./TenantSwitcher";
import { UserMenu } from "./UserMenu";

/** What surrounds every page: a sidebar, on small screens behind a burger. */
export function Shell() {
  const { t } = useTranslation("shell");
  const [opened, { toggle, close }] = useDisclosure(false);
  const path = useRouterState({ select: (state) => state.location.pathname });
  const main = useRef<HTMLElement>(null);
  const first = useRef(true);

  // A new page begins at its top, for the keyboard and for screen readers as well.
  // biome-ignore lint/correctness/useExhaustiveDependencies: the path is what makes a page new
  useEffect(() => {
    close();
    if (first.current) first.current = false;
    else main.current?.focus({ preventScroll: true });
  }, [path, close]);

  return (
    <AppShell
      layout="alt"
      padding={0}
      header={{ height: { base: 52, md: 0 } }}
      navbar={{ width: 240, breakpoint: "md", collapsed: { mobile: !opened } }}
      transitionDuration={120}
    >
      <UnstyledButton component="a" href="#main" className={classes.skip}>
        {t("skip")}
      </UnstyledButton>
      <AppShell.Header hiddenFrom="md" className={classes.header}>
        <Group h="100%" px="md" justify="space-between" wrap="nowrap">
          <Link to="/" className={classes.home} aria-label="Insula">
            <Logo />
          </Link>
          <Burger opened={opened} onClick={toggle} size="sm" aria-label={t("menu")} aria-expanded={opened} />
        </Group>
      </AppShell.Header>
      <AppShell.Navbar className={classes.navbar} aria-label={t("navigation")}>
        <Group h={52} px={12} justify="space-between" wrap="nowrap" hiddenFrom="md">
          <Logo />
          <Burger opened={opened} onClick={toggle} size="sm" aria-label={t("menu")} aria-expanded={opened} />
        </Group>
        <TenantSwitcher />
        <Sidebar />
        <Preferences />
        <UserMenu />
      </AppShell.Navbar>
      <AppShell.Main id="main" ref={main} tabIndex={-1} className={classes.main}>
        <AccessBanner />
        <div className={classes.page}>
          <Gate />
        </div>
      </AppShell.Main>
    </AppShell>
  );
}
