//! Which limits apply: the plan's, and what differs from it.

use std::collections::{BTreeSet, HashMap};

use serde_json::{Value, json};

use crate::audit::{Act, Event, record_by_operator};
use crate::{Db, Error, OperatorTx, Result, TenantId};

/// Limits on one subject. `None`: not limited.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Hash, sqlx::FromRow)]
pub struct Limit {
    /// Calls in a minute.
    pub requests_per_minute: Option<i64>,
    /// Tokens read and written in a minute.
    pub tokens_per_minute: Option<i64>,
    /// Calls at once.
    pub concurrency: Option<i64>,
}

impl Limit {
    /// Of each of both what is less.
    pub fn tightest(self, other: Self) -> Self {
        let less = |one: Option<i64>, other: Option<i64>| one.into_iter().chain(other).min();
        Self {
            requests_per_minute: less(self.requests_per_minute, other.requests_per_minute),
            tokens_per_minute: less(self.tokens_per_minute, other.tokens_per_minute),
            concurrency: less(self.concurrency, other.concurrency),
        }
    }

    /// This, and what it leaves open from `other`.
    fn or(self, other: Self) -> Self {
        Self {
            requests_per_minute: self.requests_per_minute.or(other.requests_per_minute),
            tokens_per_minute: self.tokens_per_minute.or(other.tokens_per_minute),
            concurrency: self.concurrency.or(other.concurrency),
        }
    }
}

/// What a limit can be on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum SubjectKind {
    /// All calls of the tenant.
    Tenant,
    /// All calls with one key.
    Key,
    /// All calls of one model.
    Model,
}

impl SubjectKind {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
            Self::Model => "model",
        }
    }
}

/// A limit of one tenant that differs from its plan.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct TenantLimit {
    /// What it is on.
    pub subject_kind: SubjectKind,
    /// A key's uuid or a model; empty: the tenant, or each key or model by itself.
    pub subject: String,
    /// The limits; `None`: as in the plan.
    #[sqlx(flatten)]
    pub limit: Limit,
}

type Rules = HashMap<(SubjectKind, String), Limit>;

/// The limits of one tenant, put together.
#[derive(Debug, Default)]
pub(crate) struct Policy {
    own: Rules,
    plan: Rules,
    /// What the tenant itself has limited its keys to.
    keys: Rules,
}

impl Policy {
    fn of(rows: Vec<Rule>) -> Self {
        let mut policy = Self::default();
        for rule in rows {
            let rules = match rule.word {
                Word::Own => &mut policy.own,
                Word::Plan => &mut policy.plan,
                Word::Key => &mut policy.keys,
            };
            rules.insert((rule.subject_kind, rule.subject), rule.limit);
        }
        policy
    }

    /// The limits on a subject: the tenant's own for this very one, the tenant's own for all of the kind, the plan's for
    /// this very one, the plan's for all of the kind; each where the one before says nothing. A limit that the tenant gave
    /// one of its keys holds besides: the tightest counts.
    pub(crate) fn limit(&self, kind: SubjectKind, name: &str) -> Limit {
        let find =
            |rules: &Rules, name: &str| rules.get(&(kind, name.to_owned())).copied().unwrap_or_default();
        [&self.own, &self.plan]
            .into_iter()
            .fold(Limit::default(), |limit, rules| {
                let for_all = if name.is_empty() {
                    Limit::default()
                } else {
                    find(rules, "")
                };
                limit.or(find(rules, name)).or(for_all)
            })
            .tightest(find(&self.keys, name))
    }

    /// Whether nothing is limited.
    pub(crate) fn is_empty(&self) -> bool {
        self.own.is_empty() && self.plan.is_empty() && self.keys.is_empty()
    }
}

/// Whose word a limit is.
#[derive(Clone, Copy, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
enum Word {
    /// The operator's, of this tenant.
    Own,
    /// The operator's, of the tenant's plan.
    Plan,
    /// The tenant's, of one of its keys.
    Key,
}

