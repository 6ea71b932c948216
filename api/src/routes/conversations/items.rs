//! The items of a conversation.

use axum::extract::State;
use axum::response::Response;
use insula_core::response::ItemId;
use insula_core::{Error, conversation};
use insula_tenancy::ConversationId;
use insula_tenancy::scope_types::{ResponsesRead, ResponsesWrite};
use serde::Deserialize;
use utoipa::ToSchema;

use super::{ConversationObject, brought};
use crate::app::App;
use crate::http::validate::count;
use crate::http::{AnyCaller, ApiResult, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query};
use crate::routes::responses::{IncludeParams, IncludeQuery, InputItem, ItemObject};
use crate::routes::wire::List;

/// Items to be added.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateConversationItemsRequest)]
pub struct CreateItems {
    /// The items, 1 to 20.
    #[schema(min_items = 1, max_items = 20)]
    pub items: Vec<InputItem>,
}

/// Adds items to the end of a conversation.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}/items", operation_id = "create_conversation_items",
    tag = "conversations",
    params(("conversation_id" = String, Path, description = "Its id, `conv_…`"), IdempotencyHeader),
    request_body = CreateItems, responses((status = OK, body = List<ItemObject>))
)]
pub async fn create_conversation_items(
    caller: AnyCaller<ResponsesWrite>,
    State(app): State<App>,
    Path(id): Path<ConversationId>,
    OnceJson(once, request): OnceJson<CreateItems>,
) -> ApiResult<Response> {
    count("items", request.items.len(), 1..=20)?;
    let items = brought(request.items)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    conversation::add_items(&mut tx, &caller, id, &items).await?;
    let items = items.into_iter().map(|item| ItemObject::new(item, false));
    let list = List::new(items.collect(), false, |item: &ItemObject| item.id().to_owned());
    once.answer(tx, &list).await
}

/// Lists the items of a conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation_id}/items", operation_id = "list_conversation_items",
    tag = "conversations",
    params(("conversation_id" = String, Path, description = "Its id, `conv_…`"), ListQuery, IncludeParams),
    responses((status = OK, body = List<ItemObject>))
)]
pub async fn list_conversation_items(
    caller: AnyCaller<ResponsesRead>,
    State(app): State<App>,
    Path(id): Path<ConversationId>,
    Query(query): Query<ListQuery>,
    Query(include): Query<IncludeQuery>,
) -> ApiResult<Json<List<ItemObject>>> {
    let page = query.page(|id: ItemId| id.uuid())?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = conversation::list_items(&mut tx, &caller, id, page)
        .await?
        .map(|item| ItemObject::new(item, include.with_results()));
    Ok(Json(List::new(listing.data, listing.has_more, |item| {
        item.id().to_owned()
    })))
}

/// Describes an item of a conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation_id}/items/{item_id}", operation_id = "get_conversation_item",
    tag = "conversations",
    params(
        ("conversation_id" = String, Path, description = "Its id, `conv_…`"),
        ("item_id" = String, Path, description = "The item's id"),
        IncludeParams
    ),
    responses((status = OK, body = ItemObject))
)]
pub async fn get_conversation_item(
    caller: AnyCaller<ResponsesRead>,
    State(app): State<App>,
    Path((id, item)): Path<(ConversationId, ItemId)>,
    Query(include): Query<IncludeQuery>,
) -> ApiResult<Json<ItemObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let item = conversation::get_item(&mut tx, &caller, id, &item).await?;
    Ok(Json(ItemObject::new(item, include.with_results())))
}

/// Removes an item from a conversation.
#[utoipa::path(
    delete, path = "/v1/conversations/{conversation_id}/items/{item_id}", operation_id = "delete_conversation_item",
    tag = "conversations",
    params(
        ("conversation_id" = String, Path, description = "Its id, `conv_…`"),
        ("item_id" = String, Path, description = "The item's id"),
    ),
    responses((status = OK, body = ConversationObject))
)]
pub async fn delete_conversation_item(
    caller: AnyCaller<ResponsesWrite>,
    State(app): State<App>,
    Path((id, item)): Path<(ConversationId, ItemId)>,
) -> ApiResult<Json<ConversationObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let conversation = conversation::delete_item(&mut tx, &caller, id, &item).await?;
    tx.commit().await.map_err(Error::from)?;
    Ok(Json(conversation.into()))
}
