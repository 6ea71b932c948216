//! Batches on the wire.

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use insula_core::batch::{Batch, BatchError};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::routes::files::FileExpiresAfter;
use crate::routes::wire::seconds;

/// A batch to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateBatchRequest)]
pub struct CreateBatch {
    /// The file with the calls, uploaded with the purpose `batch`: a JSON object per line, at most 50,000.
    pub input_file_id: String,
    /// What is called: `/v1/chat/completions`, `/v1/completions`, `/v1/embeddings` or `/v1/responses`.
    #[schema(example = "/v1/chat/completions")]
    pub endpoint: String,
    /// `24h`
    #[schema(example = "24h")]
    pub completion_window: String,
    /// Up to 16 notes of one's own.
    pub metadata: Option<BTreeMap<String, String>>,
    /// When the files with the answers are deleted; absent: never.
    pub output_expires_after: Option<FileExpiresAfter>,
}

/// Calls that are made in the background. All times are Unix seconds.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Batch)]
pub struct BatchObject {
    /// Its id, `batch_…`.
    pub id: String,
    /// `batch`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// What is called.
    #[schema(value_type = String)]
    pub endpoint: &'static str,
    /// What is wrong with it.
    #[schema(required)]
    pub errors: Option<BatchErrors>,
    /// The file with the calls.
    pub input_file_id: String,
    /// `24h`
    #[schema(value_type = String)]
    pub completion_window: &'static str,
    /// `validating`, then `in_progress`, `finalizing` and `completed`; or `failed`, `expired`, `cancelling`, `cancelled`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// The file with the answers.
    #[schema(required)]
    pub output_file_id: Option<String>,
    /// The file with the errors.
    #[schema(required)]
    pub error_file_id: Option<String>,
    /// When it was made.
    pub created_at: i64,
    /// When its calls began.
    #[schema(required)]
    pub in_progress_at: Option<i64>,
    /// When its time is over.
    pub expires_at: i64,
    /// When its files began to be written.
    #[schema(required)]
    pub finalizing_at: Option<i64>,
    /// When it was completed.
    #[schema(required)]
    pub completed_at: Option<i64>,
    /// When it failed.
    #[schema(required)]
    pub failed_at: Option<i64>,
    /// When it expired.
    #[schema(required)]
    pub expired_at: Option<i64>,
    /// When it was asked to be given up.
    #[schema(required)]
    pub cancelling_at: Option<i64>,
    /// When it was given up.
    #[schema(required)]
    pub cancelled_at: Option<i64>,
    /// Its calls by outcome.
    pub request_counts: BatchCounts,
    /// Notes of one's own.
    #[schema(required)]
    pub metadata: Option<BTreeMap<String, String>>,
}

/// The calls of a batch by outcome.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchRequestCounts)]
pub struct BatchCounts {
    /// All of them; 0 before they are counted.
    pub total: i32,
    /// Answered.
    pub completed: i32,
    /// Answered with an error.
    pub failed: i32,
}

/// What is wrong with a batch.
#[derive(Debug, Serialize, ToSchema)]
pub struct BatchErrors {
    /// `list`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The mistakes; of very many, the first.
    pub data: Vec<BatchErrorObject>,
}

/// A mistake in a batch.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BatchError)]
pub struct BatchErrorObject {
    /// A machine-readable reason.
    pub code: String,
    /// What is wrong.
    pub message: String,
    /// JSON path of the field in the line.
    #[schema(required)]
    pub param: Option<String>,
    /// The line of the input, from 1.
    #[schema(required)]
    pub line: Option<i64>,
}

impl From<BatchError> for BatchErrorObject {
    fn from(error: BatchError) -> Self {
        let BatchError {
            code,
            message,
            param,
            line,
        } = error;
        Self {
            code,
            message,
            param,
            line,
        }
    }
}

impl From<Batch> for BatchObject {
    fn from(batch: Batch) -> Self {
        let at = |time: Option<DateTime<Utc>>| time.map(seconds);
        let errors: Vec<BatchErrorObject> = batch.errors.into_iter().map(Into::into).collect();
        Self {
            id: batch.id.to_string(),
            object: "batch",
            endpoint: batch.endpoint.path(),
            errors: (!errors.is_empty()).then_some(BatchErrors {
                object: "list",
                data: errors,
            }),
            input_file_id: batch.input_file_id.to_string(),
            completion_window: "24h",
            status: batch.status.as_str(),
            output_file_id: batch.output_file_id.map(|id| id.to_string()),
            error_file_id: batch.error_file_id.map(|id| id.to_string()),
            created_at: seconds(batch.times.created_at),
            in_progress_at: at(batch.times.in_progress_at),
            expires_at: seconds(batch.times.expires_at),
            finalizing_at: at(batch.times.finalizing_at),
            completed_at: at(batch.times.completed_at),
            failed_at: at(batch.times.failed_at),
            expired_at: at(batch.times.expired_at),
            cancelling_at: at(batch.times.cancelling_at),
            cancelled_at: at(batch.times.cancelled_at),
            request_counts: BatchCounts {
                total: batch.total,
                completed: batch.completed,
                failed: batch.failed,
            },
            metadata: batch.metadata,
        }
    }
}
