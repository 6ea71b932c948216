//! `/v1/insula/sources`: web pages and sitemaps that are read into a vector store.

use axum::extract::State;
use axum::response::Response;
use insula_core::Error;
use insula_core::source::{self, NewSource, PageCounts, PageKind, Source, SourcePage};
use insula_core::vector_store::Attributes;
use insula_tenancy::scope_types::{VectorStoresRead, VectorStoresWrite};
use insula_tenancy::{Scope, SourceId};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::attributes::{self, AttributesParam};
use super::chunking::{ChunkingParam, ChunkingStrategy};
use super::ids::body_id;
use super::wire::{Deleted, List, seconds};
use crate::app::App;
use crate::http::validate::no_nul;
use crate::http::{
    ApiResult, Caller, FromQuery, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query, QueryParams,
};

const DEFAULT_PAGES: i32 = 100;

/// What is at a source's address.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum SourceType {
    /// A page.
    #[default]
    Page,
    /// A sitemap, or an index of sitemaps.
    Sitemap,
}

/// A source to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateSourceRequest)]
pub struct CreateSource {
    /// Where the pages go.
    pub vector_store_id: String,
    /// Where it begins: http or https, on the public internet.
    #[schema(example = "https://docs.example/", max_length = 2000)]
    pub url: String,
    /// What is there.
    #[serde(rename = "type", default)]
    #[schema(default = "page")]
    pub kind: SourceType,
    /// How many links away pages of the same site are still read. Without meaning for a sitemap.
    #[schema(minimum = 0, maximum = 3, default = 0)]
    pub max_depth: Option<i32>,
    /// How many pages are read at most.
    #[schema(minimum = 1, maximum = 1000, default = 100)]
    pub max_pages: Option<i32>,
    /// Hours from one crawl to the next. Absent: only when asked to.
    #[schema(minimum = 1, maximum = 8760)]
    pub refresh_every_hours: Option<i32>,
    /// Attributes of the files, to which `url` is added.
    #[schema(value_type = Option<Object>)]
    pub attributes: Option<AttributesParam>,
    /// How the files are cut.
    pub chunking_strategy: Option<ChunkingParam>,
}

/// A page or sitemap that is read into a vector store.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Source)]
pub struct SourceObject {
    /// Its id, `src_…`.
    pub id: String,
    /// `insula.source`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Where the pages go.
    pub vector_store_id: String,
    /// Where it begins, in its one spelling.
    pub url: String,
    /// What is there.
    #[serde(rename = "type")]
    pub kind: SourceType,
    /// How many links away pages are still read.
    pub max_depth: i32,
    /// How many pages are read at most.
    pub max_pages: i32,
    /// Hours from one crawl to the next; null: only when asked to.
    #[schema(required)]
    pub refresh_every_hours: Option<i32>,
    /// Attributes of the files, besides `url`.
    #[schema(value_type = Object)]
    pub attributes: Attributes,
    /// How the files are cut.
    pub chunking_strategy: ChunkingStrategy,
    /// `waiting`, `crawling`, `idle`, or `failed` (nothing could be read).
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Why nothing could be read.
    #[schema(required)]
    pub last_error: Option<String>,
    /// The pages by what became of them.
    pub pages: PageCountsObject,
    /// Unix seconds of the end of the last crawl.
    #[schema(required)]
    pub last_crawled_at: Option<i64>,
    /// Unix seconds of the next one, if there is a schedule.
    #[schema(required)]
    pub next_crawl_at: Option<i64>,
}

/// How many pages of a source are in each state.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourcePageCounts)]
pub struct PageCountsObject {
    /// Not asked yet in the crawl that is under way.
    pub queued: i64,
    /// Files of the store; how far they are read is told there.
    pub stored: i64,
    /// Not to be stored: robots.txt, `noindex`, nothing to read.
    pub skipped: i64,
    /// Answered 404 or 410; their files are taken out.
    pub gone: i64,
    /// Could not be read; an earlier version stays in the store.
    pub failed: i64,
}

impl From<PageCounts> for PageCountsObject {
    fn from(counts: PageCounts) -> Self {
        Self {
            queued: counts.queued,
            stored: counts.stored,
            skipped: counts.skipped,
            gone: counts.gone,
            failed: counts.failed,
        }
    }
}

impl From<Source> for SourceObject {
    fn from(source: Source) -> Self {
        let settings = source.settings;
        Self {
            id: source.id.to_string(),
            object: "insula.source",
            created_at: seconds(source.created_at),
            vector_store_id: settings.vector_store_id.to_string(),
            url: settings.url,
            kind: match settings.kind {
                PageKind::Page => SourceType::Page,
                PageKind::Sitemap => SourceType::Sitemap,
            },
            max_depth: settings.max_depth,
            max_pages: settings.max_pages,
            refresh_every_hours: settings.refresh_every_hours,
            attributes: settings.attributes,
            chunking_strategy: settings.chunking.into(),
            status: source.status.as_str(),
            last_error: source.last_error,
            pages: source.pages.into(),
            last_crawled_at: source.last_crawled_at.map(seconds),
            next_crawl_at: source.next_crawl_at.map(seconds),
        }
    }
}

/// An address of a source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourcePage)]
pub struct SourcePageObject {
    /// In its one spelling.
    pub url: String,
    /// `queued`, `stored`, `redirected`, `skipped`, `gone` or `failed`.
    pub status: String,
    /// How many links from the source's own address.
    pub depth: i32,
    /// Its file, if there is one.
    #[schema(required)]
    pub file_id: Option<String>,
    /// Why there is none, or none that is new.
    #[schema(required)]
    pub error: Option<String>,
    /// Unix seconds of when it was last asked for.
    #[schema(required)]
    pub fetched_at: Option<i64>,
}

