//! Answers: whole ones, and the chunks of a stream.

use insula_core::model::{Citation, Completion, FinishReason, Passage, TokenUsage, ToolCall, ToolCallDelta};
use serde::Serialize;
use utoipa::ToSchema;

/// What every part of one answer has in common.
#[derive(Debug, Clone)]
pub(in crate::routes) struct Head {
    pub(in crate::routes) id: String,
    pub(in crate::routes) created: i64,
    pub(in crate::routes) model: String,
}

/// A whole answer.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatCompletion {
    /// Its id, `chatcmpl-…`.
    pub id: String,
    /// `chat.completion`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds.
    pub created: i64,
    /// The model or assistant that was asked.
    pub model: String,
    /// One answer.
    pub choices: Vec<Choice>,
    /// What it took, if the model told.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// An answer.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletionChoice)]
pub struct Choice {
    /// 0
    pub index: u32,
    /// What the model says.
    pub message: Message,
    /// Always null.
    #[schema(required)]
    pub logprobs: Option<String>,
    /// Why it ended: `stop`, `length`, `tool_calls` or `content_filter`.
    #[schema(value_type = String)]
    pub finish_reason: &'static str,
}

/// What the model says.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletionMessage)]
pub struct Message {
    /// `assistant`
    #[schema(value_type = String)]
    pub role: &'static str,
    /// The text; null beside tool calls.
    #[schema(required)]
    pub content: Option<String>,
    /// What the model refused to say.
    #[schema(required)]
    pub refusal: Option<String>,
    /// Sources of the text.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
    /// Functions to call.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<MessageToolCall>,
}

/// A function to call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletionMessageToolCall)]
pub struct MessageToolCall {
    /// Id of the call, to be sent back with its result.
    pub id: String,
    /// `function`
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// What to call.
    pub function: FunctionCall,
}

/// A function and its arguments.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletionFunctionCall)]
pub struct FunctionCall {
    /// The function.
    pub name: String,
    /// JSON text as the model wrote it; it may be invalid.
    pub arguments: String,
}

/// A source of the text.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = ChatCompletionAnnotation)]
pub struct Annotation {
    /// `url_citation`, which is all that strict clients of chat take
    #[serde(rename = "type")]
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// Where the marker stands, and what it leads to.
    pub url_citation: UrlCitation,
    /// Where the text comes from.
    pub file_citation: FileCitation,
}

/// A marker and its source, as every client of chat knows them.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct UrlCitation {
    /// Where the marker `[n]` starts in the answer, in characters.
    pub start_index: usize,
    /// Where it ends.
    pub end_index: usize,
    /// `urn:insula:file:` and the file's id.
    pub url: String,
    /// The file's name.
    pub title: String,
}

/// Where a statement comes from.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
pub struct FileCitation {
    /// Where the marker `[n]` starts in the answer, in characters.
    pub index: usize,
    /// The `n` of the marker.
    pub passage: usize,
    /// The file.
    pub file_id: String,
    /// Its name.
    pub filename: String,
    /// The store that it was found in.
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

/// Tokens of one call.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = CompletionUsage)]
pub struct Usage {
    /// Tokens read.
    pub prompt_tokens: u64,
    /// Tokens written.
    pub completion_tokens: u64,
    /// Both.
    pub total_tokens: u64,
    /// More about the tokens read.
    pub prompt_tokens_details: PromptTokensDetails,
    /// More about the tokens written.
    pub completion_tokens_details: CompletionTokensDetails,
}

/// More about the tokens read.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct PromptTokensDetails {
    /// Served from the provider's cache.
    pub cached_tokens: u64,
}

/// More about the tokens written.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
pub struct CompletionTokensDetails {
    /// Spent on reasoning.
    pub reasoning_tokens: u64,
}

/// A chunk of a stream. Keys without a value are absent: clients take `null` for a value.
#[derive(Debug, Serialize, ToSchema)]
pub struct ChatCompletionChunk {
    /// The answer's id, the same in all chunks.
    pub id: String,
    /// `chat.completion.chunk`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds, the same in all chunks.
    pub created: i64,
    /// The model or assistant that was asked.
    pub model: String,
    /// One choice; none in the usage chunk.
    pub choices: Vec<ChunkChoice>,
    /// What the answer took; only in the last chunk, and only if asked for.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub usage: Option<Usage>,
}

