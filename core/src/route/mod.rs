//! A model's name to who answers: targets, in what order they are tried, what they cost, and what they are spared.
//!
//! Pure as far as it goes: health and selection take the time and the dice as parameters, a call's way from target to target
//! is a state machine ([`journey`]), and only [`complete`], [`stream`] and [`RoutedEmbedder`] wait for anything. The HTTP
//! clients behind the targets are in `insula-inference`, which also reads `routes.toml`.

mod attempt;
mod capability;
mod embed;
mod health;
mod journey;
mod judge;
mod own_keys;
mod price;
mod rule;
mod run;
mod select;
mod stage;
mod table;
mod target;
pub mod tenant;
mod walk;

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
pub use insula_tenancy::Money;

pub use attempt::{Attempt, Failed, Outcome, Taken};
pub use capability::Capabilities;
pub use embed::RoutedEmbedder;
pub use health::{Cooldown, Health, HealthReport, HealthState, now};
pub use judge::RoutedJudge;
pub use own_keys::OwnKeys;
pub use price::{Price, PriceSpan, Prices};
pub use rule::{Condition, RouteFacts, language_of};
pub use run::{Answered, RouteCall, complete, stream};
pub use select::{Strategy, Targets};
pub use table::{Routes, Table};
pub use target::{Target, TargetModel, Timeouts};

use crate::model::{EmbedderCard, TokenUsage};

/// Generated tokens of an answer, where neither the route nor the call says how many.
pub const DEFAULT_MAX_OUTPUT_TOKENS: u32 = 4096;

/// What a route does.
#[derive(Debug, Clone, PartialEq)]
pub enum RouteKind {
    /// Answers conversations.
    Chat,
    /// Turns texts into vectors. All targets serve the same model.
    Embeddings(EmbedderCard),
    /// Ranks documents by how well they answer a query.
    Rerank,
    /// Finds what should not be in a text.
    Moderations,
}

impl RouteKind {
    /// What `routes.toml` calls it.
    pub fn as_str(&self) -> &'static str {
        match self {
            Self::Chat => "chat",
            Self::Embeddings(_) => "embeddings",
            Self::Rerank => "rerank",
            Self::Moderations => "moderations",
        }
    }
}

/// How often a call is tried again when all targets have failed it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Retries {
    /// Further rounds over the targets.
    pub rounds: u32,
    /// The longest pause between two rounds. A target that asks for a longer one (`Retry-After`) is not called again.
    pub longest_pause: Duration,
}

impl Default for Retries {
    fn default() -> Self {
        Self {
            rounds: 1,
            longest_pause: Duration::from_secs(5),
        }
    }
}

/// Calls of a kind that another route answers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Detour {
    /// Which calls.
    pub condition: Condition,
    /// Name of the other route.
    pub to: Arc<str>,
}

/// A model that clients can ask for.
#[derive(Clone)]
pub struct Route {
    /// The name that clients send.
    pub name: Arc<str>,
    /// What it does.
    pub kind: RouteKind,
    /// Who is called first.
    pub strategy: Strategy,
    /// Who may answer. Never empty, at most [`Targets::MOST`].
    pub targets: Arc<[Target]>,
    /// How often it is tried again.
    pub retries: Retries,
    /// When targets rest.
    pub cooldown: Cooldown,
    /// Tokens that prompt and answer may have together.
    pub context_window: Option<u32>,
    /// Most tokens that an answer is expected to have: what a budget reserves, and what is asked of the provider while a
    /// hard budget applies.
    pub max_output_tokens: u32,
    /// What its models can do.
    pub capabilities: Capabilities,
    /// Where calls of some kind go instead; the first that holds.
    pub detours: Vec<Detour>,
    /// Names of the routes that answer when all targets have failed.
    pub fallbacks: Vec<Arc<str>>,
    /// Names of the routes that answer what is too long for this one.
    pub context_window_fallbacks: Vec<Arc<str>>,
    /// Shown in `GET /v1/models`.
    pub owned_by: Arc<str>,
    /// How long answers may be served from the response cache; `None`: not at all, unless a call asks.
    pub cache_ttl: Option<Duration>,
    /// The other routes that a call to this one can come to. Filled by [`Table::new`], so that a call keeps to the table
    /// that it began with.
    pub(crate) ways: Ways,
}

