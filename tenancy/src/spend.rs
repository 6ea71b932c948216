//! Spend limits and alerts of a tenant, as the operator sets them by OpenAI's words: monthly budgets, hard and soft.

use serde_json::{Value, json};

use crate::audit::{Act, Event, record_by_operator};
use crate::{BudgetId, Error, Money, OperatorTx, Result, SpendAlertId, TenantId};

/// Most alerts of a tenant: each is looked at for every call.
const MOST: i64 = 50;

/// The most that a tenant may spend in a month.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct SpendLimit {
    /// How much.
    pub amount: Money,
    /// Of that, spent this month.
    pub spent: Money,
}

impl SpendLimit {
    /// Whether calls are refused for it right now.
    pub fn is_reached(&self) -> bool {
        self.spent >= self.amount
    }
}

/// An amount of a month at which somebody is told.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SpendAlert {
    /// Its id.
    pub id: SpendAlertId,
    /// How much.
    pub amount: Money,
    /// Who is to be told, as a client said it.
    pub notification: Value,
    /// When it was made.
    pub created_at: chrono::DateTime<chrono::Utc>,
}

/// The spend limit of a tenant.
///
/// # Errors
/// When the database is away.
pub async fn limit(tx: &mut OperatorTx, tenant_id: TenantId) -> Result<Option<SpendLimit>> {
    Ok(sqlx::query_as(
        "select b.amount, coalesce(p.spent, 0) as spent from budgets b
         left join budget_periods p on p.tenant_id = b.tenant_id and p.budget_id = b.id and p.subject = ''
           and p.starts_at = date_trunc('month', now(), 'UTC')
         where b.tenant_id = $1 and b.purpose = 'spend_limit'",
    )
    .bind(tenant_id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Sets the spend limit of a tenant, or changes it. What was spent this month before counts. Servers follow within a second.
///
/// # Errors
/// When the database is away.
pub async fn set_limit(tx: &mut OperatorTx, tenant_id: TenantId, amount: Money) -> Result<()> {
    let before = limit(tx, tenant_id).await?;
    if before.is_some() {
        sqlx::query("update budgets set amount = $2 where tenant_id = $1 and purpose = 'spend_limit'")
            .bind(tenant_id)
            .bind(amount)
            .execute(&mut **tx)
            .await?;
    } else {
        let id = BudgetId::generate();
        sqlx::query(
            "insert into budgets (tenant_id, id, name, subject_kind, period, amount, hard, set_by, purpose)
             values ($1, $2, 'spend limit', 'tenant', 'month', $3, true, 'operator', 'spend_limit')",
        )
        .bind(tenant_id)
        .bind(id)
        .bind(amount)
        .execute(&mut **tx)
        .await?;
        begin(tx, tenant_id, id).await?;
    }
    let told = |amount: Money| json!({"spend_limit_usd": amount.to_string()});
    let before = before.map_or(Value::Null, |before| told(before.amount));
    let act = Act::new(Event::BudgetUpdated, tenant_id).changed(before, told(amount));
    record_by_operator(tx, tenant_id, act).await
}

/// Begins a budget's month with what the tenant has spent in it already.
async fn begin(tx: &mut OperatorTx, tenant_id: TenantId, id: BudgetId) -> Result<()> {
    sqlx::query(
        "insert into budget_periods (tenant_id, budget_id, subject, starts_at, spent)
         select $1, $2, '', date_trunc('month', now(), 'UTC'), coalesce(sum(cost), 0)::bigint from usage_hours
         where tenant_id = $1 and hour >= date_trunc('month', now(), 'UTC')",
    )
    .bind(tenant_id)
    .bind(id)
    .execute(&mut **tx)
    .await?;
    Ok(())
}

/// Takes the spend limit of a tenant away. `false`: there is none.
///
/// # Errors
/// When the database is away.
pub async fn unset_limit(tx: &mut OperatorTx, tenant_id: TenantId) -> Result<bool> {
    let Some(before) = limit(tx, tenant_id).await? else {
        return Ok(false);
    };
    sqlx::query("delete from budgets where tenant_id = $1 and purpose = 'spend_limit'")
        .bind(tenant_id)
        .execute(&mut **tx)
        .await?;
    let before = json!({"spend_limit_usd": before.amount.to_string()});
    let act = Act::new(Event::BudgetDeleted, tenant_id).removed(before);
    record_by_operator(tx, tenant_id, act).await?;
    Ok(true)
}

/// An alert of a tenant.
///
/// # Errors
/// When the database is away.
pub async fn find_alert(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    id: SpendAlertId,
) -> Result<Option<SpendAlert>> {
    Ok(sqlx::query_as(
        "select id, amount, notification, created_at from budgets
         where tenant_id = $1 and id = $2 and purpose = 'spend_alert'",
    )
    .bind(tenant_id)
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Makes an alert. What was spent this month before counts; it tells the tenant's webhooks (`budget.alert`), and `notification`
/// is kept for whoever reads it.
///
/// # Errors
/// [`Error::Invalid`] for more than fifty.
pub async fn create_alert(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    amount: Money,
    notification: &Value,
) -> Result<SpendAlert> {
    let made: Option<SpendAlert> = sqlx::query_as(
        "insert into budgets
           (tenant_id, id, name, subject_kind, period, amount, hard, alert_at, set_by, purpose, notification)
         select $1, $2, 'spend alert', 'tenant', 'month', $3, false, '{100}', 'operator', 'spend_alert', $4
         where (select count(*) from budgets where tenant_id = $1 and purpose = 'spend_alert') < $5
         returning id, amount, notification, created_at",
    )
    .bind(tenant_id)
    .bind(SpendAlertId::generate())
    .bind(amount)
    .bind(notification)
    .bind(MOST)
    .fetch_optional(&mut **tx)
    .await?;
    let made = made.ok_or_else(|| Error::Invalid(format!("a tenant has at most {MOST} alerts")))?;
    begin(tx, tenant_id, made.id.uuid().into()).await?;
    let act = Act::new(Event::BudgetCreated, made.id).data(told(&made));
    record_by_operator(tx, tenant_id, act).await?;
    Ok(made)
}

/// Changes an alert. `None`: there is none.
///
/// # Errors
/// When the database is away.
pub async fn update_alert(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    id: SpendAlertId,
    amount: Money,
    notification: &Value,
) -> Result<Option<SpendAlert>> {
    let Some(before) = find_alert(tx, tenant_id, id).await? else {
        return Ok(None);
    };
    let changed: SpendAlert = sqlx::query_as(
        "update budgets set amount = $3, notification = $4 where tenant_id = $1 and id = $2
         returning id, amount, notification, created_at",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(amount)
    .bind(notification)
    .fetch_one(&mut **tx)
    .await?;
    let act = Act::new(Event::BudgetUpdated, id).changed(told(&before), told(&changed));
    record_by_operator(tx, tenant_id, act).await?;
    Ok(Some(changed))
}

/// Removes an alert. `false`: there is none.
///
/// # Errors
/// When the database is away.
pub async fn delete_alert(tx: &mut OperatorTx, tenant_id: TenantId, id: SpendAlertId) -> Result<bool> {
    let Some(before) = find_alert(tx, tenant_id, id).await? else {
        return Ok(false);
    };
    sqlx::query("delete from budgets where tenant_id = $1 and id = $2")
        .bind(tenant_id)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    let act = Act::new(Event::BudgetDeleted, id).removed(told(&before));
    record_by_operator(tx, tenant_id, act).await?;
    Ok(true)
}

fn told(alert: &SpendAlert) -> Value {
    json!({"spend_alert_usd": alert.amount.to_string(), "notification": alert.notification})
}