/// What a chunk adds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletionChunkChoice)]
pub struct ChunkChoice {
    /// 0
    pub index: u32,
    /// The addition.
    pub delta: Delta,
    /// Always null.
    #[schema(required)]
    pub logprobs: Option<String>,
    /// Why the answer ended; null before its end.
    #[schema(required, value_type = Option<String>)]
    pub finish_reason: Option<&'static str>,
}

/// An addition to the message.
#[derive(Debug, Default, Serialize, ToSchema)]
#[schema(as = ChatCompletionDelta)]
pub struct Delta {
    /// `assistant`; in the first chunk only.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub role: Option<&'static str>,
    /// More text.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub content: Option<String>,
    /// More of a refusal.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub refusal: Option<String>,
    /// More of tool calls.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tool_calls: Vec<DeltaToolCall>,
    /// Sources of the text so far.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub annotations: Vec<Annotation>,
}

/// A piece of a tool call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletionDeltaToolCall)]
pub struct DeltaToolCall {
    /// Which call.
    pub index: u32,
    /// In the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// `function`; in the first piece.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<&'static str>,
    /// The piece.
    pub function: DeltaFunction,
}

/// A piece of a function call.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ChatCompletionDeltaFunction)]
pub struct DeltaFunction {
    /// In the first piece.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub name: Option<String>,
    /// More of the arguments.
    pub arguments: String,
}

/// OpenAI's word for why an answer ended. Strict clients accept no other.
pub(in crate::routes) fn finish_reason(reason: FinishReason) -> &'static str {
    match reason {
        FinishReason::Stop => "stop",
        FinishReason::Length => "length",
        FinishReason::ToolCalls => "tool_calls",
        FinishReason::ContentFilter => "content_filter",
    }
}

impl From<TokenUsage> for Usage {
    fn from(usage: TokenUsage) -> Self {
        Self {
            prompt_tokens: usage.prompt_tokens,
            completion_tokens: usage.completion_tokens,
            total_tokens: usage.prompt_tokens + usage.completion_tokens,
            prompt_tokens_details: PromptTokensDetails {
                cached_tokens: usage.cached_tokens,
            },
            completion_tokens_details: CompletionTokensDetails {
                reasoning_tokens: usage.reasoning_tokens,
            },
        }
    }
}

impl Usage {
    /// Adds what another answer took.
    pub(in crate::routes) fn add(&mut self, other: &Self) {
        self.prompt_tokens += other.prompt_tokens;
        self.completion_tokens += other.completion_tokens;
        self.total_tokens += other.total_tokens;
        self.prompt_tokens_details.cached_tokens += other.prompt_tokens_details.cached_tokens;
        self.completion_tokens_details.reasoning_tokens += other.completion_tokens_details.reasoning_tokens;
    }
}

impl From<ToolCall> for MessageToolCall {
    fn from(ToolCall { id, name, arguments }: ToolCall) -> Self {
        Self {
            id,
            kind: "function",
            function: FunctionCall { name, arguments },
        }
    }
}

impl From<ToolCallDelta> for DeltaToolCall {
    fn from(
        ToolCallDelta {
            index,
            id,
            name,
            arguments,
        }: ToolCallDelta,
    ) -> Self {
        let kind = id.is_some().then_some("function");
        Self {
            index,
            id,
            kind,
            function: DeltaFunction { name, arguments },
        }
    }
}

/// Sources on the wire. A citation of a passage that was not there is dropped.
pub(super) fn annotations(citations: Vec<Citation>, passages: &[Passage]) -> Vec<Annotation> {
    let annotation = |citation: Citation| {
        let passage = passages.get(citation.passage)?;
        let marker = format!("[{}]", citation.passage + 1);
        Some(Annotation {
            kind: "url_citation",
            url_citation: UrlCitation {
                start_index: citation.index,
                end_index: citation.index + marker.len(),
                url: format!("urn:insula:file:{}", passage.file_id),
                title: passage.filename.clone(),
            },
            file_citation: FileCitation {
                index: citation.index,
                passage: citation.passage + 1,
                file_id: passage.file_id.clone(),
                filename: passage.filename.clone(),
                vector_store_id: passage.vector_store_id.clone(),
                chunk_id: passage.chunk_id.clone(),
                start: citation.start,
                end: citation.end,
                page: passage.page,
                quote: passage.quote(citation.start, citation.end),
            },
        })
    };
    citations.into_iter().filter_map(annotation).collect()
}

