//! What webhooks are told.

use insula_tenancy::TenantTx;
use serde_json::{Value, json};

use super::store;
use crate::{Error, Result};

/// What can happen.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum EventType {
    /// A file of a vector store is searchable.
    FileCompleted,
    /// A file of a vector store cannot be read.
    FileFailed,
    /// A batch was worked off.
    BatchCompleted,
    /// A batch is wrong, or could not be worked off.
    BatchFailed,
    /// The time of a batch was over before all of it was worked off.
    BatchExpired,
    /// A batch was given up on request.
    BatchCancelled,
    /// All files of a file batch are done with.
    FileBatchCompleted,
    /// A file batch was given up on request.
    FileBatchCancelled,
    /// No file of a file batch could be read.
    FileBatchFailed,
    /// A source was read through.
    SourceCrawled,
    /// A budget went past one of the percentages at which it tells.
    BudgetAlert,
    /// A webhook failed for so long that it was switched off.
    WebhookDisabled,
    /// Somebody wants to see a delivery.
    WebhookTest,
}

impl EventType {
    /// Every type there is.
    pub const ALL: [Self; 13] = [
        Self::FileCompleted,
        Self::FileFailed,
        Self::BatchCompleted,
        Self::BatchFailed,
        Self::BatchExpired,
        Self::BatchCancelled,
        Self::FileBatchCompleted,
        Self::FileBatchCancelled,
        Self::FileBatchFailed,
        Self::SourceCrawled,
        Self::BudgetAlert,
        Self::WebhookDisabled,
        Self::WebhookTest,
    ];

    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::FileCompleted => "vector_store.file.completed",
            Self::FileFailed => "vector_store.file.failed",
            Self::BatchCompleted => "batch.completed",
            Self::BatchFailed => "batch.failed",
            Self::BatchExpired => "batch.expired",
            Self::BatchCancelled => "batch.cancelled",
            Self::FileBatchCompleted => "vector_store.file_batch.completed",
            Self::FileBatchCancelled => "vector_store.file_batch.cancelled",
            Self::FileBatchFailed => "vector_store.file_batch.failed",
            Self::SourceCrawled => "source.crawled",
            Self::BudgetAlert => "budget.alert",
            Self::WebhookDisabled => "webhook.disabled",
            Self::WebhookTest => "webhook.test",
        }
    }
}

impl std::str::FromStr for EventType {
    type Err = Error;

    fn from_str(name: &str) -> Result<Self> {
        Self::ALL
            .into_iter()
            .find(|kind| kind.as_str() == name)
            .ok_or_else(|| {
                let known: Vec<_> = Self::ALL
                    .iter()
                    .map(|kind| format!("'{}'", kind.as_str()))
                    .collect();
                Error::invalid("events", format!("'{name}' is not one of {}.", known.join(", ")))
            })
    }
}

/// Tells every webhook that wants to know. Deliveries exist when, and only when, `tx` commits; where there is no webhook
/// it costs one look into a small index.
///
/// `data` holds ids, and not what they stand for: who receives it asks for the rest with a key.
pub(crate) async fn emit(tx: &mut TenantTx, kind: EventType, data: Value) -> Result<()> {
    let webhooks = store::subscribed(tx, kind).await?;
    if !webhooks.is_empty() {
        let event = store::insert_event(tx, kind, &data).await?;
        for webhook in webhooks {
            super::delivery::plan(tx, webhook, event).await?;
        }
    }
    Ok(())
}

/// What a webhook is sent: `{"type", "timestamp", "data"}`.
pub(super) fn payload(kind: EventType, timestamp: chrono::DateTime<chrono::Utc>, data: &Value) -> String {
    let timestamp = timestamp.to_rfc3339_opts(chrono::SecondsFormat::Millis, true);
    json!({"type": kind.as_str(), "timestamp": timestamp, "data": data}).to_string()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_round_trip() {
        for kind in EventType::ALL {
            assert_eq!(kind.as_str().parse::<EventType>().unwrap(), kind);
        }
        assert!("*".parse::<EventType>().is_err());
    }
}
