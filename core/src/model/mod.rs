//! The seam between the domain and models: what an embedder and a chat model must do.
//!
//! Implementations live in `insula-inference` (local ONNX, OpenAI-compatible HTTP) and in
//! [`crate::chat::extractive`]. None of these calls may be made while a transaction is open.

mod chat;
mod embed;
mod judge;

pub use chat::{
    ChatEvent, ChatMessage, ChatModel, ChatOptions, ChatRequest, ChatStream, Citation, Completion,
    FinishReason, Image, Passage, Role, TokenUsage, ToolCall, ToolCallDelta,
};
pub use embed::{EmbedPurpose, EmbedWork, EmbeddedBy, Embedder, EmbedderCard, Embeddings, TokenCounter};
pub use judge::{Category, JudgeCard, Moderated, Moderator, Reranked, Reranker, Verdict};