/// Routes that follow from a route, resolved. Those behind a detour have fallbacks of their own; otherwise chains are
/// followed here, and none goes in circles.
#[derive(Clone, Default)]
pub(crate) struct Ways {
    pub(crate) detours: Vec<Arc<Route>>,
    pub(crate) fallbacks: Vec<Arc<Route>>,
    pub(crate) larger: Vec<Arc<Route>>,
}

impl Ways {
    fn all(&self) -> impl Iterator<Item = &Route> {
        let all = [&self.detours, &self.fallbacks, &self.larger];
        all.into_iter().flatten().map(|route| &**route)
    }
}

impl Route {
    /// A route of these targets with the defaults. The first one's provider owns it.
    pub fn new(name: impl Into<Arc<str>>, kind: RouteKind, targets: Vec<Target>) -> Self {
        Self {
            name: name.into(),
            kind,
            strategy: Strategy::default(),
            owned_by: targets
                .first()
                .map_or_else(|| "".into(), |target| Arc::clone(&target.provider)),
            targets: targets.into(),
            retries: Retries::default(),
            cooldown: Cooldown::default(),
            context_window: None,
            max_output_tokens: DEFAULT_MAX_OUTPUT_TOKENS,
            capabilities: Capabilities::ALL,
            detours: Vec::new(),
            fallbacks: Vec::new(),
            context_window_fallbacks: Vec::new(),
            cache_ttl: None,
            ways: Ways::default(),
        }
    }

    /// Whether it answers conversations.
    pub fn is_chat(&self) -> bool {
        self.kind == RouteKind::Chat
    }

    /// Most tokens that an answer can have when the call asks for `asked`.
    pub fn output_bound(&self, asked: Option<u32>) -> u32 {
        asked.map_or(self.max_output_tokens, |asked| asked.min(self.max_output_tokens))
    }

    /// The most that a call of so many tokens can cost, at the dearest target that it can come to.
    pub fn ceiling(&self, input_tokens: u64, output_tokens: u64, at: DateTime<Utc>) -> Money {
        let usage = TokenUsage {
            prompt_tokens: input_tokens,
            completion_tokens: output_tokens,
            ..TokenUsage::default()
        };
        self.dearest(&usage, at)
    }

    fn dearest(&self, usage: &TokenUsage, at: DateTime<Utc>) -> Money {
        let own = self.targets.iter().map(|target| {
            // A cached token could be dearer than another one only by mistake; the bound holds even then.
            let price = target.prices.at(at);
            let input = price.input.max(price.cached_input);
            Price { input, ..price }.cost(usage)
        });
        let others = self.ways.all().map(|route| route.dearest(usage, at));
        own.chain(others).max().unwrap_or_default()
    }

    /// Whether neither it nor a route that follows from it costs anything, ever.
    pub fn is_free(&self) -> bool {
        self.targets.iter().all(|target| target.prices.is_free())
            && self.ways.all().all(|route| route.is_free())
    }

    /// Whether a rule asks for personal data in the call.
    pub(crate) fn needs_personal_data(&self) -> bool {
        let needs = |condition: &Condition| condition.personal_data.is_some();
        self.detours.iter().any(|detour| needs(&detour.condition))
            || self.targets.iter().any(|target| needs(&target.condition))
    }

    /// Whether a rule asks for the language of the question.
    pub(crate) fn needs_language(&self) -> bool {
        let needs = |condition: &Condition| !condition.languages.is_empty();
        self.detours.iter().any(|detour| needs(&detour.condition))
            || self.targets.iter().any(|target| needs(&target.condition))
    }
}

impl fmt::Debug for Route {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Route")
            .field("name", &self.name)
            .field("kind", &self.kind)
            .field("strategy", &self.strategy)
            .field("targets", &self.targets)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
pub(crate) mod testing;
