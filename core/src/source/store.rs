//! SQL of sources and of their addresses.

use chrono::{DateTime, Utc};
use insula_tenancy::{FileId, SourceId, TenantTx, VectorStoreId};
use sqlx::types::Json;

use super::fetch::PageKind;
use super::{NewSource, PageCounts, Source, SourcePage, SourceStatus};
use crate::page::{Listing, Page, paged};
use crate::vector_store::Attributes;
use crate::vector_store::file::Chunking;
use crate::{Error, Result};

#[derive(sqlx::FromRow)]
struct Row {
    id: SourceId,
    vector_store_id: VectorStoreId,
    url: String,
    r#type: String,
    max_depth: i32,
    max_pages: i32,
    refresh_every_hours: Option<i32>,
    attributes: Json<Attributes>,
    max_chunk_tokens: Option<i32>,
    chunk_overlap_tokens: Option<i32>,
    status: String,
    last_error: Option<String>,
    crawl: i32,
    last_crawled_at: Option<DateTime<Utc>>,
    next_crawl_at: Option<DateTime<Utc>>,
    created_at: DateTime<Utc>,
    /// Addresses by state: queued, stored, skipped, gone, failed.
    counts: Vec<i64>,
}

impl TryFrom<Row> for Source {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        let [queued, stored, skipped, gone, failed] = row.counts[..] else {
            return Err(Error::internal("a source without its counts"));
        };
        Ok(Self {
            id: row.id,
            settings: NewSource {
                vector_store_id: row.vector_store_id,
                url: row.url,
                kind: kind(&row.r#type)?,
                max_depth: row.max_depth,
                max_pages: row.max_pages,
                refresh_every_hours: row.refresh_every_hours,
                attributes: row.attributes.0,
                chunking: match (row.max_chunk_tokens, row.chunk_overlap_tokens) {
                    (Some(max_tokens), Some(overlap_tokens)) => Chunking::Static {
                        max_tokens,
                        overlap_tokens,
                    },
                    _ => Chunking::Auto,
                },
            },
            status: status(&row.status)?,
            last_error: row.last_error,
            pages: PageCounts {
                queued,
                stored,
                skipped,
                gone,
                failed,
            },
            last_crawled_at: row.last_crawled_at,
            next_crawl_at: row.next_crawl_at,
            created_at: row.created_at,
            crawl: row.crawl,
        })
    }
}

fn kind(name: &str) -> Result<PageKind> {
    [PageKind::Page, PageKind::Sitemap]
        .into_iter()
        .find(|kind| kind.as_str() == name)
        .ok_or_else(|| Error::internal(format!("unknown kind of page: {name}")))
}

fn status(name: &str) -> Result<SourceStatus> {
    use SourceStatus::{Crawling, Failed, Idle, Waiting};
    [Waiting, Crawling, Idle, Failed]
        .into_iter()
        .find(|status| status.as_str() == name)
        .ok_or_else(|| Error::internal(format!("unknown status of a source: {name}")))
}

const PAGES: (&str, &str) = paged!(
    select "id, vector_store_id, url, type, max_depth, max_pages, refresh_every_hours, attributes, max_chunk_tokens,
            chunk_overlap_tokens, status, last_error, crawl, last_crawled_at, next_crawl_at, created_at,
            (select array[count(*) filter (where p.state = 'queued'), count(*) filter (where p.state = 'stored'),
                          count(*) filter (where p.state = 'skipped'), count(*) filter (where p.state = 'gone'),
                          count(*) filter (where p.state = 'failed')]
             from source_pages p
             where p.tenant_id = sources.tenant_id and p.source_id = sources.id and p.kind = 'page') as counts"
    from "sources", id "id", cursor "sources where true", where "($1::uuid is null or id = $1)", "$2" "$3" "$4"
);

pub(super) async fn count(tx: &mut TenantTx) -> Result<i64> {
    Ok(sqlx::query_scalar("select count(*) from sources")
        .fetch_one(&mut **tx)
        .await?)
}

