//! Plans: limits under a name, for many tenants.

use std::collections::BTreeMap;

use serde_json::json;

use super::policy::check;
use super::{Limit, SubjectKind};
use crate::audit::{Act, Event, INSTALL, record_by_operator};
use crate::{Error, OperatorTx, Result, TenantId};

/// Limits under a name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Plan {
    /// Its name.
    pub name: String,
    /// What it limits.
    pub limits: Vec<PlanLimit>,
}

/// One limit of a plan.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct PlanLimit {
    /// What it is on.
    pub subject_kind: SubjectKind,
    /// A model; empty: the tenant, or each key or model by itself.
    pub subject: String,
    /// The limits.
    #[sqlx(flatten)]
    pub limit: Limit,
}

#[derive(sqlx::FromRow)]
struct OfPlan {
    plan: String,
    #[sqlx(flatten)]
    limit: PlanLimit,
}

/// All plans, by name.
///
/// # Errors
/// When the database is away.
pub async fn list_plans(tx: &mut OperatorTx) -> Result<Vec<Plan>> {
    let names: Vec<String> = sqlx::query_scalar("select name from plans order by name")
        .fetch_all(&mut **tx)
        .await?;
    let mut plans: BTreeMap<String, Vec<PlanLimit>> =
        names.into_iter().map(|name| (name, Vec::new())).collect();
    let limits: Vec<OfPlan> = sqlx::query_as(
        "select plan, subject_kind, subject, requests_per_minute, tokens_per_minute, concurrency from plan_limits
         order by subject_kind, subject",
    )
    .fetch_all(&mut **tx)
    .await?;
    for OfPlan { plan, limit } in limits {
        plans.entry(plan).or_default().push(limit);
    }
    let plan = |(name, limits)| Plan { name, limits };
    Ok(plans.into_iter().map(plan).collect())
}

/// Makes a plan, or replaces it. Servers follow within a second.
///
/// # Errors
/// [`Error::Invalid`] for a name that is not lower-case letters, digits and hyphens; for a subject that comes twice.
pub async fn put_plan(tx: &mut OperatorTx, plan: &Plan) -> Result<()> {
    let name_like = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    if plan.name.is_empty()
        || plan.name.len() > 63
        || !plan.name.chars().all(name_like)
        || plan.name.starts_with('-')
        || plan.name.ends_with('-')
    {
        return Err(Error::Invalid(
            "a plan's name has 1 to 63 lower-case letters, digits and hyphens, and no hyphen at its ends"
                .into(),
        ));
    }
    sqlx::query("insert into plans (name) values ($1) on conflict do nothing")
        .bind(&plan.name)
        .execute(&mut **tx)
        .await?;
    sqlx::query("delete from plan_limits where plan = $1")
        .bind(&plan.name)
        .execute(&mut **tx)
        .await?;
    for limit in &plan.limits {
        check(&limit.subject, &limit.limit)?;
        let done = sqlx::query(
            "insert into plan_limits (plan, subject_kind, subject, requests_per_minute, tokens_per_minute, concurrency)
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        )
        .bind(&plan.name)
        .bind(limit.subject_kind)
        .bind(&limit.subject)
        .bind(limit.limit.requests_per_minute)
        .bind(limit.limit.tokens_per_minute)
        .bind(limit.limit.concurrency)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Invalid(format!(
                "the {} '{}' has two limits",
                limit.subject_kind.as_str(),
                limit.subject
            )));
        }
    }
    let limit = |limit: &PlanLimit| {
        json!({
            "subject_kind": limit.subject_kind.as_str(),
            "subject": limit.subject,
            "requests_per_minute": limit.limit.requests_per_minute,
            "tokens_per_minute": limit.limit.tokens_per_minute,
            "concurrency": limit.limit.concurrency,
        })
    };
    let limits: Vec<_> = plan.limits.iter().map(limit).collect();
    let act = Act::new(Event::PlanUpdated, &plan.name).data(json!({"limits": limits}));
    record_by_operator(tx, INSTALL, act).await
}

/// Removes a plan. `false`: there was none.
///
/// # Errors
/// [`Error::Invalid`] while a tenant has it.
pub async fn delete_plan(tx: &mut OperatorTx, name: &str) -> Result<bool> {
    let in_use: bool = sqlx::query_scalar("select exists (select from tenant_plans where plan = $1)")
        .bind(name)
        .fetch_one(&mut **tx)
        .await?;
    if in_use {
        return Err(Error::Invalid(format!("a tenant has the plan '{name}'")));
    }
    let done = sqlx::query("delete from plans where name = $1")
        .bind(name)
        .execute(&mut **tx)
        .await?;
    if done.rows_affected() == 0 {
        return Ok(false);
    }
    record_by_operator(tx, INSTALL, Act::new(Event::PlanDeleted, name)).await?;
    Ok(true)
}

/// The plan of a tenant, if it has one.
///
/// # Errors
/// When the database is away.
pub async fn plan_of(tx: &mut OperatorTx, tenant_id: TenantId) -> Result<Option<String>> {
    Ok(
        sqlx::query_scalar("select plan from tenant_plans where tenant_id = $1")
            .bind(tenant_id)
            .fetch_optional(&mut **tx)
            .await?,
    )
}

/// Gives a tenant a plan, or takes it away. Servers follow within a second.
///
/// # Errors
/// [`Error::Invalid`] for an unknown plan.
pub async fn assign_plan(tx: &mut OperatorTx, tenant_id: TenantId, plan: Option<&str>) -> Result<()> {
    let before = plan_of(tx, tenant_id).await?;
    if before.as_deref() == plan {
        return Ok(());
    }
    assign(tx, tenant_id, plan).await?;
    let act = Act::new(Event::RateLimitUpdated, tenant_id);
    let act = act.changed(json!({"plan": before}), json!({"plan": plan}));
    record_by_operator(tx, tenant_id, act).await
}

async fn assign(tx: &mut OperatorTx, tenant_id: TenantId, plan: Option<&str>) -> Result<()> {
    let Some(plan) = plan else {
        sqlx::query("delete from tenant_plans where tenant_id = $1")
            .bind(tenant_id)
            .execute(&mut **tx)
            .await?;
        return Ok(());
    };
    let done = sqlx::query(
        "insert into tenant_plans (tenant_id, plan) select $1, name from plans where name = $2
         on conflict (tenant_id) do update set plan = excluded.plan",
    )
    .bind(tenant_id)
    .bind(plan)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Err(Error::Invalid(format!("there is no plan '{plan}'")));
    }
    Ok(())
}
