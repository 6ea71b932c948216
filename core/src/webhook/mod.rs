//! Addresses of the tenant's that are told about events.
//!
//! An event is written in the transaction that makes it true, with one job per webhook that wants to know. Deliveries
//! come at least once and in any order; what they carry is signed, and thin: ids, no content.

mod call;
mod delivery;
mod event;
mod schedule;
mod secret;
mod store;

use chrono::{DateTime, Utc};
use insula_tenancy::{EventId, TenantTx, WebhookId};
use secrecy::SecretString;
use serde_json::json;

pub use call::{Call, Called, Caller};
pub(crate) use delivery::DeliverWebhook;
pub use delivery::{Attempt, Delivery, DeliveryState};
pub use event::EventType;
pub(crate) use event::emit;

use crate::page::{Listing, Page, unknown_cursor};
use crate::{Error, Result};

/// Most webhooks of a tenant: each event costs a job for each of them.
const MOST: i64 = 20;

/// An address that is told about events.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Webhook {
    /// Its id.
    pub id: WebhookId,
    /// What is called.
    pub url: String,
    /// The tenant's note.
    pub description: String,
    /// What it is told.
    pub events: Vec<EventType>,
    /// Whether it is told at all.
    pub enabled: bool,
    /// Why it was switched off, if not by the tenant.
    pub disabled_reason: Option<String>,
    /// First failure since the last success.
    pub failing_since: Option<DateTime<Utc>>,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// A webhook to be made.
#[derive(Debug, Clone)]
pub struct NewWebhook {
    /// What is called.
    pub url: String,
    /// The tenant's note.
    pub description: String,
    /// What it is told; at least one.
    pub events: Vec<EventType>,
}

/// Changes of a webhook; what is `None` stays.
#[derive(Debug, Clone, Default)]
pub struct WebhookUpdate {
    /// What is called.
    pub url: Option<String>,
    /// The tenant's note.
    pub description: Option<String>,
    /// What it is told.
    pub events: Option<Vec<EventType>>,
    /// Whether it is told at all. Switching it on forgives what failed before.
    pub enabled: Option<bool>,
}

/// Makes a webhook. The secret is not shown again.
///
/// # Errors
/// [`Error::Invalid`] for an address that `caller` refuses, no events, or a text that is too long;
/// [`Error::Conflict`] if there are too many already.
pub async fn create(
    tx: &mut TenantTx,
    caller: &dyn Caller,
    new: &NewWebhook,
) -> Result<(Webhook, SecretString)> {
    check_url(caller, &new.url)?;
    check(&new.description, &new.events)?;
    if store::count(tx).await? >= MOST {
        return Err(Error::Conflict(format!(
            "There are {MOST} webhooks already; delete one first."
        )));
    }
    let secret = secret::generate();
    let id = store::insert(tx, new, &secret).await?;
    Ok((get(tx, id).await?, secret))
}

/// The webhook of that id.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn get(tx: &mut TenantTx, id: WebhookId) -> Result<Webhook> {
    store::find(tx, id).await?.ok_or_else(|| not_found(id))
}

/// A part of the tenant's webhooks.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is not a webhook of this tenant.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<Webhook>> {
    for (param, id) in page.cursors() {
        if store::find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your webhooks"));
        }
    }
    store::list(tx, page).await
}

/// Changes a webhook.
///
/// # Errors
/// As for [`create`], and [`Error::NotFound`].
pub async fn update(
    tx: &mut TenantTx,
    caller: &dyn Caller,
    id: WebhookId,
    update: WebhookUpdate,
) -> Result<Webhook> {
    let mut webhook = get(tx, id).await?;
    if let Some(url) = update.url {
        check_url(caller, &url)?;
        webhook.url = url;
    }
    webhook.description = update.description.unwrap_or(webhook.description);
    webhook.events = update.events.unwrap_or(webhook.events);
    check(&webhook.description, &webhook.events)?;
    if let Some(enabled) = update.enabled {
        webhook.enabled = enabled;
        webhook.disabled_reason = None;
        webhook.failing_since = None;
    }
    store::update(tx, &webhook).await?;
    Ok(webhook)
}

/// Deletes a webhook with its log. What waits to be delivered is not.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn delete(tx: &mut TenantTx, id: WebhookId) -> Result<()> {
    if store::delete(tx, id).await? {
        Ok(())
    } else {
        Err(not_found(id))
    }
}

/// Gives a webhook a new secret, which is not shown again. The old one signs beside it for a day.
///
/// # Errors
/// [`Error::NotFound`].
pub async fn rotate_secret(tx: &mut TenantTx, id: WebhookId) -> Result<(Webhook, SecretString)> {
    let webhook = get(tx, id).await?;
    let secret = secret::generate();
    store::rotate(tx, id, &secret).await?;
    Ok((webhook, secret))
}

/// Sends an event of type `webhook.test` to this webhook, whatever else it is told.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Conflict`] if it is switched off.
pub async fn test(tx: &mut TenantTx, id: WebhookId) -> Result<Delivery> {
    if !get(tx, id).await?.enabled {
        return Err(Error::Conflict(
            "The webhook is disabled; enable it first.".into(),
        ));
    }
    let data = json!({"webhook_id": id});
    let event = store::insert_event(tx, EventType::WebhookTest, &data).await?;
    delivery::plan(tx, id, event).await?;
    store::find_delivery(tx, id, event)
        .await?
        .ok_or_else(|| Error::internal("a delivery is gone that was just planned"))
}

/// A part of a webhook's log: what it was told within the last thirty days, and how that went.
///
/// # Errors
/// [`Error::NotFound`]; [`Error::Invalid`] for a cursor that is not an event of this webhook.
pub async fn deliveries(tx: &mut TenantTx, id: WebhookId, page: Page) -> Result<Listing<Delivery>> {
    get(tx, id).await?;
    for (param, event) in page.cursors() {
        if store::find_delivery(tx, id, EventId::from(event))
            .await?
            .is_none()
        {
            return Err(unknown_cursor(param, "an event of this webhook"));
        }
    }
    store::deliveries(tx, id, page).await
}

fn not_found(id: WebhookId) -> Error {
    Error::not_found("webhook", id)
}

fn check_url(caller: &dyn Caller, url: &str) -> Result<()> {
    caller.check(url).map_err(|reason| Error::invalid("url", reason))
}

fn check(description: &str, events: &[EventType]) -> Result<()> {
    if description.chars().count() > 512 || description.contains('\0') {
        return Err(Error::invalid(
            "description",
            "Must have at most 512 characters and no NUL.",
        ));
    }
    if events.is_empty() {
        return Err(Error::invalid("events", "Name at least one type of event."));
    }
    Ok(())
}
