//! Responses and their items on the wire.

use insula_core::response::{
    self, Annotation, Incomplete, Item, ItemStatus, Part, Response, Speaker, Status,
};
use insula_core::vector_store::{Attributes, Metadata};
use serde::Serialize;
use utoipa::ToSchema;

use super::request::Asked;

/// A response.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Response)]
pub struct ResponseObject {
    /// Its id, `resp_…`.
    pub id: String,
    /// `response`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its beginning.
    pub created_at: i64,
    /// Unix seconds of its end; null unless it is whole.
    #[schema(required)]
    pub completed_at: Option<i64>,
    /// `in_progress`, `completed`, `incomplete` or `failed`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Always false.
    pub background: bool,
    /// Why it failed.
    #[schema(required)]
    pub error: Option<ResponseError>,
    /// Why it is incomplete.
    #[schema(required)]
    pub incomplete_details: Option<IncompleteDetails>,
    /// The model or assistant that was asked.
    pub model: String,
    /// What it answers.
    pub output: Vec<ItemObject>,
    /// The response that it goes on from.
    #[schema(required)]
    pub previous_response_id: Option<String>,
    /// The conversation that it is part of.
    #[schema(required)]
    pub conversation: Option<ConversationRef>,
    /// Your own notes.
    #[schema(value_type = Object)]
    pub metadata: Metadata,
    /// Whether it is kept.
    pub store: bool,
    /// What all calls of the model took together; absent before the end.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<ResponseUsage>,
    /// What was asked for.
    #[serde(flatten)]
    pub asked: Asked,
}

/// Why a response failed.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResponseError {
    /// `server_error` or `rate_limit_exceeded`.
    pub code: String,
    /// The same for people.
    pub message: String,
}

/// Why a response is incomplete.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResponseIncompleteDetails)]
pub struct IncompleteDetails {
    /// `max_output_tokens` or `content_filter`.
    #[schema(value_type = String)]
    pub reason: &'static str,
}

/// A conversation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResponseConversation)]
pub struct ConversationRef {
    /// Its id, `conv_…`.
    pub id: String,
}

/// Tokens of all calls of the model.
#[derive(Debug, Serialize, ToSchema)]
pub struct ResponseUsage {
    /// Read.
    pub input_tokens: u64,
    /// More about the tokens read.
    pub input_tokens_details: InputTokensDetails,
    /// Written.
    pub output_tokens: u64,
    /// More about the tokens written.
    pub output_tokens_details: OutputTokensDetails,
    /// Both.
    pub total_tokens: u64,
}

/// More about the tokens read.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResponseInputTokensDetails)]
pub struct InputTokensDetails {
    /// Served from the provider's cache.
    pub cached_tokens: u64,
    /// Always 0: no provider that is called here tells it.
    pub cache_write_tokens: u64,
}

/// More about the tokens written.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ResponseOutputTokensDetails)]
pub struct OutputTokensDetails {
    /// Spent on reasoning.
    pub reasoning_tokens: u64,
}

/// An item.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ResponseItem)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum ItemObject {
    /// What somebody says.
    Message(MessageItem),
    /// A function to call.
    FunctionCall(FunctionCallItem),
    /// What a function answered.
    FunctionCallOutput(FunctionCallOutputItem),
    /// A search.
    FileSearchCall(FileSearchCallItem),
}

/// What somebody says.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ResponseMessage)]
pub struct MessageItem {
    /// Its id, `msg_…`.
    pub id: String,
    /// Who speaks: `user`, `assistant`, `system` or `developer`.
    #[schema(value_type = String)]
    pub role: &'static str,
    /// `in_progress`, `completed` or `incomplete`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// What is said.
    pub content: Vec<PartObject>,
}

