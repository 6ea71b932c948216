//! Ids on the wire.

use insula_core::Error;
use insula_core::response::ItemId;
use insula_tenancy::{
    AssistantId, BatchId, BudgetId, ChunkId, ConversationId, EventId, FileId, JobId, MigrationId, PartId,
    ProviderKeyId, RequestBatchId, RequestLogId, ResponseId, SourceId, TenantId, UploadId, VectorStoreId,
    WebhookId,
};

use crate::http::PathId;

impl PathId for FileId {
    const WHAT: &'static str = "file";
}

impl PathId for VectorStoreId {
    const WHAT: &'static str = "vector store";
}

impl PathId for BatchId {
    const WHAT: &'static str = "file batch in this vector store";
}

impl PathId for ResponseId {
    const WHAT: &'static str = "response";
}

impl PathId for ConversationId {
    const WHAT: &'static str = "conversation";
}

impl PathId for ItemId {
    const WHAT: &'static str = "item in this conversation";
}

impl PathId for ChunkId {
    const WHAT: &'static str = "chunk in this vector store";
}

impl PathId for BudgetId {
    const WHAT: &'static str = "budget";
}

impl PathId for AssistantId {
    const WHAT: &'static str = "assistant";
}

impl PathId for UploadId {
    const WHAT: &'static str = "upload";
}

impl PathId for PartId {
    const WHAT: &'static str = "part in this upload";
}

impl PathId for SourceId {
    const WHAT: &'static str = "source";
}

impl PathId for WebhookId {
    const WHAT: &'static str = "webhook";
}

impl PathId for EventId {
    const WHAT: &'static str = "event";
}

impl PathId for JobId {
    const WHAT: &'static str = "job";
}

impl PathId for MigrationId {
    const WHAT: &'static str = "migration of this vector store";
}

impl PathId for TenantId {
    const WHAT: &'static str = "tenant";
}

impl PathId for ProviderKeyId {
    const WHAT: &'static str = "provider key";
}

impl PathId for RequestBatchId {
    const WHAT: &'static str = "batch";
}

impl PathId for RequestLogId {
    const WHAT: &'static str = "request log";
}

/// An id in a body. One that is not well formed is answered like one that does not exist.
pub(super) fn body_id<T: PathId>(param: &str, text: &str) -> Result<T, Error> {
    text.parse().map_err(|_| {
        let shown: String = text.chars().filter(|c| !c.is_control()).take(100).collect();
        match Error::not_found(T::WHAT, shown) {
            Error::NotFound { message, code, .. } => Error::NotFound {
                message,
                code,
                param: Some(param.into()),
            },
            other => other,
        }
    })
}

/// A list of ids in a body.
pub(super) fn body_ids<T: PathId>(param: &str, texts: &[String]) -> Result<Vec<T>, Error> {
    texts
        .iter()
        .enumerate()
        .map(|(i, text)| body_id(&format!("{param}[{i}]"), text))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_malformed_id_names_its_place_and_is_not_found() {
        let texts = [FileId::generate().to_string(), "file-x".into()];
        match body_ids::<FileId>("file_ids", &texts).unwrap_err() {
            Error::NotFound { message, param, .. } => {
                assert_eq!(param.as_deref(), Some("file_ids[1]"));
                assert!(message.contains("'file-x'"), "{message}");
            }
            other => panic!("{other:?}"),
        }
    }
}
