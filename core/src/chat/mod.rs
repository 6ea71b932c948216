//! Who answers a conversation, and from which passages.
//!
//! A call names a model. That is a route of this install, or one of the tenant's assistants, which brings instructions
//! and vector stores. A call may also bring stores of its own (`data_sources`). With stores the call is *grounded*: the
//! passages that match the question are put before the model, numbered, delimited and marked as material, and the
//! markers `[n]` in its answer become citations.

mod asked;
mod cite;
pub mod extractive;
mod ground;

use std::sync::Arc;

use insula_tenancy::{TenantContext, VectorStoreId};

pub use cite::find_citations;

use crate::model::{ChatMessage, ChatModel, ChatOptions, ChatRequest, ChatStream, Completion, Passage, Role};
use crate::search::Filter;
use crate::{Error, Result, Services, assistant};

/// Vector stores that an answer is to come from.
#[derive(Debug, Clone, PartialEq)]
pub struct Grounding {
    /// The stores.
    pub vector_store_ids: Vec<VectorStoreId>,
    /// Passages over all stores, 1..=50.
    pub max_num_results: i64,
    /// Which files may answer.
    pub filter: Option<Filter>,
    /// Passages below this score are not used.
    pub score_threshold: f64,
}

/// A conversation to be answered.
#[derive(Debug, Clone)]
pub struct ChatCall {
    /// A route or an assistant.
    pub model: String,
    /// At least one message.
    pub messages: Vec<ChatMessage>,
    /// Sampling and shape.
    pub options: ChatOptions,
    /// Stores that the call itself names.
    pub grounding: Option<Grounding>,
}

/// A call that is ready to be sent to its model.
pub struct PreparedChat {
    model: Arc<dyn ChatModel>,
    request: ChatRequest,
}

impl PreparedChat {
    /// The passages that the answer may cite.
    pub fn passages(&self) -> &[Passage] {
        &self.request.passages
    }

    /// Answers in one piece.
    ///
    /// # Errors
    /// What the model fails with.
    pub async fn complete(self) -> Result<(Completion, Vec<Passage>)> {
        let passages = self.request.passages.clone();
        let completion = self.model.complete(self.request).await?;
        Ok((cite::cite(completion, &passages), passages))
    }

    /// Answers piece by piece. Dropping the stream cancels the call at the provider.
    ///
    /// # Errors
    /// What the model fails with before the first piece.
    pub async fn stream(self) -> Result<(ChatStream, Vec<Passage>)> {
        let passages = self.request.passages.clone();
        let events = self.model.stream(self.request).await?;
        Ok((cite::cite_stream(events, passages.clone()), passages))
    }
}

/// Finds the model and the passages of a call.
///
/// # Errors
/// [`Error::NotFound`] for an unknown model or store; [`Error::Invalid`] for an embedding model or values out of range.
pub async fn prepare(services: &Services, cx: &TenantContext, call: ChatCall) -> Result<PreparedChat> {
    let ChatCall {
        model,
        mut messages,
        mut options,
        mut grounding,
    } = call;
    if let Some(end_user) = cx.end_user() {
        options.user = Some(end_user.to_owned());
    }
    let mut route = services.models.find_chat(&model).cloned();
    if route.is_none() {
        let mut tx = services.db.tenant(cx).await?;
        let found = assistant::find_by_name(&mut tx, &model).await?;
        tx.commit().await?;
        let Some(assistant) = found.and_then(|found| assistant::within(cx, found)) else {
            return Err(if services.models.find_embedder(&model).is_some() {
                Error::invalid(
                    "model",
                    format!("'{model}' is an embedding model and cannot chat."),
                )
            } else {
                Error::model_not_found(&model)
            });
        };
        let settings = assistant.settings;
        route = services.models.find_chat(&settings.model).cloned();
        if !settings.instructions.trim().is_empty() {
            messages.insert(0, ChatMessage::text(Role::System, settings.instructions));
        }
        if grounding.is_none() && !settings.vector_store_ids.is_empty() {
            grounding = Some(Grounding {
                vector_store_ids: settings.vector_store_ids,
                max_num_results: i64::from(settings.max_num_results),
                filter: None,
                score_threshold: settings.score_threshold,
            });
        }
    }
    let route = route.ok_or_else(|| Error::model_not_found(&model))?;
    let grounded = grounding.is_some();
    let passages = match grounding {
        Some(grounding) => ground::retrieve(services, cx, &messages, grounding).await?,
        None => Vec::new(),
    };
    if grounded {
        ground::instruct(&mut messages, &passages);
    }
    let request = ChatRequest {
        model: route.upstream_model,
        messages,
        options,
        passages,
        grounded,
    };
    Ok(PreparedChat {
        model: route.model,
        request,
    })
}