/// A part of a message.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ResponseContentPart)]
#[serde(tag = "type", rename_all = "snake_case")]
pub enum PartObject {
    /// A text for the model.
    InputText {
        /// The text.
        text: String,
    },
    /// An image for the model.
    InputImage {
        /// Where it is, or the image itself.
        image_url: String,
        /// How closely to look.
        detail: String,
    },
    /// A text of the model's.
    OutputText {
        /// The text.
        text: String,
        /// Its sources.
        annotations: Vec<AnnotationObject>,
        /// Always empty.
        #[schema(value_type = Vec<Object>)]
        logprobs: [(); 0],
    },
    /// What the model says instead.
    Refusal {
        /// The text.
        refusal: String,
    },
}

/// A source of a text.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ResponseAnnotation)]
pub struct AnnotationObject {
    /// `file_citation`
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// The file.
    pub file_id: String,
    /// Its name.
    pub filename: String,
    /// Where the marker `[n]` starts in the text, in characters.
    pub index: usize,
    /// The `n` of the marker.
    pub passage: usize,
    /// The store that it was found in; empty in what was stored before it was noted.
    pub vector_store_id: String,
    /// The passage.
    pub chunk_id: String,
    /// Where the cited text starts in the parsed file, in characters.
    pub start: i64,
    /// Where it ends.
    pub end: i64,
    /// Page from 1, where the format has pages.
    #[schema(required)]
    pub page: Option<i32>,
    /// The cited text.
    pub quote: String,
}

/// A function to call.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ResponseFunctionCall)]
pub struct FunctionCallItem {
    /// Its id, `fc_…`.
    pub id: String,
    /// To be named by the function's output.
    pub call_id: String,
    /// The function.
    pub name: String,
    /// JSON text as the model wrote it; it may be invalid.
    pub arguments: String,
    /// `in_progress`, `completed` or `incomplete`.
    #[schema(value_type = String)]
    pub status: &'static str,
}

/// What a function answered.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ResponseFunctionCallOutput)]
pub struct FunctionCallOutputItem {
    /// Its id, `fco_…`.
    pub id: String,
    /// The call that it answers.
    pub call_id: String,
    /// The answer.
    pub output: String,
    /// `completed`
    #[schema(value_type = String)]
    pub status: &'static str,
}

/// A search.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ResponseFileSearchCall)]
pub struct FileSearchCallItem {
    /// Its id, `fs_…`.
    pub id: String,
    /// `in_progress` or `completed`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// What was searched for.
    pub queries: Vec<String>,
    /// What was found; null unless `include` asks for it.
    #[schema(required)]
    pub results: Option<Vec<FileSearchResultObject>>,
}

/// A passage that a search found.
#[derive(Debug, Clone, Serialize, ToSchema)]
#[schema(as = ResponseFileSearchResult)]
pub struct FileSearchResultObject {
    /// Its file.
    pub file_id: String,
    /// The file's name.
    pub filename: String,
    /// 0 to 1.
    pub score: f64,
    /// The file's attributes in the store.
    #[schema(value_type = Object)]
    pub attributes: Attributes,
    /// The passage.
    pub text: String,
}

impl ResponseObject {
    /// The wire form; with what searches found, if that is wanted.
    pub(in crate::routes) fn new(response: Response, with_results: bool) -> Self {
        let output = response.output.into_iter();
        Self {
            id: response.id.to_string(),
            object: "response",
            created_at: response.created_at,
            completed_at: response.completed_at,
            status: match response.status {
                Status::InProgress => "in_progress",
                Status::Completed => "completed",
                Status::Incomplete => "incomplete",
                Status::Failed => "failed",
            },
            background: false,
            error: response.error.map(|error| ResponseError {
                code: error.code,
                message: error.message,
            }),
            incomplete_details: response.incomplete.map(|why| IncompleteDetails {
                reason: match why {
                    Incomplete::MaxOutputTokens => "max_output_tokens",
                    Incomplete::ContentFilter => "content_filter",
                },
            }),
            model: response.model,
            output: output.map(|item| ItemObject::new(item, with_results)).collect(),
            previous_response_id: response.previous_response_id.map(|id| id.to_string()),
            conversation: response
                .conversation_id
                .map(|id| ConversationRef { id: id.to_string() }),
            metadata: response.metadata,
            store: response.store,
            usage: response.usage.map(ResponseUsage::from),
            // Written by an earlier version it may lack what this one tells.
            asked: serde_json::from_value(response.asked).unwrap_or_default(),
        }
    }
}

