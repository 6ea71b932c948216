//! SQL of files.

use chrono::{DateTime, Utc};
use insula_tenancy::{FileId, TenantTx};

use super::{File, NewFile, Purpose};
use crate::page::{Listing, Page, paged};
use crate::{Error, Result};

#[derive(sqlx::FromRow)]
struct Row {
    id: FileId,
    filename: String,
    purpose: String,
    bytes: i64,
    blob: String,
    created_at: DateTime<Utc>,
    expires_at: Option<DateTime<Utc>>,
}

impl TryFrom<Row> for File {
    type Error = Error;

    fn try_from(row: Row) -> Result<Self> {
        Ok(Self {
            id: row.id,
            filename: row.filename,
            purpose: row.purpose.parse::<Purpose>().map_err(Error::internal)?,
            bytes: row.bytes,
            created_at: row.created_at,
            expires_at: row.expires_at,
            blob: row.blob,
        })
    }
}

pub(super) async fn insert(tx: &mut TenantTx, filename: &str, new: &NewFile) -> Result<File> {
    let row: Row = sqlx::query_as(
        "insert into files (id, filename, purpose, bytes, sha256, blob, expires_at)
         values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7))
         returning id, filename, purpose, bytes, blob, created_at, expires_at",
    )
    .bind(FileId::generate())
    .bind(filename)
    .bind(new.purpose.as_str())
    .bind(i64::try_from(new.blob.bytes).map_err(Error::internal)?)
    .bind(new.blob.sha256.as_slice())
    .bind(&new.blob.name)
    .bind(new.expires_after.map(|lifetime| lifetime.as_secs_f64()))
    .fetch_one(&mut **tx)
    .await?;
    row.try_into()
}

pub(super) async fn find(tx: &mut TenantTx, id: FileId) -> Result<Option<File>> {
    let row: Option<Row> = sqlx::query_as(
        "select id, filename, purpose, bytes, blob, created_at, expires_at
         from files where id = $1 and (expires_at is null or expires_at > now())",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    row.map(File::try_from).transpose()
}

/// A file whose time is over but which is there still. Also tells for how many seconds longer it may live: not above 0
/// when its time is over, and `None` if it lives for ever.
pub(super) async fn find_with_time_left(
    tx: &mut TenantTx,
    id: FileId,
) -> Result<Option<(File, Option<f64>)>> {
    #[derive(sqlx::FromRow)]
    struct Timed {
        #[sqlx(flatten)]
        row: Row,
        left: Option<f64>,
    }
    let found: Option<Timed> = sqlx::query_as(
        "select id, filename, purpose, bytes, blob, created_at, expires_at,
                extract(epoch from expires_at - now())::float8 as left
         from files where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    found
        .map(|Timed { row, left }| Ok((row.try_into()?, left)))
        .transpose()
}

pub(super) async fn list(tx: &mut TenantTx, purpose: Option<Purpose>, page: Page) -> Result<Listing<File>> {
    const SQL: (&str, &str) = paged!(
        select "id, filename, purpose, bytes, blob, created_at, expires_at" from "files",
        id "id", cursor "files where true", where "($1::text is null or purpose = $1) and (expires_at is null or expires_at > now())", "$2" "$3" "$4"
    );
    let scan = page.scan();
    let rows: Vec<Row> = sqlx::query_as(if scan.ascending { SQL.0 } else { SQL.1 })
        .bind(purpose.map(Purpose::as_str))
        .bind(scan.from)
        .bind(scan.to)
        .bind(scan.limit)
        .fetch_all(&mut **tx)
        .await?;
    let files = rows.into_iter().map(File::try_from).collect::<Result<Vec<_>>>()?;
    Ok(scan.finish(files))
}

pub(super) async fn delete(tx: &mut TenantTx, id: FileId) -> Result<()> {
    sqlx::query("delete from files where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(())
}
