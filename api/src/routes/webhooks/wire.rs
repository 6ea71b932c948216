//! Webhooks on the wire.

use insula_core::webhook::{Attempt, Delivery, EventType, Webhook};
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::routes::wire::seconds;

/// A type of event.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[schema(as = WebhookEventType)]
pub enum EventName {
    /// A file of a vector store is searchable.
    #[serde(rename = "vector_store.file.completed")]
    FileCompleted,
    /// A file of a vector store cannot be read.
    #[serde(rename = "vector_store.file.failed")]
    FileFailed,
    /// A batch was worked off.
    #[serde(rename = "batch.completed")]
    BatchCompleted,
    /// A batch is wrong, or could not be worked off.
    #[serde(rename = "batch.failed")]
    BatchFailed,
    /// The time of a batch was over before all of it was worked off.
    #[serde(rename = "batch.expired")]
    BatchExpired,
    /// A batch was given up on request.
    #[serde(rename = "batch.cancelled")]
    BatchCancelled,
    /// All files of a file batch are done with.
    #[serde(rename = "vector_store.file_batch.completed")]
    FileBatchCompleted,
    /// A file batch was given up on request.
    #[serde(rename = "vector_store.file_batch.cancelled")]
    FileBatchCancelled,
    /// No file of a file batch could be read.
    #[serde(rename = "vector_store.file_batch.failed")]
    FileBatchFailed,
    /// A source was read through.
    #[serde(rename = "source.crawled")]
    SourceCrawled,
    /// A budget went past one of the percentages at which it tells.
    #[serde(rename = "budget.alert")]
    BudgetAlert,
    /// A webhook failed for so long that it was switched off.
    #[serde(rename = "webhook.disabled")]
    WebhookDisabled,
    /// Somebody wants to see a delivery.
    #[serde(rename = "webhook.test")]
    WebhookTest,
}

impl From<EventName> for EventType {
    fn from(name: EventName) -> Self {
        match name {
            EventName::FileCompleted => Self::FileCompleted,
            EventName::FileFailed => Self::FileFailed,
            EventName::BatchCompleted => Self::BatchCompleted,
            EventName::BatchFailed => Self::BatchFailed,
            EventName::BatchExpired => Self::BatchExpired,
            EventName::BatchCancelled => Self::BatchCancelled,
            EventName::FileBatchCompleted => Self::FileBatchCompleted,
            EventName::FileBatchCancelled => Self::FileBatchCancelled,
            EventName::FileBatchFailed => Self::FileBatchFailed,
            EventName::SourceCrawled => Self::SourceCrawled,
            EventName::BudgetAlert => Self::BudgetAlert,
            EventName::WebhookDisabled => Self::WebhookDisabled,
            EventName::WebhookTest => Self::WebhookTest,
        }
    }
}

/// A webhook to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateWebhookRequest)]
pub struct CreateWebhook {
    /// What is called: http or https, on the public internet.
    #[schema(example = "https://hooks.example/insula", max_length = 2000)]
    pub url: String,
    /// What it is told.
    #[schema(min_items = 1)]
    pub events: Vec<EventName>,
    /// A note.
    #[schema(max_length = 512)]
    pub description: Option<String>,
}

/// Changes of a webhook. Absent fields stay.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateWebhookRequest)]
pub struct UpdateWebhook {
    /// What is called.
    #[schema(max_length = 2000)]
    pub url: Option<String>,
    /// What it is told.
    #[schema(min_items = 1)]
    pub events: Option<Vec<EventName>>,
    /// A note.
    #[schema(max_length = 512)]
    pub description: Option<String>,
    /// Whether it is told at all. Switching it on forgives what failed before.
    pub enabled: Option<bool>,
}

/// An address that is told about events.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Webhook)]
pub struct WebhookObject {
    /// Its id, `wh_…`.
    pub id: String,
    /// `insula.webhook`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// What is called.
    pub url: String,
    /// What it is told.
    #[schema(value_type = Vec<EventName>)]
    pub events: Vec<&'static str>,
    /// A note.
    pub description: String,
    /// Whether it is told at all.
    pub enabled: bool,
    /// Why it was switched off, if not by a request.
    #[schema(required)]
    pub disabled_reason: Option<String>,
    /// Unix seconds of the first failure since the last success; null while it works.
    #[schema(required)]
    pub failing_since: Option<i64>,
}

impl From<Webhook> for WebhookObject {
    fn from(webhook: Webhook) -> Self {
        Self {
            id: webhook.id.to_string(),
            object: "insula.webhook",
            created_at: seconds(webhook.created_at),
            url: webhook.url,
            events: webhook.events.iter().map(|event| event.as_str()).collect(),
            description: webhook.description,
            enabled: webhook.enabled,
            disabled_reason: webhook.disabled_reason,
            failing_since: webhook.failing_since.map(seconds),
        }
    }
}

/// A webhook with its secret: the only time that it is shown.
#[derive(Serialize, ToSchema)]
#[schema(as = WebhookWithSecret)]
pub struct WebhookWithSecret {
    /// The webhook.
    #[serde(flatten)]
    pub webhook: WebhookObject,
    /// Checks signatures: `whsec_…`, as Standard Webhooks writes it. Keep it; it is not shown again.
    pub secret: String,
}

impl WebhookWithSecret {
    /// For the answer of a creation or rotation.
    pub fn new((webhook, secret): (Webhook, SecretString)) -> Self {
        Self {
            webhook: webhook.into(),
            secret: secret.expose_secret().to_owned(),
        }
    }
}

/// What a webhook was told, and how that went.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookDelivery)]
pub struct DeliveryObject {
    /// The event's id, `evt_…`: the `webhook-id` header of every attempt.
    pub id: String,
    /// `insula.webhook.delivery`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of the event.
    pub created_at: i64,
    /// What happened.
    #[serde(rename = "type")]
    pub kind: String,
    /// `pending`, `delivered`, `failed` (given up after the last attempt), or `cancelled` (the webhook was disabled).
    #[schema(value_type = String)]
    pub status: &'static str,
    /// What was tried so far, oldest first.
    pub attempts: Vec<AttemptObject>,
    /// Unix seconds of the next attempt, if there will be one.
    #[schema(required)]
    pub next_attempt_at: Option<i64>,
}

/// One try of a delivery.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = WebhookAttempt)]
pub struct AttemptObject {
    /// Which one, from 1.
    pub attempt: i32,
    /// Unix seconds.
    pub at: i64,
    /// The receiver's answer, if there was one.
    #[schema(required)]
    pub status_code: Option<u16>,
    /// Why there was none.
    #[schema(required)]
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

impl From<Attempt> for AttemptObject {
    fn from(attempt: Attempt) -> Self {
        Self {
            attempt: attempt.attempt,
            at: seconds(attempt.at),
            status_code: attempt.status_code,
            error: attempt.error,
            duration_ms: attempt.duration_ms,
        }
    }
}

impl From<Delivery> for DeliveryObject {
    fn from(delivery: Delivery) -> Self {
        Self {
            id: delivery.event_id.to_string(),
            object: "insula.webhook.delivery",
            created_at: seconds(delivery.created_at),
            kind: delivery.event_type,
            status: delivery.state.as_str(),
            attempts: delivery.attempts.into_iter().map(Into::into).collect(),
            next_attempt_at: delivery.next_attempt_at.map(seconds),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_type_of_event_has_its_name_on_the_wire() {
        for kind in EventType::ALL {
            let name: EventName = serde_json::from_value(kind.as_str().into()).unwrap();
            assert_eq!(EventType::from(name), kind);
        }
    }
}