pub(super) async fn insert(tx: &mut TenantTx, new: &NewSource) -> Result<SourceId> {
    let id = SourceId::generate();
    let (max_tokens, overlap_tokens) = match new.chunking {
        Chunking::Auto => (None, None),
        Chunking::Static {
            max_tokens,
            overlap_tokens,
        } => (Some(max_tokens), Some(overlap_tokens)),
    };
    sqlx::query(
        "insert into sources (id, vector_store_id, url, type, max_depth, max_pages, refresh_every_hours, attributes,
                              max_chunk_tokens, chunk_overlap_tokens)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(id)
    .bind(new.vector_store_id)
    .bind(&new.url)
    .bind(new.kind.as_str())
    .bind(new.max_depth)
    .bind(new.max_pages)
    .bind(new.refresh_every_hours)
    .bind(Json(&new.attributes))
    .bind(max_tokens)
    .bind(overlap_tokens)
    .execute(&mut **tx)
    .await?;
    Ok(id)
}

pub(super) async fn find(tx: &mut TenantTx, id: SourceId) -> Result<Option<Source>> {
    let row: Option<Row> = sqlx::query_as(PAGES.0)
        .bind(id)
        .bind(None::<uuid::Uuid>)
        .bind(None::<uuid::Uuid>)
        .bind(1i64)
        .fetch_optional(&mut **tx)
        .await?;
    row.map(Source::try_from).transpose()
}

pub(super) async fn list(tx: &mut TenantTx, page: Page) -> Result<Listing<Source>> {
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending { PAGES.0 } else { PAGES.1 })
        .bind(None::<uuid::Uuid>)
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    let sources = rows.into_iter().map(Source::try_from);
    Ok(scan.finish(sources.collect::<Result<Vec<_>>>()?))
}

