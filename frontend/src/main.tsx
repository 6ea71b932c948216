import "@mantine/core/styles.css";
import "@mantine/notifications/styles.css";
import "./styles.css";
import { StrictMode } from "react";
import { createRoot } from "react-dom/client";
import { makeQueryClient } from "@/api/query";
import { notifyError } from "@/components/notifyError";
import { startI18n } from "@/i18n";
import { App } from "./App";
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
      <App queries={queries} router={router} />
    </StrictMode>,
  );
});
