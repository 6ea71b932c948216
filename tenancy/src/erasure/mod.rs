//! Removing a tenant with all its data, for good, and the receipt that says what was removed.
//!
//! A request is one transaction: the receipt is begun, the tenant can be entered by nobody any more, and the key that its
//! secrets are sealed with is gone. Then the rows go, some thousands in a transaction, each of which notes in the receipt what
//! it removed; so whoever takes over after a crash goes on, and counts nothing twice. What is left at the end is the receipt,
//! and the tenant's row without its name.

mod people;
mod receipt;
mod tables;

use std::collections::BTreeMap;

use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use serde_json::json;
use sqlx::types::Json;

use crate::audit::{Act, Event, INSTALL, Origin, record_by_operator};
use crate::{Db, ErasureId, Money, OperatorTx, Result, TenantId, tenant};

pub use people::clear_people;
pub use tables::{clear, names};

/// Counts that every receipt has, also where there was nothing.
const ALWAYS: &[&str] = &[
    "api_keys",
    "audit_events",
    "batches",
    "bytes",
    "chunks",
    "conversations",
    "files",
    "members",
    "people",
    "responses",
    "usage_events",
    "vector_stores",
];

/// What was charged to a tenant in a month: what accounting needs, and nobody's personal data.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Billed {
    /// Calls.
    pub requests: i64,
    /// Tokens that were read.
    pub input_tokens: i64,
    /// Tokens that were generated.
    pub output_tokens: i64,
    /// What they cost.
    pub cost: Money,
}

impl Billed {
    fn add(&mut self, other: &Self) {
        self.requests += other.requests;
        self.input_tokens += other.input_tokens;
        self.output_tokens += other.output_tokens;
        self.cost += other.cost;
    }
}

/// The removal of a tenant.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Erasure {
    /// Its id.
    pub id: ErasureId,
    /// Which tenant.
    pub tenant_id: TenantId,
    /// What it was called.
    pub name: String,
    /// Who asked for it, as the audit log says it.
    pub requested_by: String,
    /// When.
    pub requested_at: DateTime<Utc>,
    /// When all was gone.
    pub completed_at: Option<DateTime<Utc>>,
    /// How many of what are gone.
    pub deleted: BTreeMap<String, i64>,
    /// What was charged, by month as in `2026-11`.
    pub billed: BTreeMap<String, Billed>,
    /// The last hash of the tenant's audit log, once that is being removed.
    pub audit_head: Option<Vec<u8>>,
    /// Over all of this, once it is complete.
    pub digest: Option<Vec<u8>>,
}

#[derive(sqlx::FromRow)]
struct Row {
    id: ErasureId,
    of_tenant: TenantId,
    name: String,
    requested_by: String,
    created_at: DateTime<Utc>,
    completed_at: Option<DateTime<Utc>>,
    deleted: Json<BTreeMap<String, i64>>,
    billed: Json<BTreeMap<String, Billed>>,
    audit_head: Option<Vec<u8>>,
    digest: Option<Vec<u8>>,
}

/// A receipt straight from its row, for lists that are made elsewhere.
impl sqlx::FromRow<'_, sqlx::postgres::PgRow> for Erasure {
    fn from_row(row: &sqlx::postgres::PgRow) -> sqlx::Result<Self> {
        let row = <Row as sqlx::FromRow<_>>::from_row(row)?;
        Ok(Self {
            id: row.id,
            tenant_id: row.of_tenant,
            name: row.name,
            requested_by: row.requested_by,
            requested_at: row.created_at,
            completed_at: row.completed_at,
            deleted: row.deleted.0,
            billed: row.billed.0,
            audit_head: row.audit_head,
            digest: row.digest,
        })
    }
}

/// What came of a request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Requested {
    /// It has begun, or had already.
    Begun(Box<Erasure>),
    /// There is no such tenant.
    Unknown,
    /// This is not the tenant's name.
    AnotherName,
    /// It has to be suspended first.
    NotSuspended,
}

