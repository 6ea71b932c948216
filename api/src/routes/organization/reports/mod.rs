//! `/v1/organization/usage/…` and `/v1/organization/costs`: what was used and what it cost, by the ledger that enforces
//! budgets. The operator sees all tenants; a tenant's key sees its own, and other projects as if there were none.

mod query;
mod wire;

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::usage::{self, Kind, StoredBytes, Sum, Width};
use insula_tenancy::scope_types::UsageRead;
use insula_tenancy::usage::Endpoint;

use self::query::{Asked, Group, ReportParams, ReportQuery, Shape};
use self::wire::{
    CompletionsResult, CostsResult, FileSearchesResult, InputResult, ReportPage, VectorStoresResult,
};
use crate::app::App;
use crate::http::{ApiResult, Json, Query, Reader};
use crate::routes::wire::now;

const WIDTHS: &[(&str, Width)] = &[("1m", Width::Minute), ("1h", Width::Hour), ("1d", Width::Day)];

const fn shape(groups: &'static [Group]) -> Shape {
    Shape {
        widths: WIDTHS,
        groups,
        most_days: 31,
    }
}

/// The sums that were asked for, as far as the reader may see them.
async fn sums(reader: &Reader<UsageRead>, app: &App, asked: &Asked) -> Result<Vec<Sum>, Error> {
    if asked.nothing {
        return Ok(Vec::new());
    }
    match reader {
        Reader::Operator(operator) => {
            let mut tx = app.services.db.operator_by(operator).await?;
            usage::of_install(&mut tx, &asked.report).await
        }
        Reader::Tenant(caller) => {
            let mut tx = app.services.db.tenant(caller).await?;
            usage::of_tenant(&mut tx, &asked.report).await
        }
    }
}

/// Sums what models read and wrote: chats, completions and responses.
#[utoipa::path(
    get, path = "/v1/organization/usage/completions", operation_id = "get_usage_completions", tag = "usage",
    params(ReportParams), responses((status = OK, body = ReportPage<CompletionsResult>))
)]
pub async fn get_usage_completions(
    reader: Reader<UsageRead>,
    State(app): State<App>,
    Query(query): Query<ReportQuery>,
) -> ApiResult<Json<ReportPage<CompletionsResult>>> {
    let groups = &[
        Group::Project,
        Group::User,
        Group::Key,
        Group::Model,
        Group::Batch,
        Group::ServiceTier,
        Group::ApiSource,
    ];
    let asked = query.read(shape(groups), Some(Kind::Completions.endpoints()))?;
    let sums = sums(&reader, &app, &asked).await?;
    let page = ReportPage::new(&asked, sums, |asked, sum| Ok(CompletionsResult::new(asked, sum)))?;
    Ok(Json(page))
}

const BY_CALL: &[Group] = &[Group::Project, Group::User, Group::Key, Group::Model];

/// Sums what embedding models read: for embeddings, for searches, and of documents.
#[utoipa::path(
    get, path = "/v1/organization/usage/embeddings", operation_id = "get_usage_embeddings", tag = "usage",
    params(ReportParams), responses((status = OK, body = ReportPage<InputResult>))
)]
pub async fn get_usage_embeddings(
    reader: Reader<UsageRead>,
    State(app): State<App>,
    Query(query): Query<ReportQuery>,
) -> ApiResult<Json<ReportPage<InputResult>>> {
    let asked = query.read(shape(BY_CALL), Some(Kind::Embeddings.endpoints()))?;
    let sums = sums(&reader, &app, &asked).await?;
    let page = ReportPage::new(&asked, sums, |asked, sum| Ok(InputResult::embeddings(asked, sum)))?;
    Ok(Json(page))
}

/// Sums what moderation models read.
#[utoipa::path(
    get, path = "/v1/organization/usage/moderations", operation_id = "get_usage_moderations", tag = "usage",
    params(ReportParams), responses((status = OK, body = ReportPage<InputResult>))
)]
pub async fn get_usage_moderations(
    reader: Reader<UsageRead>,
    State(app): State<App>,
    Query(query): Query<ReportQuery>,
) -> ApiResult<Json<ReportPage<InputResult>>> {
    let asked = query.read(shape(BY_CALL), Some(Kind::Moderations.endpoints()))?;
    let sums = sums(&reader, &app, &asked).await?;
    let page = ReportPage::new(&asked, sums, |asked, sum| {
        Ok(InputResult::moderations(asked, sum))
    })?;
    Ok(Json(page))
}

