//! Telling one webhook about one event, as a job per attempt.

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use insula_tenancy::job::Lease;
use insula_tenancy::{EventId, TenantTx, WebhookId};
use serde::{Deserialize, Serialize};
use serde_json::json;
use uuid::Uuid;

use super::call::{Call, Called};
use super::event::EventType;
use super::schedule::pause_after;
use super::{emit, store};
use crate::ingest::ParseError;
use crate::worker::{Class, Failure, Job, enqueue, enqueue_after};
use crate::{Result, Services};

/// One event for one webhook.
#[derive(Debug, Clone, PartialEq)]
pub struct Delivery {
    /// The event; the same one for all webhooks that are told about it.
    pub event_id: EventId,
    /// What happened.
    pub event_type: String,
    /// How far it has come.
    pub state: DeliveryState,
    /// What was tried so far, oldest first.
    pub attempts: Vec<Attempt>,
    /// When it will be tried again.
    pub next_attempt_at: Option<DateTime<Utc>>,
    /// When it happened.
    pub created_at: DateTime<Utc>,
}

/// How far a delivery has come.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DeliveryState {
    /// It will be tried (again).
    Pending,
    /// The receiver took it.
    Delivered,
    /// Given up after the last attempt.
    Failed,
    /// The webhook was switched off before it could be told.
    Cancelled,
}

impl DeliveryState {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Delivered => "delivered",
            Self::Failed => "failed",
            Self::Cancelled => "cancelled",
        }
    }
}

/// One try.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attempt {
    /// Which one, from 1.
    pub attempt: i32,
    /// When.
    pub at: DateTime<Utc>,
    /// The receiver's answer, if there was one.
    pub status_code: Option<u16>,
    /// Why there was none.
    pub error: Option<String>,
    /// How long it took, in milliseconds.
    pub duration_ms: u64,
}

/// Tells a webhook about an event, once.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub(crate) struct DeliverWebhook {
    webhook_id: Uuid,
    event_id: Uuid,
    attempt: i32,
}

/// Records that a webhook is to be told about an event, and enqueues the first attempt.
pub(super) async fn plan(tx: &mut TenantTx, webhook_id: WebhookId, event_id: EventId) -> Result<()> {
    store::insert_delivery(tx, webhook_id, event_id, DeliveryState::Pending).await?;
    let job = DeliverWebhook {
        webhook_id: webhook_id.uuid(),
        event_id: event_id.uuid(),
        attempt: 1,
    };
    enqueue(tx, &job).await
}

#[async_trait]
impl Job for DeliverWebhook {
    const KIND: &'static str = "deliver_webhook";
    const CLASS: Class = Class::Light;

    fn unique_key(&self) -> Option<String> {
        let (webhook, event) = (self.webhook_id.simple(), self.event_id.simple());
        Some(format!("{webhook}:{event}:{}", self.attempt))
    }

    async fn run(&self, services: &Services, lease: &Lease) -> Result<(), Failure> {
        let (webhook_id, event_id) = (self.webhook_id.into(), self.event_id.into());
        let mut tx = services.db.tenant(&lease.cx).await?;
        let Some(mut due) = store::due(&mut tx, webhook_id, event_id).await? else {
            // Deleted, disabled or delivered meanwhile.
            store::give_up(&mut tx, webhook_id, event_id, DeliveryState::Cancelled).await?;
            lease.complete(&mut tx).await?;
            tx.commit().await?;
            return Ok(());
        };
        tx.commit().await?;

        let secrets = due.secrets();
        let called = services
            .caller
            .call(Call {
                url: &due.url,
                event_id,
                now: due.now,
                body: &due.payload,
                secrets: &secrets,
            })
            .await;

        let mut tx = services.db.tenant(&lease.cx).await?;
        self.settle(&mut tx, due.now, called).await?;
        store::forget_old(&mut tx).await?;
        lease.complete(&mut tx).await?;
        tx.commit().await?;
        Ok(())
    }

    async fn buried(&self, tx: &mut TenantTx, _: &ParseError) -> Result<()> {
        let (webhook_id, event_id) = (self.webhook_id.into(), self.event_id.into());
        store::give_up(tx, webhook_id, event_id, DeliveryState::Failed).await
    }
}

impl DeliverWebhook {
    /// Puts an attempt on record, and plans the next one if it failed.
    async fn settle(&self, tx: &mut TenantTx, at: DateTime<Utc>, called: Called) -> Result<()> {
        let (webhook_id, event_id): (WebhookId, EventId) = (self.webhook_id.into(), self.event_id.into());
        let gone = called.status == Some(410);
        let pause = pause_after(self.attempt).filter(|_| !gone);
        let state = match pause {
            _ if called.succeeded() => DeliveryState::Delivered,
            Some(_) => DeliveryState::Pending,
            None => DeliveryState::Failed,
        };
        let next = pause.filter(|_| state == DeliveryState::Pending);
        let succeeded = called.succeeded();
        let attempt = Attempt {
            attempt: self.attempt,
            at,
            status_code: called.status,
            error: called.error,
            duration_ms: u64::try_from(called.took.as_millis()).unwrap_or(u64::MAX),
        };
        store::record(tx, webhook_id, event_id, state, &attempt, next).await?;
        if let Some(pause) = next {
            let again = Self {
                attempt: self.attempt + 1,
                ..self.clone()
            };
            enqueue_after(tx, &again, pause).await?;
        }
        if succeeded {
            return store::set_working(tx, webhook_id).await;
        }
        let disabled = if gone {
            let reason = "The receiver answered 410: it does not want to be told any more.";
            store::disable(tx, webhook_id, reason).await?
        } else {
            store::set_failing(tx, webhook_id).await?
        };
        if disabled {
            tell_disabled(tx, webhook_id).await?;
        }
        Ok(())
    }
}

/// Tells the other webhooks, and notes it in the log of the one that can no longer be told.
async fn tell_disabled(tx: &mut TenantTx, webhook_id: WebhookId) -> Result<()> {
    tracing::info!(%webhook_id, "a webhook was disabled");
    let data = json!({"webhook_id": webhook_id});
    let event = store::insert_event(tx, EventType::WebhookDisabled, &data).await?;
    store::insert_delivery(tx, webhook_id, event, DeliveryState::Cancelled).await?;
    emit(tx, EventType::WebhookDisabled, data).await
}
