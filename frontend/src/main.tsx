import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./styles.css";
import { DirectionProvider, MantineProvider } from "@mantine/core";
import { Notifications } from "@mantine/notifications";
import { QueryClientProvider } from "@tanstack/react-query";
import { RouterProvider } from "@tanstack/react-router";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { makeQueryClient } from "@/api/query";
import { notifyError } from "@/components/notifyError";
import { directionOf, startI18n } from "@/i18n";
import { schemeManager, theme, variables } from "@/theme";
import { makeRouter } from "./router";

const queries = makeQueryClient({
  signedOut: () => {
    const { pathname, href } = router.state.location;
    if (pathname === "/sign-in") return;
    // A full load: nothing that the session saw stays in memory.
    window.location.assign(`/sign-in?next=${encodeURIComponent(href)}`);
  },
  failed: notifyError,
});
const router = makeRouter(queries);
const root = document.getElementById("root");

void startI18n().then(() => {
  if (!root) return;
  createRoot(root).render(
    <StrictMode>
      <DirectionProvider
        initialDirection={directionOf(document.documentElement.lang)}
        detectDirection={false}
      >
        <MantineProvider
          theme={theme}
          cssVariablesResolver={variables}
          colorSchemeManager={schemeManager}
          defaultColorScheme="auto"
        >
          <QueryClientProvider client={queries}>
            <Notifications position="bottom-right" limit={4} />
            <RouterProvider router={router} />
          </QueryClientProvider>
        </MantineProvider>
      </DirectionProvider>
    </StrictMode>,
  );
});
