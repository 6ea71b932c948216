//! Answers that know what they came from: a response takes items, may search the tenant's vector stores on its way, and
//! answers with items; the next one goes on from it.
//!
//! Upstream there is only chat. A model that can call functions is offered the search as one, and asked again with what was
//! found; for one that cannot, the question itself is searched for first.

mod context;
mod event;
mod item;
mod run;
mod step;
mod store;
mod tool;

use insula_tenancy::{ConversationId, ResponseId, TenantContext, TenantTx};
use serde::{Deserialize, Serialize};
use serde_json::Value;

pub use event::Event;
pub use item::{
    Annotation, FileSearchCall, FileSearchResult, FunctionCall, FunctionCallOutput, Item, ItemId, ItemStatus,
    Message, Part, Speaker,
};
pub use run::{Run, begin};
pub(crate) use store::OLD_RESPONSES;

use crate::chat::Grounding;
use crate::model::{ChatOptions, TokenUsage};
use crate::page::{Listing, Page, unknown_cursor};
use crate::vector_store::Metadata;
use crate::{Error, Result, conversation};

/// An item that a response is given.
#[derive(Debug, Clone, PartialEq)]
pub enum Input {
    /// The item itself.
    Item(Item),
    /// One that is stored.
    Reference {
        /// Which one.
        id: String,
        /// Where the request names it.
        param: String,
    },
}

/// A search that the model may make.
#[derive(Debug, Clone, PartialEq)]
pub struct FileSearch {
    /// Where, and how much of it.
    pub grounding: Grounding,
    /// Whether it is to be made in any case.
    pub forced: bool,
}

/// What a response goes on from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Before {
    /// Another response.
    Response(ResponseId),
    /// A conversation, which this response is added to.
    Conversation(ConversationId),
}

/// A response to be made.
#[derive(Debug, Clone)]
pub struct ResponseCall {
    /// A route or an assistant.
    pub model: String,
    /// Put before everything else, for this response only.
    pub instructions: Option<String>,
    /// At least one item.
    pub input: Vec<Input>,
    /// What it goes on from.
    pub before: Option<Before>,
    /// Sampling, shape, and the client's functions.
    pub options: ChatOptions,
    /// The search.
    pub file_search: Option<FileSearch>,
    /// Most searches.
    pub max_tool_calls: Option<u32>,
    /// Whether the response is kept.
    pub store: bool,
    /// The client's own notes.
    pub metadata: Metadata,
    /// What else the client asked for, to be told with the response.
    pub asked: Value,
}

/// How far a response is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Status {
    /// It is being made.
    InProgress,
    /// It is whole.
    Completed,
    /// The model was cut off.
    Incomplete,
    /// It broke off.
    Failed,
}

/// Why a response is incomplete.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Incomplete {
    /// The limit of tokens was reached.
    MaxOutputTokens,
    /// The provider, or a guardrail, withheld the rest.
    ContentFilter,
}

/// Why a response failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Failure {
    /// `server_error` or `rate_limit_exceeded`.
    pub code: String,
    /// The same for people.
    pub message: String,
}

/// A response.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Response {
    /// Its id.
    pub id: ResponseId,
    /// Unix seconds of its beginning.
    pub created_at: i64,
    /// Unix seconds of its end, if it is whole.
    pub completed_at: Option<i64>,
    /// How far it is.
    pub status: Status,
    /// The model or assistant that was asked.
    pub model: String,
    /// What it answers; stored item by item.
    #[serde(skip)]
    pub output: Vec<Item>,
    /// Why it failed.
    pub error: Option<Failure>,
    /// Why it is incomplete.
    pub incomplete: Option<Incomplete>,
    /// What all calls of the model for it took together.
    pub usage: Option<Usage>,
    /// The response that it goes on from.
    pub previous_response_id: Option<ResponseId>,
    /// The conversation that it is part of.
    pub conversation_id: Option<ConversationId>,
    /// The client's own notes.
    pub metadata: Metadata,
    /// Whether it is kept.
    pub store: bool,
    /// What else the client asked for.
    pub asked: Value,
}

/// Tokens that a response took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Usage {
    /// Read.
    pub input_tokens: u64,
    /// Of those, read from the provider's cache.
    pub cached_tokens: u64,
    /// Written.
    pub output_tokens: u64,
    /// Of those, spent on reasoning.
    pub reasoning_tokens: u64,
}

impl Usage {
    fn add(&mut self, call: TokenUsage) {
        self.input_tokens += call.prompt_tokens;
        self.cached_tokens += call.cached_tokens;
        self.output_tokens += call.completion_tokens;
        self.reasoning_tokens += call.reasoning_tokens;
    }
}

/// A stored response.
///
/// # Errors
/// [`Error::NotFound`] also for one that a scoped token may not see.
pub async fn get(tx: &mut TenantTx, cx: &TenantContext, id: ResponseId) -> Result<Response> {
    let (mut response, end_user) = store::find(tx, id).await?.ok_or_else(|| not_found(id))?;
    if !conversation::is_open_to(cx, end_user.as_deref()) {
        return Err(not_found(id));
    }
    response.output = store::items(tx, id, true).await?;
    Ok(response)
}

/// A part of the ids of all stored responses, for callers that may see them all.
///
/// # Errors
/// [`Error::Invalid`] for a cursor that is no response of the tenant's.
pub async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<ResponseId>> {
    for (param, id) in page.cursors() {
        if store::find(tx, id.into()).await?.is_none() {
            return Err(unknown_cursor(param, "one of your responses"));
        }
    }
    store::list(tx, page).await
}

/// Deletes a response. Those that went on from it stay, and cannot be continued.
///
/// # Errors
/// As for [`get`].
pub async fn delete(tx: &mut TenantTx, cx: &TenantContext, id: ResponseId) -> Result<()> {
    let (_, end_user) = store::find(tx, id).await?.ok_or_else(|| not_found(id))?;
    if !conversation::is_open_to(cx, end_user.as_deref()) {
        return Err(not_found(id));
    }
    store::delete(tx, id).await
}

/// What a response was given, without what it went on from.
///
/// # Errors
/// As for [`get`]; [`Error::Invalid`] for a cursor that is not one of these items.
pub async fn list_input(
    tx: &mut TenantTx,
    cx: &TenantContext,
    id: ResponseId,
    page: Page,
) -> Result<Listing<Item>> {
    let (_, end_user) = store::find(tx, id).await?.ok_or_else(|| not_found(id))?;
    if !conversation::is_open_to(cx, end_user.as_deref()) {
        return Err(not_found(id));
    }
    for (param, cursor) in page.cursors() {
        if !store::has_input(tx, id, cursor).await? {
            return Err(unknown_cursor(param, "an input item of this response"));
        }
    }
    store::list_input(tx, id, page).await
}

fn not_found(id: ResponseId) -> Error {
    Error::not_found("response", id)
}
