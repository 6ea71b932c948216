//! `/v1/conversations`: items that responses go on from and are added to.

mod items;

use axum::extract::State;
use axum::response::Response;
use insula_core::Error;
use insula_core::conversation::{self, Conversation, Retention};
use insula_core::response::{Input, Item};
use insula_core::vector_store::Metadata;
use insula_tenancy::ConversationId;
use insula_tenancy::scope_types::{ResponsesRead, ResponsesWrite};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::items::{
    __path_create_conversation_items, __path_delete_conversation_item, __path_get_conversation_item,
    __path_list_conversation_items, create_conversation_items, delete_conversation_item,
    get_conversation_item, list_conversation_items,
};
use super::attributes::storable;
use super::chat::end_user;
use super::responses::{InputItem, convert_items};
use super::wire::{Deleted, List, seconds};
use crate::app::App;
use crate::http::{AnyCaller, ApiResult, Caller, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query};

/// A conversation to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateConversationRequest)]
pub struct CreateConversation {
    /// Its first items, 20 at most.
    #[schema(max_items = 20)]
    pub items: Option<Vec<InputItem>>,
    /// Up to 16 notes of your own.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Metadata>,
    /// The tenant's end user, whose scoped tokens may use the conversation.
    pub user: Option<String>,
}

/// Changes of a conversation.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateConversationRequest)]
pub struct UpdateConversation {
    /// Replaces all metadata.
    #[schema(value_type = Object)]
    pub metadata: Metadata,
}

/// A conversation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Conversation)]
pub struct ConversationObject {
    /// Its id, `conv_…`.
    pub id: String,
    /// `conversation`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds of when something was last added.
    pub last_used_at: i64,
    /// Your own notes.
    #[schema(value_type = Object)]
    pub metadata: Metadata,
}

impl From<Conversation> for ConversationObject {
    fn from(conversation: Conversation) -> Self {
        Self {
            id: conversation.id.to_string(),
            object: "conversation",
            created_at: seconds(conversation.created_at),
            last_used_at: seconds(conversation.last_used_at),
            metadata: conversation.metadata,
        }
    }
}

/// Items that a client brings. There is nothing that a reference could be resolved for.
fn brought(items: Vec<InputItem>) -> Result<Vec<Item>, Error> {
    let own = |input| match input {
        Input::Item(item) => Ok(item),
        Input::Reference { param, .. } => Err(Error::invalid(
            param,
            "A conversation takes items, and no references to items.",
        )),
    };
    convert_items("items", items)?.into_iter().map(own).collect()
}

/// Makes a conversation.
#[utoipa::path(
    post, path = "/v1/conversations", operation_id = "create_conversation", tag = "conversations",
    params(IdempotencyHeader), request_body = CreateConversation,
    responses((status = OK, body = ConversationObject))
)]
pub async fn create_conversation(
    caller: AnyCaller<ResponsesWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateConversation>,
) -> ApiResult<Response> {
    let metadata = request.metadata.unwrap_or_default();
    storable(&metadata)?;
    let user = end_user(None, request.user)?;
    let items = brought(request.items.unwrap_or_default())?;
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let conversation = conversation::create(&mut tx, &caller, user, metadata, items).await?;
    once.answer(tx, &ConversationObject::from(conversation)).await
}

/// Lists conversations.
#[utoipa::path(
    get, path = "/v1/conversations", operation_id = "list_conversations", tag = "conversations",
    params(ListQuery), responses((status = OK, body = List<ConversationObject>))
)]
pub async fn list_conversations(
    caller: AnyCaller<ResponsesRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<ConversationObject>>> {
    let page = query.page(ConversationId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = conversation::list(&mut tx, &caller, page)
        .await?
        .map(ConversationObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |conversation| {
        conversation.id.clone()
    })))
}

/// Describes a conversation.
#[utoipa::path(
    get, path = "/v1/conversations/{conversation_id}", operation_id = "get_conversation", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Its id, `conv_…`")),
    responses((status = OK, body = ConversationObject))
)]
pub async fn get_conversation(
    caller: AnyCaller<ResponsesRead>,
    State(app): State<App>,
    Path(id): Path<ConversationId>,
) -> ApiResult<Json<ConversationObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(conversation::get(&mut tx, &caller, id).await?.into()))
}

/// Replaces the metadata of a conversation.
#[utoipa::path(
    post, path = "/v1/conversations/{conversation_id}", operation_id = "update_conversation", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Its id, `conv_…`")),
    request_body = UpdateConversation, responses((status = OK, body = ConversationObject))
)]
pub async fn update_conversation(
    caller: AnyCaller<ResponsesWrite>,
    State(app): State<App>,
    Path(id): Path<ConversationId>,
    Json(request): Json<UpdateConversation>,
) -> ApiResult<Json<ConversationObject>> {
    storable(&request.metadata)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let conversation = conversation::update(&mut tx, &caller, id, &request.metadata).await?;
    tx.commit().await.map_err(Error::from)?;
    Ok(Json(conversation.into()))
}

/// Deletes a conversation with its items. Responses that were part of it stay.
#[utoipa::path(
    delete, path = "/v1/conversations/{conversation_id}", operation_id = "delete_conversation", tag = "conversations",
    params(("conversation_id" = String, Path, description = "Its id, `conv_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_conversation(
    caller: AnyCaller<ResponsesWrite>,
    State(app): State<App>,
    Path(id): Path<ConversationId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    conversation::delete(&mut tx, &caller, id).await?;
    tx.commit().await.map_err(Error::from)?;
    Ok(Json(Deleted::new(id, "conversation.deleted")))
}

/// For how long what was said is kept.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
pub struct ConversationRetention {
    /// Days that stored responses are kept from their making on, 1 to 3650; null: for ever; 0: none is ever stored. 30 unless you
    /// say otherwise.
    #[schema(required)]
    pub responses_days: Option<i32>,
    /// Days that conversations are kept from their last use on, 1 to 3650; null: for ever, unless you say otherwise.
    #[schema(required)]
    pub conversations_days: Option<i32>,
}

impl From<Retention> for ConversationRetention {
    fn from(retention: Retention) -> Self {
        Self {
            responses_days: retention.responses,
            conversations_days: retention.conversations,
        }
    }
}

/// Tells for how long responses and conversations are kept.
#[utoipa::path(
    get, path = "/v1/insula/settings/conversation_retention", operation_id = "get_conversation_retention",
    tag = "conversations", responses((status = OK, body = ConversationRetention))
)]
pub async fn get_conversation_retention(
    caller: Caller<ResponsesRead>,
    State(app): State<App>,
) -> ApiResult<Json<ConversationRetention>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(conversation::retention(&mut tx).await?.into()))
}

/// Says for how long responses and conversations are kept. Older ones are removed once a day.
#[utoipa::path(
    put, path = "/v1/insula/settings/conversation_retention", operation_id = "put_conversation_retention",
    tag = "conversations", request_body = ConversationRetention,
    responses((status = OK, body = ConversationRetention))
)]
pub async fn put_conversation_retention(
    caller: Caller<ResponsesWrite>,
    State(app): State<App>,
    Json(request): Json<ConversationRetention>,
) -> ApiResult<Json<ConversationRetention>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let retention = Retention {
        responses: request.responses_days,
        conversations: request.conversations_days,
    };
    conversation::set_retention(&mut tx, retention).await?;
    tx.commit().await.map_err(Error::from)?;
    Ok(Json(request))
}
