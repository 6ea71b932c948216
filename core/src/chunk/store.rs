//! SQL of chunks.

use insula_tenancy::{ChunkId, FileId, TenantTx, VectorStoreId};

use super::Chunk;
use crate::Result;
use crate::page::{Listing, Page};

#[derive(sqlx::FromRow)]
struct Row {
    id: ChunkId,
    file_id: FileId,
    ordinal: i32,
    content: String,
    tokens: i32,
    language: String,
    page: Option<i32>,
    heading_path: Vec<String>,
    start_char: i64,
    end_char: i64,
}

impl From<Row> for Chunk {
    fn from(row: Row) -> Self {
        Self {
            id: row.id,
            file_id: row.file_id,
            ordinal: row.ordinal,
            text: row.content,
            tokens: row.tokens,
            language: row.language,
            page: row.page,
            heading_path: row.heading_path,
            start_char: row.start_char,
            end_char: row.end_char,
        }
    }
}

pub(super) async fn find(tx: &mut TenantTx, store_id: VectorStoreId, id: ChunkId) -> Result<Option<Chunk>> {
    let row: Option<Row> = sqlx::query_as(
        "select id, file_id, ordinal, content, tokens, language, page, heading_path, start_char, end_char
         from chunks where vector_store_id = $1 and id = $2",
    )
    .bind(store_id)
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    Ok(row.map(Chunk::from))
}

const FROM_THE_START: &str = "
select id, file_id, ordinal, content, tokens, language, page, heading_path, start_char, end_char
from chunks
where vector_store_id = $1 and file_id = $2
  and ($3::uuid is null or ordinal > (select ordinal from chunks where id = $3))
  and ($4::uuid is null or ordinal < (select ordinal from chunks where id = $4))
order by ordinal limit $5";

const FROM_THE_END: &str = "
select id, file_id, ordinal, content, tokens, language, page, heading_path, start_char, end_char
from chunks
where vector_store_id = $1 and file_id = $2
  and ($3::uuid is null or ordinal < (select ordinal from chunks where id = $3))
  and ($4::uuid is null or ordinal > (select ordinal from chunks where id = $4))
order by ordinal desc limit $5";

pub(super) async fn list(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    page: Page,
) -> Result<Listing<Chunk>> {
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending {
        FROM_THE_START
    } else {
        FROM_THE_END
    })
    .bind(store_id)
    .bind(file_id)
    .bind(scan.from)
    .bind(scan.to)
    .bind(scan.limit)
    .fetch_all(&mut **tx)
    .await?;
    Ok(scan.finish(rows.into_iter().map(Chunk::from).collect()))
}

/// Notes that a file's passages are not what reading it gives, and how much its size has changed.
pub(super) async fn note_by_hand(
    tx: &mut TenantTx,
    store_id: VectorStoreId,
    file_id: FileId,
    more_bytes: i64,
) -> Result<()> {
    sqlx::query(
        "update vector_store_files set by_hand = true, usage_bytes = usage_bytes + $3
         where vector_store_id = $1 and file_id = $2",
    )
    .bind(store_id)
    .bind(file_id)
    .bind(more_bytes)
    .execute(&mut **tx)
    .await?;
    Ok(())
}
