import { Box, Center, Stack, Text, Title } from "@mantine/core";
import { type ReactNode, useEffect } from "react";
import { Panel } from "@/components/Panel";
import { Logo } from "@/components/shell/Logo";
import { Preferences } from "@/components/shell/Preferences";

/** The frame of the pages in front of the door. */
export function AuthFrame({
  title,
  help,
  children,
}: {
  title: string;
  help?: ReactNode;
  children: ReactNode;
}) {
  useEffect(() => {
    document.title = `${title} · Insula`;
  }, [title]);
  return (
    <Center mih="100dvh" p="md" component="main">
      <Stack w="100%" maw={400} gap="lg">
        <Center>
          <Logo size={32} />
        </Center>
        <Panel>
          <Stack gap="md">
            <Box>
              <Title order={1}>{title}</Title>
              {help && (
                <Text c="dimmed" mt={2} component="div">
                  {help}
                </Text>
              )}
            </Box>
            {children}
          </Stack>
        </Panel>
        <Center>
          <Preferences />
        </Center>
      </Stack>
    </Center>
  );
}
