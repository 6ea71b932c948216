//! Which model name leads to which provider: the operator's `routes.toml`.
//!
//! ```toml
//! [[provider]]
//! name = "openai"
//! kind = "openai_compatible"
//! base_url = "https://api.openai.com/v1"
//! api_key_env = "OPENAI_API_KEY"     # the name of a variable, never the key
//!
//! [[route]]
//! model = "gpt-5-mini"               # what clients ask for
//! provider = "openai"
//! upstream_model = "gpt-5-mini"      # what the provider calls it; `model` if absent
//! context_window = 400000
//! ```

mod build;
mod error;
mod file;
mod price;
mod provider;
mod route_entry;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use insula_core::route::{
    self, Capabilities, Condition, Cooldown, DEFAULT_MAX_OUTPUT_TOKENS, Detour, Prices, Retries, RouteKind,
    Strategy,
};

use crate::endpoint::Endpoint;
use crate::upstream::Timeouts;

pub use self::build::{BuildError, Parts};
pub use self::error::RoutesError;

/// The model that answers from the documents alone; always there, whatever the file says.
pub const EXTRACTIVE: &str = "insula/extractive";

/// Name of the built-in provider behind [`EXTRACTIVE`].
const EXTRACTIVE_PROVIDER: &str = "extractive";

/// The providers and routes of one installation.
#[derive(Debug, Clone)]
pub struct Routes {
    providers: Vec<Provider>,
    routes: Vec<Route>,
    /// Of the file.
    lines: usize,
}

/// A service that serves models.
#[derive(Debug, Clone)]
pub struct Provider {
    /// The operator's name for it.
    pub name: String,
    /// How it is spoken to.
    pub kind: ProviderKind,
}

/// How a provider is spoken to.
#[derive(Debug, Clone)]
pub enum ProviderKind {
    /// Built in: sentences of the documents, no model at all. Implemented in `insula-core`.
    Extractive,
    /// Over HTTP.
    Http(Box<Endpoint>),
}

/// A model that clients can ask for, as in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Route {
    /// The name that clients send.
    pub model: String,
    /// What it does.
    pub kind: RouteKind,
    /// Who is called first.
    pub strategy: Strategy,
    /// Who may answer. Never empty.
    pub targets: Vec<Target>,
    /// How often it is tried again.
    pub retries: Retries,
    /// When targets rest.
    pub cooldown: Cooldown,
    /// Tokens that prompt and answer may have together.
    pub context_window: Option<u32>,
    /// Most tokens that an answer is expected to have.
    pub max_output_tokens: u32,
    /// What its models can do.
    pub capabilities: Capabilities,
    /// Where calls of some kind go instead.
    pub detours: Vec<Detour>,
    /// Routes that answer when all targets have failed.
    pub fallbacks: Vec<Arc<str>>,
    /// Routes that answer what is too long for this one.
    pub context_window_fallbacks: Vec<Arc<str>>,
    /// Shown in `GET /v1/models`.
    pub owned_by: String,
    /// How long answers may be served from the response cache.
    pub cache_ttl: Option<Duration>,
    /// How servers of an embedding model are asked.
    pub embedding: EmbeddingOptions,
    /// Where in the file it is, counted from 1; 0 for what is built in.
    pub line: usize,
}

/// How servers of an embedding model are asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct EmbeddingOptions {
    /// Most texts per request.
    pub batch: usize,
    /// Whether the length of vectors is asked for, of models that can cut them.
    pub send_dimensions: bool,
}

impl Default for EmbeddingOptions {
    fn default() -> Self {
        Self {
            // What the smallest of the usual servers take.
            batch: 32,
            send_dimensions: false,
        }
    }
}

/// A model at a provider, as in the file.
#[derive(Debug, Clone, PartialEq)]
pub struct Target {
    /// Name of a provider in the same [`Routes`].
    pub provider: String,
    /// What the provider calls the model.
    pub upstream_model: String,
    /// Its share under [`Strategy::Weighted`].
    pub weight: u32,
    /// Bounds in time that differ from the provider's.
    pub timeouts: TimeoutOverrides,
    /// Which calls it is for.
    pub condition: Condition,
    /// What its tokens cost.
    pub prices: Prices,
}

/// Bounds in time; what is absent is as it is without.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TimeoutOverrides {
    /// To a connection.
    pub connect: Option<Duration>,
    /// To the first event of a stream.
    pub first_token: Option<Duration>,
    /// Between two lines of a stream.
    pub between_chunks: Option<Duration>,
    /// The whole call.
    pub total: Option<Duration>,
}