/// Begins to remove a tenant, which cannot be taken back. `name` has to be the tenant's: who types it means it.
///
/// # Errors
/// When the database is away.
pub async fn request(tx: &mut OperatorTx, id: TenantId, name: &str) -> Result<Requested> {
    let Some(tenant) = tenant::lock(tx, id).await? else {
        return Ok(Requested::Unknown);
    };
    if let Some(before) = find_of(tx, id).await? {
        return Ok(if before.name == name {
            Requested::Begun(Box::new(before))
        } else {
            Requested::AnotherName
        });
    }
    if tenant.name != name {
        return Ok(Requested::AnotherName);
    }
    if tenant.is_active() {
        return Ok(Requested::NotSuspended);
    }
    let none: BTreeMap<&str, i64> = ALWAYS.iter().map(|what| (*what, 0)).collect();
    let erasure_id = ErasureId::generate();
    let by = tx.origin().by.to_string();
    let begun: Erasure = sqlx::query_as(
        "insert into erasures (id, of_tenant, name, requested_by, deleted) values ($1, $2, $3, $4, $5)
         returning id, of_tenant, name, requested_by, created_at, completed_at, deleted, billed, audit_head, digest",
    )
    .bind(erasure_id)
    .bind(id)
    .bind(&tenant.name)
    .bind(by)
    .bind(Json(none))
    .fetch_one(&mut **tx)
    .await?;
    sqlx::query(
        "update tenants set archived_at = coalesce(archived_at, now()), erasing_at = now() where id = $1",
    )
    .bind(id)
    .execute(&mut **tx)
    .await?;
    sqlx::query("delete from tenant_data_keys where tenant_id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    let act = Act::new(Event::TenantEraseRequested, id);
    let data = json!({"erasure_id": erasure_id, "name": tenant.name});
    record_by_operator(tx, INSTALL, act.data(data)).await?;
    Ok(Requested::Begun(Box::new(begun)))
}

/// The removal of that id.
///
/// # Errors
/// When the database is away.
pub async fn find(tx: &mut OperatorTx, id: ErasureId) -> Result<Option<Erasure>> {
    Ok(sqlx::query_as(
        "select id, of_tenant, name, requested_by, created_at, completed_at, deleted, billed, audit_head, digest
         from erasures where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

async fn find_of(tx: &mut OperatorTx, tenant_id: TenantId) -> Result<Option<Erasure>> {
    Ok(sqlx::query_as(
        "select id, of_tenant, name, requested_by, created_at, completed_at, deleted, billed, audit_head, digest
         from erasures where of_tenant = $1",
    )
    .bind(tenant_id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// The tenants whose removal goes on, the longest first; and those that were removed within the last day, if `late`: a call that
/// was under way then may have left something since.
///
/// # Errors
/// When the database is away.
pub async fn pending(db: &Db, late: bool) -> Result<Vec<TenantId>> {
    let mut tx = db.begin_operator(Origin::SYSTEM).await?;
    Ok(sqlx::query_scalar(
        "select of_tenant from erasures
         where completed_at is null or $1 and completed_at > now() - interval '1 day' order by created_at, id",
    )
    .bind(late)
    .fetch_all(&mut *tx)
    .await?)
}

/// Ends a removal of which nothing is left: the receipt is sealed, and the tenant's name is free. One that is complete stays
/// as it is.
///
/// # Errors
/// When the database is away.
pub async fn complete(db: &Db, tenant_id: TenantId) -> Result<()> {
    let mut tx = db.begin_operator(Origin::SYSTEM).await?;
    tenant::lock(&mut tx, tenant_id).await?;
    let Some(erasure) = find_of(&mut tx, tenant_id).await? else {
        return Ok(());
    };
    if erasure.completed_at.is_some() {
        return Ok(());
    }
    // To the second, because that is what the receipt says and the digest is over.
    let now = sqlx::query_scalar("select date_trunc('second', now())")
        .fetch_one(&mut *tx)
        .await?;
    let complete = Erasure {
        completed_at: Some(now),
        ..erasure
    };
    let digest = complete.compute_digest();
    sqlx::query("update erasures set completed_at = $2, digest = $3 where id = $1")
        .bind(complete.id)
        .bind(now)
        .bind(&digest)
        .execute(&mut *tx)
        .await?;
    // No other tenant can have this name: it has the id in it.
    sqlx::query("update tenants set name = $2, title = null, erased_at = $3 where id = $1")
        .bind(tenant_id)
        .bind(format!("erased-{}", tenant_id.uuid().simple()))
        .bind(now)
        .execute(&mut *tx)
        .await?;
    let act = Act::new(Event::TenantErased, tenant_id);
    let data = json!({"erasure_id": complete.id, "digest": receipt::hex(&digest)});
    record_by_operator(&mut tx, INSTALL, act.data(data)).await?;
    tx.commit().await
}