impl From<SourcePage> for SourcePageObject {
    fn from(page: SourcePage) -> Self {
        Self {
            url: page.url,
            status: page.state,
            depth: page.depth,
            file_id: page.file_id.map(|id| id.to_string()),
            error: page.error,
            fetched_at: page.fetched_at.map(seconds),
        }
    }
}

/// All addresses of a source.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SourcePages)]
pub struct SourcePagesObject {
    /// `list`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Nearest first.
    pub data: Vec<SourcePageObject>,
}

/// What becomes of a deleted source's files.
#[derive(Debug, Clone, Copy, IntoParams)]
#[into_params(parameter_in = Query)]
pub struct DeleteQuery {
    /// Whether the files stay in the store.
    #[param(value_type = Option<bool>, default = false)]
    keep_files: bool,
}

impl FromQuery for DeleteQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let keep_files = params.choice("keep_files", &[("true", true), ("false", false)])?;
        Ok(Self {
            keep_files: keep_files.unwrap_or(false),
        })
    }
}

/// Makes a source and begins to read it.
///
/// Each page becomes a file of the vector store. robots.txt and `noindex` are obeyed. On a later crawl, what did not change
/// is left alone, what did is replaced, and what is gone is taken out.
#[utoipa::path(
    post, path = "/v1/insula/sources", operation_id = "create_source", tag = "sources",
    params(IdempotencyHeader), request_body = CreateSource, responses((status = OK, body = SourceObject))
)]
pub async fn create_source(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateSource>,
) -> ApiResult<Response> {
    caller.require(Scope::FilesWrite).map_err(Error::from)?;
    no_nul("url", &request.url)?;
    let new = NewSource {
        vector_store_id: body_id("vector_store_id", &request.vector_store_id)?,
        url: request.url,
        kind: match request.kind {
            SourceType::Page => PageKind::Page,
            SourceType::Sitemap => PageKind::Sitemap,
        },
        max_depth: request.max_depth.unwrap_or(0),
        max_pages: request.max_pages.unwrap_or(DEFAULT_PAGES),
        refresh_every_hours: request.refresh_every_hours,
        attributes: attributes::read("attributes", request.attributes)?,
        chunking: ChunkingParam::read(request.chunking_strategy)?,
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let created = source::create(&mut tx, app.services.fetcher.as_ref(), new).await?;
    once.answer(tx, &SourceObject::from(created)).await
}

/// Lists sources.
#[utoipa::path(
    get, path = "/v1/insula/sources", operation_id = "list_sources", tag = "sources",
    params(ListQuery), responses((status = OK, body = List<SourceObject>))
)]
pub async fn list_sources(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<SourceObject>>> {
    let page = query.page(SourceId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = source::list(&mut tx, page).await?.map(SourceObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |source| {
        source.id.clone()
    })))
}

/// Describes a source.
#[utoipa::path(
    get, path = "/v1/insula/sources/{source_id}", operation_id = "get_source", tag = "sources",
    params(("source_id" = String, Path, description = "Its id, `src_…`")),
    responses((status = OK, body = SourceObject))
)]
pub async fn get_source(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path(id): Path<SourceId>,
) -> ApiResult<Json<SourceObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(source::get(&mut tx, id).await?.into()))
}

/// Lists the addresses of a source and what became of each.
#[utoipa::path(
    get, path = "/v1/insula/sources/{source_id}/pages", operation_id = "list_source_pages", tag = "sources",
    params(("source_id" = String, Path, description = "Its id, `src_…`")),
    responses((status = OK, body = SourcePagesObject))
)]
pub async fn list_source_pages(
    caller: Caller<VectorStoresRead>,
    State(app): State<App>,
    Path(id): Path<SourceId>,
) -> ApiResult<Json<SourcePagesObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let pages = source::pages(&mut tx, id).await?;
    Ok(Json(SourcePagesObject {
        object: "list",
        data: pages.into_iter().map(SourcePageObject::from).collect(),
    }))
}

/// Begins a crawl, unless one is under way.
#[utoipa::path(
    post, path = "/v1/insula/sources/{source_id}/refresh", operation_id = "refresh_source", tag = "sources",
    params(("source_id" = String, Path, description = "Its id, `src_…`")),
    responses((status = OK, body = SourceObject))
)]
pub async fn refresh_source(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path(id): Path<SourceId>,
) -> ApiResult<Json<SourceObject>> {
    caller.require(Scope::FilesWrite).map_err(Error::from)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let source = source::refresh(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(source.into()))
}

/// Deletes a source. Its files leave the store soon after, and are deleted where no other store has them.
#[utoipa::path(
    delete, path = "/v1/insula/sources/{source_id}", operation_id = "delete_source", tag = "sources",
    params(("source_id" = String, Path, description = "Its id, `src_…`"), DeleteQuery),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_source(
    caller: Caller<VectorStoresWrite>,
    State(app): State<App>,
    Path(id): Path<SourceId>,
    Query(query): Query<DeleteQuery>,
) -> ApiResult<Json<Deleted>> {
    caller.require(Scope::FilesWrite).map_err(Error::from)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    source::delete(&mut tx, id, query.keep_files).await?;
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "insula.source.deleted")))
}