impl ChatCompletion {
    pub(super) fn new(head: Head, completion: Completion, passages: &[Passage]) -> Self {
        let message = Message {
            role: "assistant",
            content: completion.content,
            refusal: completion.refusal,
            annotations: annotations(completion.citations, passages),
            tool_calls: completion
                .tool_calls
                .into_iter()
                .map(MessageToolCall::from)
                .collect(),
        };
        let reason = completion.finish_reason.unwrap_or(FinishReason::Stop);
        Self {
            id: head.id,
            object: "chat.completion",
            created: head.created,
            model: head.model,
            choices: vec![Choice {
                index: 0,
                message,
                logprobs: None,
                finish_reason: finish_reason(reason),
            }],
            usage: completion.usage.map(Usage::from),
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use super::*;
    use serde_json::json;

    pub(in crate::routes::chat) fn head() -> Head {
        Head {
            id: "chatcmpl-1".into(),
            created: 7,
            model: "m".into(),
        }
    }

    pub(in crate::routes::chat) fn passage() -> Passage {
        Passage {
            vector_store_id: "vs_1".into(),
            file_id: "file-1".into(),
            filename: "a.md".into(),
            chunk_id: "chunk_1".into(),
            heading_path: vec![],
            page: Some(2),
            start: 100,
            text: "Über Öl. Second.".into(),
            score: 1.0,
        }
    }

    #[test]
    fn a_completion_has_the_keys_that_strict_clients_require() {
        let completion = Completion {
            content: Some("hi".into()),
            ..Completion::default()
        };
        let json = serde_json::to_value(ChatCompletion::new(head(), completion, &[])).unwrap();
        let expected = json!({
            "id": "chatcmpl-1", "object": "chat.completion", "created": 7, "model": "m",
            "choices": [{
                "index": 0, "message": {"role": "assistant", "content": "hi", "refusal": null},
                "logprobs": null, "finish_reason": "stop",
            }],
        });
        assert_eq!(json, expected);
    }

    #[test]
    fn tool_calls_and_usage_are_written() {
        let completion = Completion {
            tool_calls: vec![ToolCall {
                id: "call_1".into(),
                name: "f".into(),
                arguments: "{}".into(),
            }],
            finish_reason: Some(FinishReason::ToolCalls),
            usage: Some(TokenUsage {
                prompt_tokens: 5,
                completion_tokens: 3,
                cached_tokens: 2,
                reasoning_tokens: 1,
            }),
            ..Completion::default()
        };
        let json = serde_json::to_value(ChatCompletion::new(head(), completion, &[])).unwrap();
        let message = json!({
            "role": "assistant", "content": null, "refusal": null,
            "tool_calls": [{"id": "call_1", "type": "function", "function": {"name": "f", "arguments": "{}"}}],
        });
        assert_eq!(json["choices"][0]["message"], message);
        assert_eq!(json["choices"][0]["finish_reason"], "tool_calls");
        let usage = json!({
            "prompt_tokens": 5, "completion_tokens": 3, "total_tokens": 8,
            "prompt_tokens_details": {"cached_tokens": 2}, "completion_tokens_details": {"reasoning_tokens": 1},
        });
        assert_eq!(json["usage"], usage);
    }

    #[test]
    fn citations_quote_characters_and_not_bytes() {
        let cited = Citation {
            passage: 0,
            index: 4,
            start: 105,
            end: 108,
        };
        let unknown = Citation {
            passage: 9,
            ..cited.clone()
        };
        let annotations = annotations(vec![cited, unknown], &[passage()]);
        let json = serde_json::to_value(annotations).unwrap();
        let expected = json!([{"type": "url_citation", "url_citation": {
            "start_index": 4, "end_index": 7, "url": "urn:insula:file:file-1", "title": "a.md",
        }, "file_citation": {
            "index": 4, "passage": 1, "file_id": "file-1", "filename": "a.md", "vector_store_id": "vs_1",
            "chunk_id": "chunk_1", "start": 105, "end": 108, "page": 2, "quote": "Öl.",
        }}]);
        assert_eq!(json, expected);
    }
}
