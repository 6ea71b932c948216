//! Messages to an answer.

use std::pin::Pin;
use std::sync::Arc;

use async_trait::async_trait;
use futures::Stream;
use insula_tenancy::usage::UsedChunk;
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::Result;

/// Who speaks. `developer` arrives as [`Role::System`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Role {
    /// Instructions.
    System,
    /// The end user.
    User,
    /// The model.
    Assistant,
    /// The result of a tool call.
    Tool,
}

/// A finished call of a function tool.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct ToolCall {
    /// The provider's id of the call.
    pub id: String,
    /// Function name.
    pub name: String,
    /// Arguments as the model wrote them: JSON text, possibly invalid.
    pub arguments: String,
}

/// An image that a message shows. Whoever answers fetches it; this server does not.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Image {
    /// `https://…`, or `data:image/…;base64,…`.
    pub url: String,
    /// How closely to look: `auto`, `low` or `high`.
    pub detail: Option<String>,
}

/// One message of a conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ChatMessage {
    /// Who speaks.
    pub role: Role,
    /// Text; several text parts are joined by a newline at the edge. `None` beside tool calls.
    pub content: Option<String>,
    /// Images, in their order; they go after the text.
    pub images: Vec<Image>,
    /// Optional participant name.
    pub name: Option<String>,
    /// Calls made by an assistant message.
    pub tool_calls: Vec<ToolCall>,
    /// The call that a tool message answers.
    pub tool_call_id: Option<String>,
}

impl ChatMessage {
    /// A plain text message.
    pub fn text(role: Role, content: impl Into<String>) -> Self {
        Self {
            role,
            content: Some(content.into()),
            images: Vec::new(),
            name: None,
            tool_calls: Vec::new(),
            tool_call_id: None,
        }
    }
}

/// Sampling and shape options, already validated; `None` means the provider's default.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct ChatOptions {
    /// Upper bound of generated tokens.
    pub max_tokens: Option<u32>,
    /// 0..=2.
    pub temperature: Option<f64>,
    /// 0..=1.
    pub top_p: Option<f64>,
    /// Up to four strings that end generation.
    pub stop: Vec<String>,
    /// -2..=2.
    pub presence_penalty: Option<f64>,
    /// -2..=2.
    pub frequency_penalty: Option<f64>,
    /// Best-effort determinism.
    pub seed: Option<i64>,
    /// Function tools in OpenAI's shape, passed through.
    pub tools: Vec<Value>,
    /// `none`, `auto`, `required` or a named function, passed through.
    pub tool_choice: Option<Value>,
    /// Whether several calls may be made at once.
    pub parallel_tool_calls: Option<bool>,
    /// `text`, `json_object` or `json_schema`, passed through.
    pub response_format: Option<Value>,
    /// The end user, for the provider's abuse detection.
    pub user: Option<String>,
}

/// A retrieved chunk offered to the model as evidence. Cited as `[n]`, n from 1 in this order.
#[derive(Debug, Clone, PartialEq)]
pub struct Passage {
    /// Wire id of the store that it was found in (`vs_…`).
    pub vector_store_id: String,
    /// Wire id of the file (`file-…`).
    pub file_id: String,
    /// Name of the file.
    pub filename: String,
    /// Wire id of the chunk.
    pub chunk_id: String,
    /// Titles above the chunk, outermost first.
    pub heading_path: Vec<String>,
    /// Page (from 1) where the format has pages.
    pub page: Option<i32>,
    /// Character offset of `text` in the parsed document.
    pub start: i64,
    /// The chunk's text.
    pub text: String,
    /// Fused score, 0..=1.
    pub score: f64,
}

impl Passage {
    /// The passage by its ids; `None` for one that is of no store.
    pub fn used(&self) -> Option<UsedChunk> {
        Some(UsedChunk {
            vector_store_id: self.vector_store_id.parse().ok()?,
            file_id: self.file_id.parse().ok()?,
            chunk_id: self.chunk_id.parse().ok()?,
            score: self.score,
        })
    }

