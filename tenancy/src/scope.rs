//! Permissions of API keys.

use std::fmt;
use std::str::FromStr;

macro_rules! scopes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal,)+) => {
        /// A permission that an API key carries.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub enum Scope {
            $($(#[doc = $doc])+ $variant,)+
        }

        impl Scope {
            /// Every scope there is.
            pub const ALL: &'static [Scope] = &[$(Scope::$variant,)+];

            /// The stored and documented name, for example `vector_stores.read`.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }
        }

        impl FromStr for Scope {
            type Err = crate::Error;

            fn from_str(name: &str) -> Result<Self, Self::Err> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    other => Err(crate::Error::Invalid(format!(
                        "unknown scope '{other}'; known: {}",
                        Self::ALL.iter().map(|scope| scope.as_str()).collect::<Vec<_>>().join(", ")
                    ))),
                }
            }
        }

        /// One type per scope, for extractors that name the scope in a handler's signature.
        pub mod scope_types {
            $($(#[doc = $doc])+ #[derive(Debug, Clone, Copy)] pub struct $variant;
            impl super::NamedScope for $variant { const SCOPE: super::Scope = super::Scope::$variant; })+
        }
    };
}

/// A type that stands for a [`Scope`].
pub trait NamedScope: Send + Sync + 'static {
    /// The scope it stands for.
    const SCOPE: Scope;
}

scopes! {
    /// List and describe models.
    ModelsRead = "models.read",
    /// Compute embeddings.
    EmbeddingsWrite = "embeddings.write",
    /// Rank documents.
    RerankWrite = "rerank.write",
    /// Have texts looked through.
    ModerationsWrite = "moderations.write",
    /// Create chat completions.
    ChatWrite = "chat.write",
    /// Read stored responses and conversations.
    ResponsesRead = "responses.read",
    /// Delete stored responses; create, change and delete conversations.
    ResponsesWrite = "responses.write",
    /// List and read batches.
    BatchesRead = "batches.read",
    /// Create and cancel batches. What their lines call takes its own scope besides.
    BatchesWrite = "batches.write",
    /// List and read the tenant's own models, their versions and what answers.
    RegistryRead = "registry.read",
    /// Create, change and delete the tenant's own models; activate and roll back.
    RegistryWrite = "registry.write",
    /// Ask the tenant's own models.
    PredictWrite = "predict.write",
    /// List and read files and their content.
    FilesRead = "files.read",
    /// Upload and delete files.
    FilesWrite = "files.write",
    /// List, read and search vector stores.
    VectorStoresRead = "vector_stores.read",
    /// Create, change and delete vector stores and their files.
    VectorStoresWrite = "vector_stores.write",
    /// List and read assistants.
    AssistantsRead = "assistants.read",
    /// Create, change and delete assistants.
    AssistantsWrite = "assistants.write",
    /// See background work and how far it is.
    JobsRead = "jobs.read",
    /// Retry and cancel background work.
    JobsWrite = "jobs.write",
    /// List and read webhooks and their deliveries.
    WebhooksRead = "webhooks.read",
    /// Create, change and delete webhooks.
    WebhooksWrite = "webhooks.write",
    /// See the guardrails, and how requests are logged.
    GuardrailsRead = "guardrails.read",
    /// Change the guardrails, and how requests are logged.
    GuardrailsWrite = "guardrails.write",
    /// Read what was logged of requests: prompts and answers.
    RequestLogsRead = "request_logs.read",
    /// List budgets and what was spent of them.
    BudgetsRead = "budgets.read",
    /// Create, change and delete the tenant's budgets.
    BudgetsWrite = "budgets.write",
    /// See what was used and what it cost.
    UsageRead = "usage.read",
    /// Say for how long usage is kept.
    UsageWrite = "usage.write",
    /// See who changed what in the tenant.
    AuditLogsRead = "audit_logs.read",
    /// Download all that the tenant has.
    ExportRead = "export.read",
    /// List the tenant's members and whom it has invited.
    MembersRead = "members.read",
    /// Invite, change and remove members.
    MembersWrite = "members.write",
    /// Change what model names mean for the tenant.
    RoutesWrite = "routes.write",
    /// Make scoped tokens, by the API or by signing them.
    ScopedTokensWrite = "scoped_tokens.write",
    /// List the tenant's API keys, without their secrets.
    ApiKeysRead = "api_keys.read",
    /// Make, change, rotate and revoke API keys that can do no more than whoever makes them.
    ApiKeysWrite = "api_keys.write",
    /// List the keys for providers, without what they are.
    ProviderKeysRead = "provider_keys.read",
    /// Leave, replace and delete keys for providers.
    ProviderKeysWrite = "provider_keys.write",
}

impl fmt::Display for Scope {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip_and_unknown_names_list_the_known_ones() {
        for scope in Scope::ALL {
            assert_eq!(scope.as_str().parse::<Scope>().unwrap(), *scope);
        }
        let error = "vector_stores".parse::<Scope>().unwrap_err().to_string();
        assert!(error.contains("vector_stores.read"), "{error}");
    }
}
