//! What the delivery of an event needs of the web, without HTTP.

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use secrecy::SecretString;

use insula_tenancy::EventId;

/// Delivers events to addresses that tenants named.
#[async_trait]
pub trait Caller: Send + Sync + 'static {
    /// Whether an address may be called at all.
    ///
    /// # Errors
    /// What is wrong with it, for the tenant's developer. A name is looked up only when it is called.
    fn check(&self, url: &str) -> Result<(), String>;

    /// Signs as Standard Webhooks demands, posts once and reads at most the beginning of the answer.
    async fn call(&self, call: Call<'_>) -> Called;
}

/// One attempt.
#[derive(Debug, Clone, Copy)]
pub struct Call<'a> {
    /// Where to.
    pub url: &'a str,
    /// Which event: the same at every attempt, so that a receiver can tell repetitions.
    pub event_id: EventId,
    /// When this attempt is made, by the database's clock.
    pub now: DateTime<Utc>,
    /// The payload, JSON.
    pub body: &'a str,
    /// `whsec_…`; each signs.
    pub secrets: &'a [SecretString],
}

/// How an attempt ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Called {
    /// The answer's status, if there was an answer.
    pub status: Option<u16>,
    /// Why there was none, for the tenant's developer.
    pub error: Option<String>,
    /// How long it took.
    pub took: Duration,
}

impl Called {
    /// Whether the receiver took it: any 2xx.
    pub fn succeeded(&self) -> bool {
        self.status.is_some_and(|status| (200..300).contains(&status))
    }
}
