//! Budgets in the database.

use chrono::{DateTime, Utc};
use serde_json::{Value, json};
use uuid::Uuid;

use super::{Budget, BudgetSubject, NewBudget};
use crate::audit::{Act, Event, record, record_by_operator};
use crate::server::EXPIRY_SECONDS;
use crate::{BudgetId, Db, Error, Money, OperatorTx, Result, TenantId, TenantTx};

/// Most budgets of a tenant: each is looked at for every call.
const MOST: i64 = 100;

/// Checks what a budget is to be.
fn check(new: &NewBudget) -> Result<()> {
    let subject_fits = match (new.subject_kind, &new.subject) {
        (BudgetSubject::Tenant, subject) => subject.is_none(),
        (BudgetSubject::Key, Some(key)) => key.parse::<Uuid>().is_ok(),
        (_, Some(subject)) => (1..=256).contains(&subject.chars().count()),
        (_, None) => true,
    };
    if !subject_fits {
        return Err(Error::Invalid(
            "subject: does not fit what the budget is on".into(),
        ));
    }
    if new.name.chars().count() > 256 {
        return Err(Error::Invalid("name: has at most 256 characters".into()));
    }
    if new.amount < Money::ZERO {
        return Err(Error::Invalid("amount: cannot be below 0".into()));
    }
    if new.alert_at.len() > 10 || new.alert_at.iter().any(|percent| !(1..=1000).contains(percent)) {
        return Err(Error::Invalid(
            "alert_at: takes at most ten percentages of 1 to 1000".into(),
        ));
    }
    Ok(())
}

/// Makes a budget of the tenant's own. Servers follow within a second.
///
/// # Errors
/// [`Error::Invalid`] with the field and what is wrong with it, as in `amount: …`.
pub async fn create(tx: &mut TenantTx, new: &NewBudget) -> Result<Budget> {
    check(new)?;
    // Creations wait for each other, so that the bound holds.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended(current_tenant_id()::text, 7310596434))")
        .execute(&mut **tx)
        .await?;
    let made: Option<Budget> = sqlx::query_as(
        "insert into budgets (id, name, subject_kind, subject, period, amount, hard, alert_at, set_by)
         select $1, $2, $3, $4, $5, $6, $7, $8, 'tenant' where (select count(*) from budgets) < $9
         returning id, name, subject_kind, subject, period, amount, hard, alert_at, set_by, created_at",
    )
    .bind(BudgetId::generate())
    .bind(&new.name)
    .bind(new.subject_kind)
    .bind(&new.subject)
    .bind(new.period)
    .bind(new.amount)
    .bind(new.hard)
    .bind(&new.alert_at)
    .bind(MOST)
    .fetch_optional(&mut **tx)
    .await?;
    let made =
        made.ok_or_else(|| Error::Invalid(format!("subject_kind: a tenant has at most {MOST} budgets")))?;
    record(tx, Act::new(Event::BudgetCreated, made.id).data(told(&made))).await?;
    Ok(made)
}

/// A budget as the audit log tells it.
fn told(budget: &Budget) -> Value {
    json!({
        "name": budget.name,
        "subject_kind": budget.subject_kind.as_str(),
        "subject": budget.subject,
        "period": budget.period.as_str(),
        "amount_usd": budget.amount.to_string(),
        "hard": budget.hard,
        "alert_at": budget.alert_at,
    })
}

