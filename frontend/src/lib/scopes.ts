/** What a key or a role may do, by what it is about. The server has the last word; this is for choosing. */
export const scopeGroups = [
  { noun: "models", scopes: ["models.read"] },
  { noun: "chat", scopes: ["chat.write"] },
  { noun: "embeddings", scopes: ["embeddings.write"] },
  { noun: "rerank", scopes: ["rerank.write"] },
  { noun: "moderations", scopes: ["moderations.write"] },
  { noun: "responses", scopes: ["responses.read", "responses.write"] },
  { noun: "batches", scopes: ["batches.read", "batches.write"] },
  { noun: "files", scopes: ["files.read", "files.write"] },
  { noun: "vector_stores", scopes: ["vector_stores.read", "vector_stores.write"] },
  { noun: "assistants", scopes: ["assistants.read", "assistants.write"] },
  { noun: "registry", scopes: ["registry.read", "registry.write"] },
  { noun: "predict", scopes: ["predict.write"] },
  { noun: "jobs", scopes: ["jobs.read", "jobs.write"] },
  { noun: "webhooks", scopes: ["webhooks.read", "webhooks.write"] },
  { noun: "guardrails", scopes: ["guardrails.read", "guardrails.write"] },
  { noun: "request_logs", scopes: ["request_logs.read"] },
  { noun: "budgets", scopes: ["budgets.read", "budgets.write"] },
  { noun: "usage", scopes: ["usage.read", "usage.write"] },
  { noun: "audit_logs", scopes: ["audit_logs.read"] },
  { noun: "export", scopes: ["export.read"] },
  { noun: "routes", scopes: ["routes.write"] },
  { noun: "scoped_tokens", scopes: ["scoped_tokens.write"] },
  { noun: "provider_keys", scopes: ["provider_keys.read", "provider_keys.write"] },
  { noun: "api_keys", scopes: ["api_keys.read", "api_keys.write"] },
  { noun: "members", scopes: ["members.read", "members.write"] },
] as const;

export type Scope = (typeof scopeGroups)[number]["scopes"][number];

export const allScopes: Scope[] = scopeGroups.flatMap((group) => [...group.scopes]);