/// Keeps others from beginning a crawl, or deleting, at the same time.
pub(super) async fn lock(tx: &mut TenantTx, id: SourceId) -> Result<()> {
    sqlx::query("select from sources where id = $1 for update")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn delete(tx: &mut TenantTx, id: SourceId) -> Result<()> {
    sqlx::query("delete from sources where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn begin(tx: &mut TenantTx, id: SourceId, crawl: i32) -> Result<()> {
    sqlx::query("delete from source_pages where source_id = $1 and state = 'gone'")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    sqlx::query(
        "update source_pages set state = 'queued', crawl = $2, tries = 0, error = null where source_id = $1",
    )
    .bind(id)
    .bind(crawl)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "insert into source_pages (source_id, url, kind, crawl, is_seed)
         select id, url, type, $2, true from sources where id = $1
         on conflict (tenant_id, source_id, url) do nothing",
    )
    .bind(id)
    .bind(crawl)
    .execute(&mut **tx)
    .await?;
    sqlx::query(
        "update sources set status = 'waiting', crawl = $2, last_error = null, next_crawl_at = null where id = $1",
    )
    .bind(id)
    .bind(crawl)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn set_crawling(tx: &mut TenantTx, id: SourceId) -> Result<()> {
    sqlx::query("update sources set status = 'crawling' where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Ends a crawl: idle if a page could be read, else failed for the reason that its first address gave. `None` if this
/// crawl is not the source's any more.
pub(super) async fn finish(tx: &mut TenantTx, id: SourceId, crawl: i32) -> Result<Option<SourceStatus>> {
    let ended: Option<String> = sqlx::query_scalar(
        "update sources s
         set status = case when read.any then 'idle' else 'failed' end,
             last_error = case when not read.any then coalesce(
               (select p.error from source_pages p
                where p.source_id = $1 and p.error is not null and p.state <> 'redirected'
                order by p.is_seed desc, p.depth, p.hops desc, p.url limit 1),
               'It leads to no page that can be read.') end,
             last_crawled_at = now(), next_crawl_at = now() + make_interval(hours => s.refresh_every_hours)
         from (select exists (select from source_pages p
                              where p.source_id = $1 and p.kind = 'page' and p.state = 'stored') as any) read
         where s.id = $1 and s.crawl = $2
         returning s.status",
    )
    .bind(id)
    .bind(crawl)
    .fetch_optional(&mut **tx)
    .await?;
    ended.map(|name| status(&name)).transpose()
}

/// Ends a crawl that cannot be finished.
pub(super) async fn give_up(tx: &mut TenantTx, id: SourceId, crawl: i32, reason: &str) -> Result<()> {
    sqlx::query(
        "update sources set status = 'failed', last_error = $3, last_crawled_at = now() where id = $1 and crawl = $2",
    )
    .bind(id)
    .bind(crawl)
    .bind(reason)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// An address of the frontier.
#[derive(Debug, sqlx::FromRow)]
pub(super) struct Queued {
    pub(super) url: String,
    #[sqlx(try_from = "String")]
    pub(super) kind: PageKind,
    pub(super) depth: i32,
    pub(super) hops: i32,
    pub(super) is_seed: bool,
    pub(super) tries: i32,
    pub(super) file_id: Option<FileId>,
    pub(super) previous_file_id: Option<FileId>,
    pub(super) sha256: Option<Vec<u8>>,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

impl TryFrom<String> for PageKind {
    type Error = Error;

    fn try_from(name: String) -> Result<Self> {
        kind(&name)
    }
}

/// The next address to ask: nearest first, failed ones last.
pub(super) async fn next(tx: &mut TenantTx, id: SourceId, crawl: i32) -> Result<Option<Queued>> {
    Ok(sqlx::query_as(
        "select url, kind, depth, hops, is_seed, tries, file_id, previous_file_id, sha256, etag, last_modified
         from source_pages where source_id = $1 and crawl = $2 and state = 'queued'
         order by tries, depth, url limit 1",
    )
    .bind(id)
    .bind(crawl)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Whether an address still waits to be put on record; locks it.
pub(super) async fn is_queued(tx: &mut TenantTx, id: SourceId, crawl: i32, url: &str) -> Result<bool> {
    let found = sqlx::query(
        "select from source_pages where source_id = $1 and url = $3 and crawl = $2 and state = 'queued' for update",
    )
    .bind(id)
    .bind(crawl)
    .bind(url)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(found.is_some())
}

/// Adds pages that are not known yet, as many as the source may have.
pub(super) async fn add_pages(tx: &mut TenantTx, source: &Source, urls: &[String], depth: i32) -> Result<()> {
    add(
        tx,
        source,
        urls,
        PageKind::Page,
        depth,
        i64::from(source.settings.max_pages),
    )
    .await
}

/// Adds sitemaps that are not known yet, up to `most` in all.
pub(super) async fn add_sitemaps(
    tx: &mut TenantTx,
    source: &Source,
    urls: &[String],
    depth: i32,
    most: i64,
) -> Result<()> {
    add(tx, source, urls, PageKind::Sitemap, depth, most).await
}

async fn add(
    tx: &mut TenantTx,
    source: &Source,
    urls: &[String],
    kind: PageKind,
    depth: i32,
    most: i64,
) -> Result<()> {
    // Where a redirect leads takes no room: the address that was linked has it.
    sqlx::query(
        "insert into source_pages (source_id, url, kind, crawl, depth)
         select $1, u.url, $3, $4, $5 from unnest($2::text[]) with ordinality as u (url, place)
         where length(u.url) <= 2000
           and not exists (select from source_pages p where p.source_id = $1 and p.url = u.url)
         order by u.place
         limit greatest($6 - (select count(*) from source_pages p
                              where p.source_id = $1 and p.kind = $3 and p.hops = 0), 0)
         on conflict (tenant_id, source_id, url) do nothing",
    )
    .bind(source.id)
    .bind(urls)
    .bind(kind.as_str())
    .bind(source.crawl)
    .bind(depth)
    .bind(most)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Adds where a redirect leads, if it is not known yet.
pub(super) async fn add_target(tx: &mut TenantTx, source: &Source, from: &Queued, to: &str) -> Result<()> {
    sqlx::query(
        "insert into source_pages (source_id, url, kind, crawl, depth, hops, is_seed)
         values ($1, $2, $3, $4, $5, $6, $7) on conflict (tenant_id, source_id, url) do nothing",
    )
    .bind(source.id)
    .bind(to)
    .bind(from.kind.as_str())
    .bind(source.crawl)
    .bind(from.depth)
    .bind(from.hops + 1)
    .bind(from.is_seed)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// What is remembered of an answer.
#[derive(Debug, Default)]
pub(super) struct Known {
    /// `None`: the one that it had.
    pub(super) file_id: Option<FileId>,
    pub(super) sha256: Option<[u8; 32]>,
    pub(super) etag: Option<String>,
    pub(super) last_modified: Option<String>,
}

pub(super) async fn set_stored(tx: &mut TenantTx, id: SourceId, url: &str, known: &Known) -> Result<()> {
    sqlx::query(
        "update source_pages
         set state = 'stored', error = null, fetched_at = now(), file_id = coalesce($3, file_id), sha256 = $4, etag = $5,
             last_modified = $6
         where source_id = $1 and url = $2",
    )
    .bind(id)
    .bind(url)
    .bind(known.file_id)
    .bind(known.sha256.as_ref().map(|hash| hash.as_slice()))
    .bind(&known.etag)
    .bind(&known.last_modified)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn set_unchanged(tx: &mut TenantTx, id: SourceId, url: &str) -> Result<()> {
    sqlx::query(
        "update source_pages set state = 'stored', error = null, fetched_at = now() where source_id = $1 and url = $2",
    )
    .bind(id)
    .bind(url)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Records how an address ended otherwise than stored, and why.
pub(super) async fn set_state(
    tx: &mut TenantTx,
    id: SourceId,
    url: &str,
    state: &str,
    error: &str,
) -> Result<()> {
    sqlx::query(
        "update source_pages set state = $3, error = $4, fetched_at = now() where source_id = $1 and url = $2",
    )
    .bind(id)
    .bind(url)
    .bind(state)
    .bind(error)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn set_again(tx: &mut TenantTx, id: SourceId, url: &str, reason: &str) -> Result<()> {
    sqlx::query(
        "update source_pages set tries = tries + 1, error = $3, fetched_at = now() where source_id = $1 and url = $2",
    )
    .bind(id)
    .bind(url)
    .bind(reason)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn set_previous(
    tx: &mut TenantTx,
    id: SourceId,
    url: &str,
    previous: Option<FileId>,
) -> Result<()> {
    sqlx::query("update source_pages set previous_file_id = $3 where source_id = $1 and url = $2")
        .bind(id)
        .bind(url)
        .bind(previous)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

pub(super) async fn forget_files(tx: &mut TenantTx, id: SourceId, url: &str) -> Result<()> {
    sqlx::query(
        "update source_pages set file_id = null, previous_file_id = null, sha256 = null, etag = null,
                last_modified = null
         where source_id = $1 and url = $2",
    )
    .bind(id)
    .bind(url)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

pub(super) async fn forget_previous(tx: &mut TenantTx, id: SourceId, file_id: FileId) -> Result<()> {
    sqlx::query(
        "update source_pages set previous_file_id = null where source_id = $1 and previous_file_id = $2",
    )
    .bind(id)
    .bind(file_id)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Earlier versions whose successors are searchable.
pub(super) async fn replaced(tx: &mut TenantTx, id: SourceId) -> Result<Vec<FileId>> {
    Ok(sqlx::query_scalar(
        "select p.previous_file_id from source_pages p
         join sources s on s.tenant_id = p.tenant_id and s.id = p.source_id
         join vector_store_files f on f.tenant_id = p.tenant_id and f.vector_store_id = s.vector_store_id
              and f.file_id = p.file_id and f.status = 'completed'
         where p.source_id = $1 and p.previous_file_id is not null
         limit 25",
    )
    .bind(id)
    .fetch_all(&mut **tx)
    .await?)
}

/// Whether there is an earlier version that is, or may soon be, to be taken out.
pub(super) async fn is_unsettled(tx: &mut TenantTx, id: SourceId) -> Result<bool> {
    Ok(sqlx::query_scalar(
        "select exists (
           select from source_pages p
           join sources s on s.tenant_id = p.tenant_id and s.id = p.source_id
           join vector_store_files f on f.tenant_id = p.tenant_id and f.vector_store_id = s.vector_store_id
                and f.file_id = p.file_id and f.status in ('in_progress', 'completed')
           where p.source_id = $1 and p.previous_file_id is not null)",
    )
    .bind(id)
    .fetch_one(&mut **tx)
    .await?)
}

/// All files of a source.
pub(super) async fn files(tx: &mut TenantTx, id: SourceId) -> Result<Vec<FileId>> {
    Ok(sqlx::query_scalar(
        "select f from source_pages p, unnest(array[p.file_id, p.previous_file_id]) as f
         where p.source_id = $1 and f is not null",
    )
    .bind(id)
    .fetch_all(&mut **tx)
    .await?)
}

/// Whether any store has a file.
pub(super) async fn is_attached(tx: &mut TenantTx, file_id: FileId) -> Result<bool> {
    Ok(
        sqlx::query_scalar("select exists (select from vector_store_files where file_id = $1)")
            .bind(file_id)
            .fetch_one(&mut **tx)
            .await?,
    )
}

pub(super) async fn pages(tx: &mut TenantTx, id: SourceId) -> Result<Vec<SourcePage>> {
    Ok(sqlx::query_as(
        "select url, state, depth, file_id, error, fetched_at from source_pages
         where source_id = $1 order by depth, url",
    )
    .bind(id)
    .fetch_all(&mut **tx)
    .await?)
}
