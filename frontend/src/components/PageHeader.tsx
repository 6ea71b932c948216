import { Anchor, Box, Breadcrumbs, Group, Stack, Text, Title } from "@mantine/core";
import type { LinkProps } from "@tanstack/react-router";
import { type ReactNode, useEffect } from "react";
import { useTranslation } from "react-i18next";
import { AnchorLink } from "./links";

export interface Crumb {
  label: string;
  to: LinkProps["to"];
  params?: Record<string, string>;
}

interface Props {
  title: string;
  /** One or two sentences: what the page is for. */
  help: string;
  /** Where more is written; the reference of the API unless said otherwise. */
  docs?: string;
  crumbs?: Crumb[];
  /** Beside the title: a badge, for example. */
  aside?: ReactNode;
  actions?: ReactNode;
}

export function PageHeader({ title, help, docs = "/docs/", crumbs = [], aside, actions }: Props) {
  const { t } = useTranslation();
  useEffect(() => {
    document.title = `${title} · Insula`;
  }, [title]);
  return (
    <Box component="header" mb="lg">
      {crumbs.length > 0 && (
        <Breadcrumbs mb={6} separatorMargin={6} fz="sm" aria-label={t("breadcrumbs")}>
          {crumbs.map((crumb) => (
            <AnchorLink key={crumb.label} to={crumb.to} params={crumb.params as never} fz="sm">
              {crumb.label}
            </AnchorLink>
          ))}
        </Breadcrumbs>
      )}
      <Group justify="space-between" align="flex-start" gap="md">
        <Stack gap={4} maw="84ch" miw={0} flex="1 1 320px">
          <Group gap="sm">
            <Title order={1} style={{ overflowWrap: "anywhere" }}>
              {title}
            </Title>
            {aside}
          </Group>
          <Text c="dimmed">
            <bdi>{help}</bdi>{" "}
            <Anchor
              href={docs}
              target="_blank"
              rel="noopener"
              inherit
              underline="always"
              style={{ whiteSpace: "nowrap" }}
            >
              {t("docs")}
            </Anchor>
          </Text>
        </Stack>
        {actions && <Group gap="xs">{actions}</Group>}
      </Group>
    </Box>
  );
}