/// Counts searches of vector stores.
#[utoipa::path(
    get, path = "/v1/organization/usage/file_search_calls", operation_id = "get_usage_file_search_calls", tag = "usage",
    params(ReportParams), responses((status = OK, body = ReportPage<FileSearchesResult>))
)]
pub async fn get_usage_file_search_calls(
    reader: Reader<UsageRead>,
    State(app): State<App>,
    Query(query): Query<ReportQuery>,
) -> ApiResult<Json<ReportPage<FileSearchesResult>>> {
    query.refuse("vector_store_ids", "It is not recorded which store was searched.")?;
    let groups = &[Group::Project, Group::User, Group::Key];
    let asked = query.read(shape(groups), Some(vec![Endpoint::Search, Endpoint::FileSearch]))?;
    let sums = sums(&reader, &app, &asked).await?;
    let page = ReportPage::new(&asked, sums, |asked, sum| Ok(FileSearchesResult::new(asked, sum)))?;
    Ok(Json(page))
}

/// Tells the bytes of vector stores as they are now. Only the bucket of now has a result: what was stored at an earlier
/// time is not recorded.
#[utoipa::path(
    get, path = "/v1/organization/usage/vector_stores", operation_id = "get_usage_vector_stores", tag = "usage",
    params(ReportParams), responses((status = OK, body = ReportPage<VectorStoresResult>))
)]
pub async fn get_usage_vector_stores(
    reader: Reader<UsageRead>,
    State(app): State<App>,
    Query(query): Query<ReportQuery>,
) -> ApiResult<Json<ReportPage<VectorStoresResult>>> {
    let asked = query.read(shape(&[Group::Project]), None)?;
    let projects = asked.report.projects.as_deref();
    let stored = match &reader {
        Reader::Operator(operator) => {
            let mut tx = app.services.db.operator_by(operator).await?;
            usage::stored_in_install(&mut tx, projects).await?
        }
        Reader::Tenant(caller) => {
            let mut tx = app.services.db.tenant(caller).await?;
            usage::stored_in_tenant(&mut tx, projects).await?
        }
    };
    let result = |project: Option<String>, usage_bytes| VectorStoresResult {
        object: "organization.usage.vector_stores.result",
        usage_bytes,
        project_id: project,
    };
    let results: Vec<VectorStoresResult> = match asked.report.by.project {
        _ if stored.is_empty() => Vec::new(),
        true => stored
            .iter()
            .map(|StoredBytes { project, bytes }| result(Some(project.to_string()), *bytes))
            .collect(),
        false => vec![result(None, stored.iter().map(|stored| stored.bytes).sum())],
    };
    let mut page = ReportPage::new(&asked, Vec::new(), |_, _| Ok(result(None, 0)))?;
    let now = now();
    if let Some(bucket) = page
        .data
        .iter_mut()
        .find(|bucket| (bucket.start_time..bucket.end_time).contains(&now))
    {
        bucket.results = results;
    }
    Ok(Json(page))
}

/// Sums what was spent.
#[utoipa::path(
    get, path = "/v1/organization/costs", operation_id = "get_costs", tag = "usage",
    params(ReportParams), responses((status = OK, body = ReportPage<CostsResult>))
)]
pub async fn get_costs(
    reader: Reader<UsageRead>,
    State(app): State<App>,
    Query(query): Query<ReportQuery>,
) -> ApiResult<Json<ReportPage<CostsResult>>> {
    let shape = Shape {
        widths: &[("1h", Width::Hour), ("1d", Width::Day)],
        groups: &[
            Group::Project,
            Group::User,
            Group::LineItem,
            Group::Key,
            Group::ApiSource,
        ],
        most_days: 180,
    };
    let asked = query.read(shape, None)?;
    let sums = sums(&reader, &app, &asked).await?;
    let page = ReportPage::new(&asked, sums, |_, sum| CostsResult::new(sum))?;
    Ok(Json(page))
}