impl TimeoutOverrides {
    /// `timeouts` with these in their places.
    pub fn over(&self, timeouts: Timeouts) -> Timeouts {
        Timeouts {
            connect: self.connect.unwrap_or(timeouts.connect),
            first_token: self.first_token.unwrap_or(timeouts.first_token),
            between_chunks: self.between_chunks.unwrap_or(timeouts.between_chunks),
            total: self.total.unwrap_or(timeouts.total),
        }
    }
}

impl Routes {
    /// Only what is built in: [`EXTRACTIVE`].
    pub fn builtin() -> Self {
        let target = Target {
            provider: EXTRACTIVE_PROVIDER.into(),
            upstream_model: EXTRACTIVE.into(),
            weight: 1,
            timeouts: TimeoutOverrides::default(),
            condition: Condition::default(),
            prices: Prices::default(),
        };
        let route = Route {
            model: EXTRACTIVE.into(),
            kind: RouteKind::Chat,
            strategy: Strategy::default(),
            targets: vec![target],
            retries: Retries::default(),
            cooldown: Cooldown::default(),
            context_window: None,
            max_output_tokens: DEFAULT_MAX_OUTPUT_TOKENS,
            capabilities: Capabilities::NONE,
            detours: Vec::new(),
            fallbacks: Vec::new(),
            context_window_fallbacks: Vec::new(),
            owned_by: "insula".into(),
            cache_ttl: None,
            embedding: EmbeddingOptions::default(),
            line: 0,
        };
        let provider = Provider {
            name: EXTRACTIVE_PROVIDER.into(),
            kind: ProviderKind::Extractive,
        };
        Self {
            providers: vec![provider],
            routes: vec![route],
            lines: 0,
        }
    }

    /// Reads the text of a `routes.toml` and adds what is built in.
    pub fn parse(text: &str) -> Result<Self, RoutesError> {
        file::parse(text)
    }

    /// Reads a `routes.toml`.
    pub fn from_file(path: &Path) -> Result<Self, RoutesError> {
        let text = std::fs::read_to_string(path).map_err(|source| RoutesError::File {
            path: path.to_owned(),
            source,
        })?;
        Self::parse(&text)
    }

    /// Checks that the embedding models are those that are `running`: vectors that are stored were made by them, and a server
    /// registers models when it starts.
    ///
    /// # Errors
    /// With the line of the model that is new or of other dimensions; with the last line for one that is gone.
    pub fn check_embeddings(&self, running: &[Arc<route::Route>]) -> Result<(), RoutesError> {
        let wrong = |line, field: &str, message: String| {
            Err(RoutesError::Invalid {
                line,
                field: field.to_owned(),
                message,
            })
        };
        for new in &self.routes {
            let RouteKind::Embeddings(card) = &new.kind else {
                continue;
            };
            let old = running.iter().find(|old| *old.name == *new.model);
            match old.map(|old| &old.kind) {
                Some(RouteKind::Embeddings(old)) if old == card => {}
                Some(RouteKind::Embeddings(old)) => {
                    let message = format!(
                        "the embedding model '{}' was started with {} dimensions and cannot be changed while the server runs",
                        new.model, old.dimensions
                    );
                    return wrong(new.line, "route.dimensions", message);
                }
                _ => {
                    let message = format!("the embedding model '{}' is new, and needs a restart", new.model);
                    return wrong(new.line, "route.model", message);
                }
            }
        }
        let gone = running.iter().find(|old| {
            let kept = self.find(&old.name).is_some_and(|new| new.kind == old.kind);
            matches!(old.kind, RouteKind::Embeddings(_)) && !kept
        });
        match gone {
            Some(old) => {
                let message = format!(
                    "the embedding model '{}' is missing; removing it needs a restart",
                    old.name
                );
                wrong(self.lines, "route.model", message)
            }
            None => Ok(()),
        }
    }

    /// All routes: what is built in first, then as in the file.
    pub fn routes(&self) -> &[Route] {
        &self.routes
    }

    /// All providers: what is built in first, then as in the file.
    pub fn providers(&self) -> &[Provider] {
        &self.providers
    }

    /// The route of a model name.
    pub fn find(&self, model: &str) -> Option<&Route> {
        self.routes.iter().find(|route| route.model == model)
    }

    /// The provider of that name.
    pub fn provider(&self, name: &str) -> Option<&Provider> {
        self.providers.iter().find(|provider| provider.name == name)
    }
}

#[cfg(test)]
mod tests;

#[cfg(test)]
mod route_tests;
