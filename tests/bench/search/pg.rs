//! Postgres as the bench sees it: a pool of its own with the server's rights, pgvector's types, and what the backends use of the
//! processor.

use std::collections::HashMap;

use anyhow::{Context, Result};
use half::f16;
use sqlx::encode::IsNull;
use sqlx::error::BoxDynError;
use sqlx::postgres::{PgArgumentBuffer, PgHasArrayType, PgPoolOptions, PgTypeInfo};
use sqlx::{AssertSqlSafe, Encode, PgConnection, PgPool, Postgres, Type};
use uuid::Uuid;

/// Connections, as many as the server has.
const CONNECTIONS: u32 = 16;

/// Connects as the server does.
pub(super) async fn pool(url: &str) -> Result<PgPool> {
    Ok(PgPoolOptions::new()
        .max_connections(CONNECTIONS)
        .acquire_timeout(std::time::Duration::from_secs(60))
        .connect(url)
        .await?)
}

/// Begins as the server does.
pub(super) async fn begin(connection: &mut PgConnection, tenant: Uuid) -> Result<()> {
    let begin = format!("begin; set local role insula_tenant; set local insula.tenant_id = '{tenant}'");
    sqlx::raw_sql(AssertSqlSafe(begin)).execute(connection).await?;
    Ok(())
}

/// Ends it.
pub(super) async fn commit(connection: &mut PgConnection) -> Result<()> {
    sqlx::raw_sql("commit").execute(connection).await?;
    Ok(())
}

/// What the backends of the server and of the bench have used of the processor so far, in nanoseconds.
pub(super) struct Used(HashMap<i32, u64>);

impl Used {
    pub(super) async fn now(pool: &PgPool) -> Result<Self> {
        let backends: Vec<i32> = sqlx::query_scalar(
            "select pid from pg_stat_activity where usename = 'insula_app' and pid <> pg_backend_pid()",
        )
        .fetch_all(pool)
        .await?;
        let used = |pid: i32| {
            let text = std::fs::read_to_string(format!("/proc/{pid}/schedstat")).ok()?;
            Some((pid, text.split(' ').next()?.parse().ok()?))
        };
        Ok(Self(backends.into_iter().filter_map(used).collect()))
    }

    /// Seconds between the two.
    pub(super) fn since(&self, before: &Self) -> f64 {
        let used = self.0.iter().map(|(pid, now)| {
            let before = before.0.get(pid).copied().unwrap_or_default();
            now.saturating_sub(before)
        });
        used.sum::<u64>() as f64 / 1e9
    }
}

/// Seconds that a process has used of the processor.
pub(super) fn used_by(pid: u32) -> Result<f64> {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat"))?;
    // The name is in parentheses and may have blanks; user and system time are the 12th and 13th behind it, in hundredths.
    let (_, fields) = stat.rsplit_once(')').context("no name")?;
    let ticks = |place: usize| {
        fields
            .split_whitespace()
            .nth(place)
            .and_then(|field| field.parse::<u64>().ok())
            .unwrap_or_default()
    };
    Ok((ticks(11) + ticks(12)) as f64 / 100.0)
}

/// pgvector's `halfvec`.
#[derive(Debug, Clone)]
pub(super) struct Halfvec(Vec<f16>);

impl Halfvec {
    pub(super) fn new(vector: &[f32]) -> Self {
        Self(vector.iter().copied().map(f16::from_f32).collect())
    }
}

impl Type<Postgres> for Halfvec {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("halfvec")
    }
}

impl PgHasArrayType for Halfvec {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_halfvec")
    }
}

impl Encode<'_, Postgres> for Halfvec {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&u16::try_from(self.0.len())?.to_be_bytes());
        buffer.extend_from_slice(&0u16.to_be_bytes());
        for value in &self.0 {
            buffer.extend_from_slice(&value.to_be_bytes());
        }
        Ok(IsNull::No)
    }
}

/// pgvector's `sparsevec(1000000000)`, from ascending positions that count from 1.
#[derive(Debug, Clone)]
pub(super) struct Sparsevec(pub(super) Vec<(i32, f32)>);

impl Type<Postgres> for Sparsevec {
    fn type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("sparsevec")
    }
}

impl PgHasArrayType for Sparsevec {
    fn array_type_info() -> PgTypeInfo {
        PgTypeInfo::with_name("_sparsevec")
    }
}

impl Encode<'_, Postgres> for Sparsevec {
    fn encode_by_ref(&self, buffer: &mut PgArgumentBuffer) -> Result<IsNull, BoxDynError> {
        buffer.extend_from_slice(&1_000_000_000i32.to_be_bytes());
        buffer.extend_from_slice(&i32::try_from(self.0.len())?.to_be_bytes());
        buffer.extend_from_slice(&0i32.to_be_bytes());
        for (position, _) in &self.0 {
            buffer.extend_from_slice(&(position - 1).to_be_bytes());
        }
        for (_, value) in &self.0 {
            buffer.extend_from_slice(&value.to_be_bytes());
        }
        Ok(IsNull::No)
    }
}