    /// The characters between two positions of its document.
    pub fn quote(&self, start: i64, end: i64) -> String {
        let from = usize::try_from(start - self.start).unwrap_or(0);
        let len = usize::try_from(end - start).unwrap_or(0);
        self.text.chars().skip(from).take(len).collect()
    }
}

/// What a chat model is asked.
#[derive(Debug, Clone)]
pub struct ChatRequest {
    /// The model's name at the provider.
    pub model: String,
    /// The conversation, at least one message. When grounded, the instructions to cite are already in it.
    pub messages: Vec<ChatMessage>,
    /// Options.
    pub options: ChatOptions,
    /// Evidence, best first; empty when the call is not grounded or nothing was found.
    pub passages: Vec<Passage>,
    /// Whether the call was grounded at all (so that an extractive model can tell "no documents" from
    /// "no evidence").
    pub grounded: bool,
}

/// Why generation ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum FinishReason {
    /// The model was done, or met a stop string.
    Stop,
    /// The token limit was reached.
    Length,
    /// The model calls tools.
    ToolCalls,
    /// The provider withheld content.
    ContentFilter,
}

/// Tokens of one call.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct TokenUsage {
    /// Tokens of the prompt.
    pub prompt_tokens: u64,
    /// Tokens generated.
    pub completion_tokens: u64,
    /// Prompt tokens that the provider served from its cache.
    pub cached_tokens: u64,
    /// Completion tokens spent on reasoning.
    pub reasoning_tokens: u64,
}

/// Where a statement of the answer comes from.
#[derive(Debug, Clone, PartialEq)]
pub struct Citation {
    /// Index into [`ChatRequest::passages`].
    pub passage: usize,
    /// Character offset in the answer where the marker `[n]` starts.
    pub index: usize,
    /// Character offset in the parsed document where the cited text starts.
    pub start: i64,
    /// Character offset in the parsed document where the cited text ends.
    pub end: i64,
}

/// A fragment of a tool call.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ToolCallDelta {
    /// Position of the call in the answer.
    pub index: u32,
    /// Set on the first fragment.
    pub id: Option<String>,
    /// Set on the first fragment.
    pub name: Option<String>,
    /// The next piece of the arguments.
    pub arguments: String,
}

/// One event of a streamed answer.
#[derive(Debug, Clone, PartialEq)]
pub enum ChatEvent {
    /// The next piece of text, never empty.
    Content(String),
    /// The next piece of a refusal.
    Refusal(String),
    /// The next pieces of tool calls, at most one per index.
    ToolCalls(Vec<ToolCallDelta>),
    /// Sources of the text so far.
    Citations(Vec<Citation>),
    /// The answer is over. Exactly once, after all content.
    Finish(FinishReason),
    /// What it cost. At most once, after `Finish`.
    Usage(TokenUsage),
}

/// A stream of events. It ends after `Finish` (and `Usage`); an `Err` ends it early and means that the answer
/// is incomplete. Dropping it cancels the call at the provider.
pub type ChatStream = Pin<Box<dyn Stream<Item = Result<ChatEvent>> + Send>>;

/// A whole answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Completion {
    /// The text, if any.
    pub content: Option<String>,
    /// A refusal, if any.
    pub refusal: Option<String>,
    /// Tool calls, if any.
    pub tool_calls: Vec<ToolCall>,
    /// Sources of the text.
    pub citations: Vec<Citation>,
    /// Why it ended.
    pub finish_reason: Option<FinishReason>,
    /// What it cost, if the provider said.
    pub usage: Option<TokenUsage>,
}

/// A model that answers conversations.
#[async_trait]
pub trait ChatModel: Send + Sync + 'static {
    /// Answers in one piece.
    async fn complete(&self, request: &ChatRequest) -> Result<Completion>;

    /// Answers piece by piece. An error before the first event is returned here, so that the caller still has
    /// a status line to put it in.
    async fn stream(&self, request: &ChatRequest) -> Result<ChatStream>;

    /// The same model, called with another key of its provider, such as a tenant's own. `None` if it takes no key.
    ///
    /// # Errors
    /// [`crate::Error::Internal`] for a key that cannot be sent.
    fn with_key(&self, _key: &SecretString) -> Result<Option<Arc<dyn ChatModel>>> {
        Ok(None)
    }
}
