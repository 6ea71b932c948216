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

mod error;
mod file;
mod provider;

use std::path::Path;

pub use self::error::RoutesError;
use crate::endpoint::Endpoint;

/// The model that answers from the documents alone; always there, whatever the file says.
pub const EXTRACTIVE: &str = "insula/extractive";

/// Name of the built-in provider behind [`EXTRACTIVE`].
const EXTRACTIVE_PROVIDER: &str = "extractive";

/// The providers and routes of one installation.
#[derive(Debug, Clone)]
pub struct Routes {
    providers: Vec<Provider>,
    routes: Vec<Route>,
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

/// A model that clients can ask for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Route {
    /// The name that clients send.
    pub model: String,
    /// Who may answer, in the order in which they are tried. Never empty.
    pub targets: Vec<Target>,
    /// Tokens that prompt and answer may have together.
    pub context_window: Option<u32>,
    /// Shown in `GET /v1/models`.
    pub owned_by: String,
}

/// A model at a provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Target {
    /// Name of a provider in the same [`Routes`].
    pub provider: String,
    /// What the provider calls the model.
    pub upstream_model: String,
}

impl Routes {
    /// Only what is built in: [`EXTRACTIVE`].
    pub fn builtin() -> Self {
        let target = Target {
            provider: EXTRACTIVE_PROVIDER.into(),
            upstream_model: EXTRACTIVE.into(),
        };
        let route = Route {
            model: EXTRACTIVE.into(),
            targets: vec![target],
            context_window: None,
            owned_by: "insula".into(),
        };
        let provider = Provider {
            name: EXTRACTIVE_PROVIDER.into(),
            kind: ProviderKind::Extractive,
        };
        Self {
            providers: vec![provider],
            routes: vec![route],
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