impl From<response::Usage> for ResponseUsage {
    fn from(usage: response::Usage) -> Self {
        Self {
            input_tokens: usage.input_tokens,
            input_tokens_details: InputTokensDetails {
                cached_tokens: usage.cached_tokens,
                cache_write_tokens: 0,
            },
            output_tokens: usage.output_tokens,
            output_tokens_details: OutputTokensDetails {
                reasoning_tokens: usage.reasoning_tokens,
            },
            total_tokens: usage.input_tokens + usage.output_tokens,
        }
    }
}

fn status(status: ItemStatus) -> &'static str {
    match status {
        ItemStatus::InProgress => "in_progress",
        ItemStatus::Completed => "completed",
        ItemStatus::Incomplete => "incomplete",
    }
}

impl ItemObject {
    /// The wire form; with what a search found, if that is wanted.
    pub(in crate::routes) fn new(item: Item, with_results: bool) -> Self {
        match item {
            Item::Message(message) => Self::Message(MessageItem {
                id: message.id.as_str().to_owned(),
                role: match message.role {
                    Speaker::User => "user",
                    Speaker::Assistant => "assistant",
                    Speaker::System => "system",
                    Speaker::Developer => "developer",
                },
                status: status(message.status),
                content: message.content.into_iter().map(PartObject::from).collect(),
            }),
            Item::FunctionCall(call) => Self::FunctionCall(call.into()),
            Item::FunctionCallOutput(output) => Self::FunctionCallOutput(FunctionCallOutputItem {
                id: output.id.as_str().to_owned(),
                call_id: output.call_id,
                output: output.output,
                status: status(output.status),
            }),
            Item::FileSearchCall(call) => Self::FileSearchCall(FileSearchCallItem {
                id: call.id.as_str().to_owned(),
                status: status(call.status),
                queries: call.queries,
                results: with_results.then(|| {
                    let results = call.results.into_iter();
                    results.map(FileSearchResultObject::from).collect()
                }),
            }),
        }
    }

    /// Its id.
    pub(in crate::routes) fn id(&self) -> &str {
        match self {
            Self::Message(message) => &message.id,
            Self::FunctionCall(call) => &call.id,
            Self::FunctionCallOutput(output) => &output.id,
            Self::FileSearchCall(call) => &call.id,
        }
    }
}

impl From<response::FunctionCall> for FunctionCallItem {
    fn from(call: response::FunctionCall) -> Self {
        Self {
            id: call.id.as_str().to_owned(),
            call_id: call.call_id,
            name: call.name,
            arguments: call.arguments,
            status: status(call.status),
        }
    }
}

impl From<response::FileSearchResult> for FileSearchResultObject {
    fn from(result: response::FileSearchResult) -> Self {
        let response::FileSearchResult {
            file_id,
            filename,
            score,
            attributes,
            text,
        } = result;
        Self {
            file_id,
            filename,
            score,
            attributes,
            text,
        }
    }
}

impl From<Part> for PartObject {
    fn from(part: Part) -> Self {
        match part {
            Part::InputText { text } => Self::InputText { text },
            Part::InputImage { image_url, detail } => Self::InputImage {
                image_url,
                detail: detail.unwrap_or_else(|| "auto".to_owned()),
            },
            Part::OutputText { text, annotations } => Self::OutputText {
                text,
                annotations: annotations.into_iter().map(AnnotationObject::from).collect(),
                logprobs: [],
            },
            Part::Refusal { refusal } => Self::Refusal { refusal },
        }
    }
}

impl From<Annotation> for AnnotationObject {
    fn from(annotation: Annotation) -> Self {
        let Annotation {
            file_id,
            filename,
            index,
            passage,
            vector_store_id,
            chunk_id,
            start,
            end,
            page,
            quote,
        } = annotation;
        Self {
            kind: "file_citation",
            file_id,
            filename,
            index,
            passage,
            vector_store_id,
            chunk_id,
            start,
            end,
            page,
            quote,
        }
    }
}
