//! SQL of guardrails.

use insula_tenancy::TenantTx;
use insula_tenancy::audit::{self, Act, Event};
use serde_json::{Value, json};
use sqlx::types::Json;

use super::{Policy, Rules};
use crate::{Error, Result};

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
    let changed = changed(&get(tx).await?, &rules)?;
    let act = Act::new(Event::GuardrailsUpdated, tx.tenant_id()).data(json!({"changed": changed}));
    if rules == Rules::default() {
        sqlx::query("delete from guardrails").execute(&mut **tx).await?;
        return Ok(audit::record(tx, act).await?);
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
    Ok(audit::record(tx, act).await?)
}

/// Which sorts of rules differ. The log says no more: the operator reads it, and blocked terms are the tenant's own words.
fn changed(before: &Rules, after: &Rules) -> Result<Vec<String>> {
    let json = |rules| serde_json::to_value(rules).map_err(Error::internal);
    let (before, after) = (json(before)?, json(after)?);
    let Value::Object(fields) = &after else {
        return Ok(Vec::new());
    };
    let differ = fields
        .iter()
        .filter(|(name, value)| before[name.as_str()] != **value);
    Ok(differ.map(|(name, _)| name.clone()).collect())
}

/// The rules, if there are any.
pub(super) async fn find(tx: &mut TenantTx) -> Result<Option<Rules>> {
    let rules = get(tx).await?;
    Ok((rules != Rules::default()).then_some(rules))
}
