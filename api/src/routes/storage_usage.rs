//! `/v1/insula/usage/storage`: what a tenant stores, beside what it may.

use axum::extract::State;
use insula_core::quota::{self, StorageUsage, Usage};
use insula_tenancy::scope_types::FilesRead;
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiResult, Caller, Json};

/// What is stored, and how much may be.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = StorageUsage)]
pub struct StorageUsageObject {
    /// `insula.storage_usage`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Files.
    pub files: UsageObject,
    /// Bytes of files, and of parts of uploads that are not complete.
    pub bytes: UsageObject,
    /// Chunks of all vector stores.
    pub chunks: UsageObject,
}

/// How much there is of something that may be limited.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Usage)]
pub struct UsageObject {
    /// How much there is.
    pub used: i64,
    /// How much there may be; null for any amount. The operator of the server sets it.
    #[schema(required)]
    pub quota: Option<i64>,
}

impl From<Usage> for UsageObject {
    fn from(Usage { used, quota }: Usage) -> Self {
        Self { used, quota }
    }
}

impl From<StorageUsage> for StorageUsageObject {
    fn from(usage: StorageUsage) -> Self {
        Self {
            object: "insula.storage_usage",
            files: usage.files.into(),
            bytes: usage.bytes.into(),
            chunks: usage.chunks.into(),
        }
    }
}

/// Tells how much is stored and how much may be.
#[utoipa::path(
    get, path = "/v1/insula/usage/storage", operation_id = "get_storage_usage", tag = "files",
    responses((status = OK, body = StorageUsageObject))
)]
pub async fn get_storage_usage(
    caller: Caller<FilesRead>,
    State(app): State<App>,
) -> ApiResult<Json<StorageUsageObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(quota::usage(&mut tx).await?.into()))
}