#[derive(sqlx::FromRow)]
struct Rule {
    word: Word,
    subject_kind: SubjectKind,
    subject: String,
    #[sqlx(flatten)]
    limit: Limit,
}

/// Reads the limits of a tenant.
pub(crate) async fn load(db: &Db, tenant_id: TenantId) -> Result<Policy> {
    let mut tx = db.begin_tenant(tenant_id).await?;
    let rows: Vec<Rule> = sqlx::query_as(
        "select 'own' as word, subject_kind, subject, requests_per_minute, tokens_per_minute, concurrency from tenant_limits
         union all
         select 'plan', l.subject_kind, l.subject, l.requests_per_minute, l.tokens_per_minute, l.concurrency
         from tenant_plans t join plan_limits l on l.plan = t.plan
         union all
         select 'key', 'key', id::text, requests_per_minute, tokens_per_minute, concurrency from api_keys
         where revoked_at is null and coalesce(requests_per_minute, tokens_per_minute, concurrency) is not null",
    )
    .fetch_all(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(Policy::of(rows))
}

/// The limits on calls of each of these models by a tenant, and of every model that it has a limit of its own on; by name.
///
/// # Errors
/// When the database is away.
pub async fn model_limits(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    models: impl IntoIterator<Item = String>,
) -> Result<Vec<(String, Limit)>> {
    let rows: Vec<Rule> = sqlx::query_as(
        "select 'own' as word, subject_kind, subject, requests_per_minute, tokens_per_minute, concurrency from tenant_limits
         where tenant_id = $1 and subject_kind = 'model'
         union all
         select 'plan', l.subject_kind, l.subject, l.requests_per_minute, l.tokens_per_minute, l.concurrency
         from tenant_plans t join plan_limits l on l.plan = t.plan where t.tenant_id = $1 and l.subject_kind = 'model'",
    )
    .bind(tenant_id)
    .fetch_all(&mut **tx)
    .await?;
    let named = rows
        .iter()
        .map(|rule| rule.subject.clone())
        .filter(|model| !model.is_empty());
    let models: BTreeSet<String> = models.into_iter().chain(named).collect();
    let policy = Policy::of(rows);
    let limit = |model: String| {
        let limit = policy.limit(SubjectKind::Model, &model);
        (model, limit)
    };
    Ok(models.into_iter().map(limit).collect())
}

/// What differs from its plan for a tenant.
///
/// # Errors
/// When the database is away.
pub async fn limits_of(tx: &mut OperatorTx, tenant_id: TenantId) -> Result<Vec<TenantLimit>> {
    Ok(sqlx::query_as(
        "select subject_kind, subject, requests_per_minute, tokens_per_minute, concurrency from tenant_limits
         where tenant_id = $1 order by subject_kind, subject",
    )
    .bind(tenant_id)
    .fetch_all(&mut **tx)
    .await?)
}

/// Replaces what differs from its plan for a tenant. Servers follow within a second.
///
/// # Errors
/// [`Error::Invalid`] for a subject that comes twice, a name that is too long or a limit below zero.
pub async fn set_limits(tx: &mut OperatorTx, tenant_id: TenantId, limits: &[TenantLimit]) -> Result<()> {
    let before = limits_of(tx, tenant_id).await?;
    sqlx::query("delete from tenant_limits where tenant_id = $1")
        .bind(tenant_id)
        .execute(&mut **tx)
        .await?;
    for TenantLimit {
        subject_kind,
        subject,
        limit,
    } in limits
    {
        check(subject, limit)?;
        let done = sqlx::query(
            "insert into tenant_limits
               (tenant_id, subject_kind, subject, requests_per_minute, tokens_per_minute, concurrency)
             values ($1, $2, $3, $4, $5, $6) on conflict do nothing",
        )
        .bind(tenant_id)
        .bind(subject_kind)
        .bind(subject)
        .bind(limit.requests_per_minute)
        .bind(limit.tokens_per_minute)
        .bind(limit.concurrency)
        .execute(&mut **tx)
        .await?;
        if done.rows_affected() == 0 {
            return Err(Error::Invalid(format!(
                "the {} '{subject}' has two limits",
                subject_kind.as_str()
            )));
        }
    }
    let act = Act::new(Event::RateLimitUpdated, tenant_id).changed(told(&before), told(limits));
    record_by_operator(tx, tenant_id, act).await
}

/// Replaces what differs from its plan on one subject of a tenant. Servers follow within a second.
///
/// # Errors
/// As for [`set_limits`].
pub async fn set_limit(tx: &mut OperatorTx, tenant_id: TenantId, new: &TenantLimit) -> Result<()> {
    let before = limits_of(tx, tenant_id).await?;
    let mut limits: Vec<TenantLimit> = before
        .into_iter()
        .filter(|limit| (limit.subject_kind, &limit.subject) != (new.subject_kind, &new.subject))
        .collect();
    limits.push(new.clone());
    set_limits(tx, tenant_id, &limits).await
}

/// Limits as the audit log tells them.
fn told(limits: &[TenantLimit]) -> Value {
    let limit = |limit: &TenantLimit| {
        json!({
            "subject_kind": limit.subject_kind.as_str(),
            "subject": limit.subject,
            "requests_per_minute": limit.limit.requests_per_minute,
            "tokens_per_minute": limit.limit.tokens_per_minute,
            "concurrency": limit.limit.concurrency,
        })
    };
    json!({"limits": limits.iter().map(limit).collect::<Vec<_>>()})
}

/// Whether a limit can be stored.
pub(super) fn check(subject: &str, limit: &Limit) -> Result<()> {
    let numbers = [
        limit.requests_per_minute,
        limit.tokens_per_minute,
        limit.concurrency,
    ];
    if numbers.into_iter().flatten().any(|number| number < 0) {
        return Err(Error::Invalid("a limit cannot be below 0".into()));
    }
    if subject.chars().count() > 256 {
        return Err(Error::Invalid("a name has at most 256 characters".into()));
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn requests(limit: i64) -> Limit {
        Limit {
            requests_per_minute: Some(limit),
            ..Limit::default()
        }
    }

    #[test]
    fn the_nearest_word_holds() {
        let mut policy = Policy::default();
        assert!(policy.is_empty());
        policy
            .plan
            .insert((SubjectKind::Model, String::new()), requests(10));
        policy
            .plan
            .insert((SubjectKind::Model, "gpt".into()), requests(20));
        let of = |policy: &Policy, name| policy.limit(SubjectKind::Model, name).requests_per_minute;
        assert_eq!((of(&policy, "gpt"), of(&policy, "other")), (Some(20), Some(10)));
        policy
            .own
            .insert((SubjectKind::Model, String::new()), requests(30));
        assert_eq!((of(&policy, "gpt"), of(&policy, "other")), (Some(30), Some(30)));
        let tokens = Limit {
            tokens_per_minute: Some(5),
            ..Limit::default()
        };
        policy.own.insert((SubjectKind::Model, "gpt".into()), tokens);
        assert_eq!(
            of(&policy, "gpt"),
            Some(30),
            "what is left open comes from further away"
        );
        assert_eq!(policy.limit(SubjectKind::Tenant, ""), Limit::default());
    }

    #[test]
    fn what_a_tenant_limits_a_key_to_is_never_wider_than_what_the_operator_does() {
        let mut policy = Policy::default();
        policy
            .plan
            .insert((SubjectKind::Key, String::new()), requests(10));
        for (name, limit) in [("tight", 3), ("wide", 30)] {
            policy
                .keys
                .insert((SubjectKind::Key, name.into()), requests(limit));
        }
        let of = |name| policy.limit(SubjectKind::Key, name).requests_per_minute;
        assert_eq!(
            (of("tight"), of("wide"), of("other")),
            (Some(3), Some(10), Some(10))
        );
    }
}
