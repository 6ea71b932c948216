//! `/v1/insula/webhooks`: addresses that are told about events.

pub(super) mod wire;

use axum::extract::State;
use axum::response::Response;
use insula_core::webhook::{self, NewWebhook, WebhookUpdate};
use insula_tenancy::scope_types::{WebhooksRead, WebhooksWrite};
use insula_tenancy::{EventId, WebhookId};

use self::wire::{CreateWebhook, DeliveryObject, UpdateWebhook, WebhookObject, WebhookWithSecret};
use super::wire::{Deleted, List};
use crate::app::App;
use crate::http::validate::no_nul;
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query};

/// Makes a webhook.
///
/// It is told about events by POST: a thin JSON payload (`type`, `timestamp`, `data` with ids), signed after
/// [Standard Webhooks](https://www.standardwebhooks.com). What is not answered with 2xx within 10 seconds is tried again
/// for a day. The answer shows the secret, which is not shown again.
#[utoipa::path(
    post, path = "/v1/insula/webhooks", operation_id = "create_webhook", tag = "webhooks",
    params(IdempotencyHeader), request_body = CreateWebhook, responses((status = OK, body = WebhookWithSecret))
)]
pub async fn create_webhook(
    caller: Caller<WebhooksWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateWebhook>,
) -> ApiResult<Response> {
    no_nul("url", &request.url)?;
    let new = NewWebhook {
        url: request.url,
        description: request.description.unwrap_or_default(),
        events: request.events.into_iter().map(Into::into).collect(),
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let created = webhook::create(&mut tx, app.services.caller.as_ref(), &new).await?;
    once.answer(tx, &WebhookWithSecret::new(created)).await
}

/// Lists webhooks.
#[utoipa::path(
    get, path = "/v1/insula/webhooks", operation_id = "list_webhooks", tag = "webhooks",
    params(ListQuery), responses((status = OK, body = List<WebhookObject>))
)]
pub async fn list_webhooks(
    caller: Caller<WebhooksRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<WebhookObject>>> {
    let page = query.page(WebhookId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = webhook::list(&mut tx, page).await?.map(WebhookObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |webhook| {
        webhook.id.clone()
    })))
}

/// Describes a webhook.
#[utoipa::path(
    get, path = "/v1/insula/webhooks/{webhook_id}", operation_id = "get_webhook", tag = "webhooks",
    params(("webhook_id" = String, Path, description = "Its id, `wh_…`")),
    responses((status = OK, body = WebhookObject))
)]
pub async fn get_webhook(
    caller: Caller<WebhooksRead>,
    State(app): State<App>,
    Path(id): Path<WebhookId>,
) -> ApiResult<Json<WebhookObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(webhook::get(&mut tx, id).await?.into()))
}

/// Changes a webhook.
#[utoipa::path(
    post, path = "/v1/insula/webhooks/{webhook_id}", operation_id = "update_webhook", tag = "webhooks",
    params(("webhook_id" = String, Path, description = "Its id, `wh_…`")),
    request_body = UpdateWebhook, responses((status = OK, body = WebhookObject))
)]
pub async fn update_webhook(
    caller: Caller<WebhooksWrite>,
    State(app): State<App>,
    Path(id): Path<WebhookId>,
    Json(request): Json<UpdateWebhook>,
) -> ApiResult<Json<WebhookObject>> {
    if let Some(url) = &request.url {
        no_nul("url", url)?;
    }
    let update = WebhookUpdate {
        url: request.url,
        description: request.description,
        events: request
            .events
            .map(|events| events.into_iter().map(Into::into).collect()),
        enabled: request.enabled,
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    let webhook = webhook::update(&mut tx, app.services.caller.as_ref(), id, update).await?;
    tx.commit().await?;
    Ok(Json(webhook.into()))
}

/// Deletes a webhook with its log.
#[utoipa::path(
    delete, path = "/v1/insula/webhooks/{webhook_id}", operation_id = "delete_webhook", tag = "webhooks",
    params(("webhook_id" = String, Path, description = "Its id, `wh_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_webhook(
    caller: Caller<WebhooksWrite>,
    State(app): State<App>,
    Path(id): Path<WebhookId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    webhook::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "insula.webhook.deleted")))
}

/// Gives a webhook a new secret.
///
/// For a day the old one signs too: each delivery then carries two signatures, and a receiver accepts either.
#[utoipa::path(
    post, path = "/v1/insula/webhooks/{webhook_id}/rotate_secret", operation_id = "rotate_webhook_secret",
    tag = "webhooks", params(("webhook_id" = String, Path, description = "Its id, `wh_…`")),
    responses((status = OK, body = WebhookWithSecret))
)]
pub async fn rotate_webhook_secret(
    caller: Caller<WebhooksWrite>,
    State(app): State<App>,
    Path(id): Path<WebhookId>,
) -> ApiResult<Json<WebhookWithSecret>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let rotated = webhook::rotate_secret(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(WebhookWithSecret::new(rotated)))
}

/// Sends a webhook an event of type `webhook.test`.
#[utoipa::path(
    post, path = "/v1/insula/webhooks/{webhook_id}/test", operation_id = "test_webhook", tag = "webhooks",
    params(("webhook_id" = String, Path, description = "Its id, `wh_…`")),
    responses((status = OK, body = DeliveryObject))
)]
pub async fn test_webhook(
    caller: Caller<WebhooksWrite>,
    State(app): State<App>,
    Path(id): Path<WebhookId>,
) -> ApiResult<Json<DeliveryObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let delivery = webhook::test(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(delivery.into()))
}

/// Lists what a webhook was told within the last thirty days, with every attempt.
#[utoipa::path(
    get, path = "/v1/insula/webhooks/{webhook_id}/deliveries", operation_id = "list_webhook_deliveries",
    tag = "webhooks", params(("webhook_id" = String, Path, description = "Its id, `wh_…`"), ListQuery),
    responses((status = OK, body = List<DeliveryObject>))
)]
pub async fn list_webhook_deliveries(
    caller: Caller<WebhooksRead>,
    State(app): State<App>,
    Path(id): Path<WebhookId>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<DeliveryObject>>> {
    let page = query.page(EventId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = webhook::deliveries(&mut tx, id, page)
        .await?
        .map(DeliveryObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |delivery| {
        delivery.id.clone()
    })))
}
