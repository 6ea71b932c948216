//! Which table is in which entry of an export, and which is not, with why. A test compares it with the catalogue, so that a table
//! that is added tomorrow is either exported or left out on purpose.

/// Where the rows of a table are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Exported {
    /// In the entry of this name.
    In(&'static str),
    /// Nowhere, because of this.
    Not(&'static str),
}

use Exported::{In, Not};

/// Every table of tenants but those of vectors, which are computed anew from the chunks.
pub const TABLES: &[(&str, Exported)] = &[
    ("api_keys", In("api_keys.jsonl")),
    ("assistant_vector_stores", In("assistants.jsonl")),
    ("assistants", In("assistants.jsonl")),
    ("audit_logs", In("audit_logs.jsonl")),
    (
        "batch_lines",
        Not("answers of batches under way; those of ended ones are in their files"),
    ),
    ("batches", In("batches.jsonl")),
    (
        "budget_alerts",
        Not("which alerts were told is in the deliveries of webhooks"),
    ),
    ("budget_periods", In("budgets.jsonl")),
    ("budget_slices", Not("how servers share a budget")),
    ("budgets", In("budgets.jsonl")),
    ("chunks", In("chunks.jsonl")),
    ("conversation_items", In("conversation_items.jsonl")),
    ("conversation_retention", In("settings.jsonl")),
    ("conversations", In("conversations.jsonl")),
    (
        "file_batches",
        Not("how files came into a store; the files are in vector_store_files.jsonl"),
    ),
    ("files", In("files.jsonl")),
    ("guardrails", In("settings.jsonl")),
    ("idempotency_keys", Not("answers that are repeated for a day")),
    ("invite_projects", In("invites.jsonl")),
    ("jobs", In("jobs.jsonl")),
    ("limit_slices", Not("how servers share a limit")),
    ("limit_windows", Not("counters of a minute")),
    ("members", In("members.jsonl")),
    ("model_activations", In("model_activations.jsonl")),
    ("model_permissions", Not("what the operator has set")),
    ("model_versions", In("model_versions.jsonl")),
    ("provider_keys", In("provider_keys.jsonl")),
    ("registered_models", In("models.jsonl")),
    ("request_logging", In("settings.jsonl")),
    ("request_logs", In("request_logs.jsonl")),
    ("response_items", In("responses.jsonl")),
    ("responses", In("responses.jsonl")),
    ("route_overrides", In("routes.jsonl")),
    ("search_analytics", In("settings.jsonl")),
    ("search_days", In("search_analytics.jsonl")),
    ("searches", In("search_analytics.jsonl")),
    (
        "service_accounts",
        Not("the operator's; their keys are in api_keys.jsonl"),
    ),
    ("source_pages", In("source_pages.jsonl")),
    ("sources", In("sources.jsonl")),
    ("staged_embeddings", Not("vectors of files that are being read")),
    ("store_migrations", In("vector_store_migrations.jsonl")),
    ("tenant_accesses", In("accesses.jsonl")),
    ("tenant_data_keys", Not("a secret of the server's")),
    ("tenant_exports", Not("who is exporting")),
    ("tenant_limits", Not("what the operator has set")),
    ("tenant_plans", Not("what the operator has set")),
    ("tenant_quotas", Not("what the operator has set")),
    ("tenant_usage", Not("sums over files.jsonl")),
    ("term_stats", Not("computed anew from the chunks")),
    ("upload_parts", Not("parts of files that have not arrived whole")),
    ("uploads", Not("files that have not arrived whole")),
    ("usage_days", In("usage_days.jsonl")),
    ("usage_end_users", Not("sums over usage_events.jsonl")),
    ("usage_events", In("usage_events.jsonl")),
    ("usage_hours", In("usage_days.jsonl")),
    ("usage_retention", In("settings.jsonl")),
    ("vector_store_files", In("vector_store_files.jsonl")),
    (
        "vector_store_recall",
        Not("how well searches went, measured anew"),
    ),
    ("vector_stores", In("vector_stores.jsonl")),
    ("webhook_deliveries", In("webhook_deliveries.jsonl")),
    ("webhook_events", In("webhook_deliveries.jsonl")),
    ("webhooks", In("webhooks.jsonl")),
];
