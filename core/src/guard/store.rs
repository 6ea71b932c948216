//! SQL of guardrails.

use insula_tenancy::TenantTx;
use sqlx::types::Json;

use super::{Policy, Rules};
use crate::Result;

/// The tenant's rules; none if it never set any.
///
/// # Errors
/// When the database is away.
pub async fn get(tx: &mut TenantTx) -> Result<Rules> {
    let stored: Option<Json<Rules>> = sqlx::query_scalar("select rules from guardrails")
        .fetch_optional(&mut **tx)
        .await?;
    Ok(stored.map(|Json(rules)| rules).unwrap_or_default())
}

/// Puts these rules in the place of those that were there.
///
/// # Errors
/// As [`Rules::check`].
pub async fn set(tx: &mut TenantTx, rules: Rules) -> Result<()> {
    if rules == Rules::default() {
        sqlx::query("delete from guardrails").execute(&mut **tx).await?;
        return Ok(());
    }
    // What is stored can be applied.
    Policy::compile(rules.clone())?;
    sqlx::query(
        "insert into guardrails (rules) values ($1)
         on conflict (tenant_id) do update set rules = excluded.rules, updated_at = now()",
    )
    .bind(Json(rules))
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// The rules, if there are any.
pub(super) async fn find(tx: &mut TenantTx) -> Result<Option<Rules>> {
    let rules = get(tx).await?;
    Ok((rules != Rules::default()).then_some(rules))
}
