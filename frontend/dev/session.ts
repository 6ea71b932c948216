import type { Connect, Plugin } from "vite";
import { allScopes } from "../src/lib/scopes.ts";

/**
 * `INSULA_KEY=isk_… npm run dev` works against a server without signing in: this answers for the session, and the proxy adds
 * the key to every other call. Not part of the build.
 */
export function devSession(): Plugin {
  // What somebody sees who may only look: INSULA_ROLE=viewer.
  const viewer = process.env.INSULA_ROLE === "viewer";
  const tenant = { id: "proj_dev", name: "home", role: viewer ? "viewer" : "owner" };
  const session = {
    object: "insula.session",
    id: "sess_dev",
    person: { id: "user_dev", email: "dev@example.com", name: "Dev", role: "owner" },
    tenant,
    tenants: [tenant, { id: "proj_other", name: "Harbour", role: "viewer" }],
    operator: true,
    scopes: viewer ? allScopes.filter((scope) => scope.endsWith(".read")) : allScopes,
    language: null,
    expires_at: 4_000_000_000,
  };
  let signedIn = true;
  const answer: Connect.NextHandleFunction = (request, response, next) => {
    const path = request.url?.split("?")[0] ?? "";
    const send = (status: number, body: unknown) => {
      response.statusCode = status;
      response.setHeader("content-type", "application/json");
      response.setHeader("x-request-id", "req_dev");
      response.end(JSON.stringify(body));
    };
    if (path === "/v1/insula/session") {
      if (request.method === "DELETE") signedIn = false;
      if (request.method === "POST") signedIn = true;
      if (signedIn) return send(200, session);
      return send(401, {
        error: {
          message: "Nobody is signed in.",
          type: "invalid_request_error",
          code: "not_signed_in",
          param: null,
        },
      });
    }
    if (path === "/v1/insula/session/tenant") return send(200, session);
    if (path === "/v1/insula/sign_in") return send(200, { password: true, oidc: null });
    next();
  };
  return {
    name: "insula-dev-session",
    apply: "serve",
    configureServer: (dev) => void dev.middlewares.use(answer),
    configurePreviewServer: (preview) => void preview.middlewares.use(answer),
  };
}
