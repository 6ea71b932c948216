import { fileURLToPath } from "node:url";
import { tanstackRouter } from "@tanstack/router-plugin/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";
import { devSession } from "./dev/session.ts";

// Where the server is that `npm run dev` works against, and the key that stands in for a session (see README).
const server = process.env.INSULA_SERVER ?? "http://127.0.0.1:8080";
const key = process.env.INSULA_KEY;

// As the server sends it with the pages: `npm run preview` shows what it would forbid.
const policy =
  "default-src 'self'; script-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data: blob:; connect-src 'self'; " +
  "font-src 'self'; object-src 'none'; frame-ancestors 'none'; base-uri 'none'; form-action 'self'";

export default defineConfig({
  plugins: [
    tanstackRouter({ target: "react", autoCodeSplitting: true, quoteStyle: "double" }),
    react(),
    ...(key ? [devSession()] : []),
  ],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  build: {
    target: "es2022",
    // The policy of the page allows no data: scripts or fonts, and one file more costs nothing.
    assetsInlineLimit: 0,
    manifest: true,
    chunkSizeWarningLimit: 800,
  },
  server: {
    port: 5173,
    proxy: {
      "/v1": { target: server, headers: key ? { authorization: `Bearer ${key}` } : {} },
      "/docs": { target: server },
    },
  },
  preview: {
    headers: { "content-security-policy": policy },
    proxy: { "/v1": { target: server, headers: key ? { authorization: `Bearer ${key}` } : {} } },
  },
});