/// The tenant's budgets, newest first.
///
/// # Errors
/// When the database is away.
pub async fn list(tx: &mut TenantTx) -> Result<Vec<Budget>> {
    Ok(sqlx::query_as(
        "select id, name, subject_kind, subject, period, amount, hard, alert_at, set_by, created_at
         from budgets order by created_at desc, id desc",
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// One budget of the tenant's.
///
/// # Errors
/// When the database is away.
pub async fn find(tx: &mut TenantTx, id: BudgetId) -> Result<Option<Budget>> {
    Ok(sqlx::query_as(
        "select id, name, subject_kind, subject, period, amount, hard, alert_at, set_by, created_at
         from budgets where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Changes name, amount, hardness and alerts of a budget of the tenant's own. `None`: there is none that it may change.
///
/// # Errors
/// [`Error::Invalid`] with the field and what is wrong with it.
pub async fn update(tx: &mut TenantTx, id: BudgetId, new: &NewBudget) -> Result<Option<Budget>> {
    check(new)?;
    let Some(before) = find(tx, id).await? else {
        return Ok(None);
    };
    let changed: Option<Budget> = sqlx::query_as(
        "update budgets set name = $2, amount = $3, hard = $4, alert_at = $5 where id = $1 and set_by = 'tenant'
         returning id, name, subject_kind, subject, period, amount, hard, alert_at, set_by, created_at",
    )
    .bind(id)
    .bind(&new.name)
    .bind(new.amount)
    .bind(new.hard)
    .bind(&new.alert_at)
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(changed) = &changed {
        let act = Act::new(Event::BudgetUpdated, id).changed(told(&before), told(changed));
        record(tx, act).await?;
    }
    Ok(changed)
}

/// Removes a budget of the tenant's own. `false`: there is none that it may remove.
///
/// # Errors
/// When the database is away.
pub async fn delete(tx: &mut TenantTx, id: BudgetId) -> Result<bool> {
    let gone: Option<Budget> = sqlx::query_as(
        "delete from budgets where id = $1 and set_by = 'tenant'
         returning id, name, subject_kind, subject, period, amount, hard, alert_at, set_by, created_at",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some(gone) = gone else {
        return Ok(false);
    };
    record(tx, Act::new(Event::BudgetDeleted, id).removed(told(&gone))).await?;
    Ok(true)
}

/// The operator's budgets of a tenant, but its spend limit and alerts, newest first.
///
/// # Errors
/// When the database is away.
pub async fn list_of_operator(tx: &mut OperatorTx, tenant_id: TenantId) -> Result<Vec<Budget>> {
    Ok(sqlx::query_as(
        "select id, name, subject_kind, subject, period, amount, hard, alert_at, set_by, created_at
         from budgets where tenant_id = $1 and set_by = 'operator' and purpose is null
         order by created_at desc, id desc",
    )
    .bind(tenant_id)
    .fetch_all(&mut **tx)
    .await?)
}

/// Replaces the operator's budgets of a tenant, but its spend limit and alerts. What was set.
///
/// # Errors
/// [`Error::Invalid`] with the field and what is wrong with it.
pub async fn set_by_operator(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    budgets: &[NewBudget],
) -> Result<Vec<Budget>> {
    let before: Vec<Budget> = sqlx::query_as(
        "delete from budgets where tenant_id = $1 and set_by = 'operator' and purpose is null
         returning id, name, subject_kind, subject, period, amount, hard, alert_at, set_by, created_at",
    )
    .bind(tenant_id)
    .fetch_all(&mut **tx)
    .await?;
    let mut set = Vec::with_capacity(budgets.len());
    for new in budgets {
        check(new)?;
        let budget = sqlx::query_as(
            "insert into budgets (tenant_id, id, name, subject_kind, subject, period, amount, hard, alert_at, set_by)
             values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'operator')
             returning id, name, subject_kind, subject, period, amount, hard, alert_at, set_by, created_at",
        )
        .bind(tenant_id)
        .bind(BudgetId::generate())
        .bind(&new.name)
        .bind(new.subject_kind)
        .bind(&new.subject)
        .bind(new.period)
        .bind(new.amount)
        .bind(new.hard)
        .bind(&new.alert_at)
        .fetch_one(&mut **tx)
        .await?;
        set.push(budget);
    }
    let all = |budgets: &[Budget]| json!({"budgets": budgets.iter().map(told).collect::<Vec<_>>()});
    let act = Act::new(Event::BudgetUpdated, tenant_id).changed(all(&before), all(&set));
    record_by_operator(tx, tenant_id, act).await?;
    Ok(set)
}

/// What was spent of a budget in a period.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct BudgetPeriod {
    /// The key's uuid, the model or the end user; empty for the tenant.
    pub subject: String,
    /// When the period began.
    pub starts_at: DateTime<Utc>,
    /// By the ledger.
    pub spent: Money,
}

/// What was spent of a budget, latest period and dearest subject first; at most `most`.
///
/// # Errors
/// When the database is away.
pub async fn periods(tx: &mut TenantTx, id: BudgetId, most: i64) -> Result<Vec<BudgetPeriod>> {
    Ok(sqlx::query_as(
        "select subject, starts_at, spent from budget_periods where budget_id = $1
         order by starts_at desc, spent desc, subject limit $2",
    )
    .bind(id)
    .bind(most)
    .fetch_all(&mut **tx)
    .await?)
}

/// Marks an alert as told. What is told, unless it was told before.
///
/// # Errors
/// When the database is away.
pub async fn take_alert(tx: &mut TenantTx, alert_id: Uuid) -> Result<Option<serde_json::Value>> {
    let alert: Option<(BudgetId, String, DateTime<Utc>, i32, Money)> = sqlx::query_as(
        "update budget_alerts set told_at = now() where id = $1 and told_at is null
         returning budget_id, subject, starts_at, percent, spent",
    )
    .bind(alert_id)
    .fetch_optional(&mut **tx)
    .await?;
    let Some((budget_id, subject, starts_at, percent, spent)) = alert else {
        return Ok(None);
    };
    let budget = find(tx, budget_id).await?;
    Ok(Some(json!({
        "budget_id": budget_id,
        "name": budget.as_ref().map(|budget| budget.name.as_str()),
        "subject": subject,
        "period_started_at": starts_at.timestamp(),
        "percent": percent,
        "spent_usd": spent.to_string(),
        "amount_usd": budget.map(|budget| budget.amount.to_string()),
    })))
}

/// The hard budgets of a tenant, for admission.
pub(crate) async fn load(db: &Db, tenant_id: TenantId) -> Result<Vec<Budget>> {
    let mut tx = db.begin_tenant(tenant_id).await?;
    let mut budgets = list(&mut tx).await?;
    tx.commit().await?;
    budgets.retain(|budget| budget.hard);
    Ok(budgets)
}

/// One period of one budget, for one subject.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub(super) struct Place {
    pub(super) tenant_id: TenantId,
    pub(super) budget_id: BudgetId,
    pub(super) subject: String,
    pub(super) starts_at: DateTime<Utc>,
}

/// Sets more of a budget apart: at least `need` if so much is free, else nothing. What was added.
pub(super) async fn set_apart(
    db: &Db,
    place: &Place,
    server_id: Uuid,
    amount: Money,
    need: Money,
    servers: i64,
) -> Result<Money> {
    let mut tx = db.begin_tenant_in_passing(place.tenant_id).await?;
    sqlx::query(
        "insert into budget_periods (budget_id, subject, starts_at) select id, $2, $3 from budgets where id = $1
         on conflict do nothing",
    )
    .bind(place.budget_id)
    .bind(&place.subject)
    .bind(place.starts_at)
    .execute(&mut *tx)
    .await?;
    // Whoever spends or sets apart of this budget has this row first.
    let spent: Option<Money> = sqlx::query_scalar(
        "select spent from budget_periods where budget_id = $1 and subject = $2 and starts_at = $3 for update",
    )
    .bind(place.budget_id)
    .bind(&place.subject)
    .bind(place.starts_at)
    .fetch_optional(&mut *tx)
    .await?;
    let Some(spent) = spent else {
        // The budget was removed this moment: there is nothing to keep to.
        tx.commit().await?;
        return Ok(Money::MAX);
    };
    let apart: i64 = sqlx::query_scalar(
        "select coalesce(sum(amount), 0)::bigint from budget_slices
         where budget_id = $1 and subject = $2 and starts_at = $3 and expires_at > clock_timestamp()",
    )
    .bind(place.budget_id)
    .bind(&place.subject)
    .bind(place.starts_at)
    .fetch_one(&mut *tx)
    .await?;
    let free = amount.less(spent + Money::from_nanos(apart));
    if need > free {
        tx.commit().await?;
        return Ok(Money::ZERO);
    }
    let share = Money::from_nanos(free.nanos() / (4 * servers));
    let added = share.max(need);
    sqlx::query(
        "insert into budget_slices as s (budget_id, subject, starts_at, server_id, amount, expires_at)
         values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))
         on conflict (tenant_id, budget_id, subject, starts_at, server_id)
           do update set amount = s.amount + excluded.amount, expires_at = excluded.expires_at",
    )
    .bind(place.budget_id)
    .bind(&place.subject)
    .bind(place.starts_at)
    .bind(server_id)
    .bind(added)
    .bind(EXPIRY_SECONDS)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(added)
}

/// Gives back what nobody reserved.
pub(super) async fn give_back(db: &Db, place: &Place, server_id: Uuid, unused: Money) -> Result<()> {
    let mut tx = db.begin_tenant_in_passing(place.tenant_id).await?;
    sqlx::query(
        "update budget_slices set amount = greatest(0, amount - $5)
         where budget_id = $1 and subject = $2 and starts_at = $3 and server_id = $4",
    )
    .bind(place.budget_id)
    .bind(&place.subject)
    .bind(place.starts_at)
    .bind(server_id)
    .bind(unused)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
