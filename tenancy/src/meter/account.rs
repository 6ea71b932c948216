//! Which limits and budgets a call falls under.

use std::sync::Arc;
use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::sync::Cache;
use uuid::Uuid;

use super::Standings;
use crate::budget::{self, Budget, BudgetSubject, Purse};
use crate::limit::{self, Metric, Permits, Policy, Subject, Window};
use crate::{BudgetId, Db, Error, Result, TenantId};

/// How long a tenant's limits and budgets may be served from memory.
const CACHE_FOR: Duration = Duration::from_secs(1);
/// Counters that nobody has used for so long are forgotten. Longer than a window, and than what a server holds lasts.
const FORGET_AFTER: Duration = Duration::from_secs(300);
const MOST_ACCOUNTS: u64 = 100_000;
const MOST_COUNTERS: u64 = 1_000_000;

/// What one tenant is held to.
struct Terms {
    policy: Policy,
    budgets: Vec<Budget>,
}

/// What the calls of one key to one model are held to.
pub(super) struct Account {
    tenant_id: TenantId,
    key_id: Option<Uuid>,
    model: String,
    pub(super) windows: Vec<Arc<Window>>,
    pub(super) permits: Vec<Arc<Permits>>,
    terms: Arc<Terms>,
}

impl Account {
    pub(super) fn has_budgets(&self) -> bool {
        !self.terms.budgets.is_empty()
    }

    /// The limits that are nearest.
    pub(super) fn standings(&self) -> Standings {
        let nearest = |metric| {
            self.windows
                .iter()
                .filter(|window| window.metric() == metric)
                .map(|window| window.standing())
                .min_by_key(|standing| standing.remaining)
        };
        Standings {
            requests: nearest(Metric::Requests),
            tokens: nearest(Metric::Tokens),
        }
    }
}

type AccountKey = (TenantId, Option<Uuid>, String);
type PurseKey = (TenantId, BudgetId, String);

/// All accounts in use, and the counters behind them.
pub(super) struct Accounts {
    db: Db,
    terms: moka::future::Cache<TenantId, Arc<Terms>>,
    accounts: Cache<AccountKey, Arc<Account>>,
    pub(super) windows: Cache<(Subject, Metric), Arc<Window>>,
    pub(super) permits: Cache<Subject, Arc<Permits>>,
    pub(super) purses: Cache<PurseKey, Arc<Purse>>,
}

impl Accounts {
    pub(super) fn new(db: Db) -> Self {
        fn counters<K, V>() -> Cache<K, V>
        where
            K: std::hash::Hash + Eq + Send + Sync + 'static,
            V: Clone + Send + Sync + 'static,
        {
            Cache::builder()
                .max_capacity(MOST_COUNTERS)
                .time_to_idle(FORGET_AFTER)
                .build()
        }
        Self {
            db,
            terms: moka::future::Cache::builder()
                .max_capacity(MOST_ACCOUNTS)
                .time_to_live(CACHE_FOR)
                .build(),
            accounts: Cache::builder()
                .max_capacity(MOST_ACCOUNTS)
                .time_to_live(CACHE_FOR)
                .build(),
            windows: counters(),
            permits: counters(),
            purses: counters(),
        }
    }

    /// The account of a call.
    pub(super) async fn get(
        &self,
        tenant_id: TenantId,
        key_id: Option<Uuid>,
        model: &str,
    ) -> Result<Arc<Account>> {
        let key = (tenant_id, key_id, model.to_owned());
        if let Some(account) = self.accounts.get(&key) {
            return Ok(account);
        }
        let terms = self
            .terms
            .try_get_with(tenant_id, self.load(tenant_id))
            .await
            .map_err(|error: Arc<Error>| Error::Unavailable(format!("limits cannot be read: {error}")))?;
        let account = Arc::new(self.open(tenant_id, key_id, model, terms));
        self.accounts.insert(key, Arc::clone(&account));
        Ok(account)
    }

    async fn load(&self, tenant_id: TenantId) -> Result<Arc<Terms>> {
        let policy = limit::load(&self.db, tenant_id).await?;
        let budgets = budget::load(&self.db, tenant_id).await?;
        Ok(Arc::new(Terms { policy, budgets }))
    }

    fn open(&self, tenant_id: TenantId, key_id: Option<Uuid>, model: &str, terms: Arc<Terms>) -> Account {
        let mut account = Account {
            tenant_id,
            key_id,
            model: model.to_owned(),
            windows: Vec::new(),
            permits: Vec::new(),
            terms: Arc::clone(&terms),
        };
        if terms.policy.is_empty() {
            return account;
        }
        let key = key_id.map(|key| Subject::key(tenant_id, key));
        // The narrowest first: a key that is at its limit takes nothing from the tenant's.
        for subject in key
            .into_iter()
            .chain([Subject::model(tenant_id, model), Subject::tenant(tenant_id)])
        {
            let limit = terms.policy.limit(subject.kind, &subject.name);
            if let Some(most) = limit.concurrency {
                let permits = self
                    .permits
                    .get_with(subject.clone(), || Arc::new(Permits::new(subject.clone(), most)));
                permits.set_limit(most);
                account.permits.push(permits);
            }
            for (metric, most) in [
                (Metric::Requests, limit.requests_per_minute),
                (Metric::Tokens, limit.tokens_per_minute),
            ] {
                let Some(most) = most else { continue };
                let window = self.windows.get_with((subject.clone(), metric), || {
                    Arc::new(Window::new(subject.clone(), metric, most))
                });
                window.set_limit(most);
                account.windows.push(window);
            }
        }
        account
    }

    /// The purses that a call draws on, each with the name of its budget.
    pub(super) fn purses(
        &self,
        account: &Account,
        end_user: Option<&str>,
        now: DateTime<Utc>,
    ) -> Vec<(Arc<Purse>, String)> {
        let key = account.key_id.map(|key| key.to_string());
        let mut purses = Vec::new();
        for budget in &account.terms.budgets {
            let subject = match budget.subject_kind {
                BudgetSubject::Tenant => Some(""),
                BudgetSubject::Key => key.as_deref(),
                BudgetSubject::Model => Some(account.model.as_str()),
                BudgetSubject::EndUser => end_user,
            };
            let Some(subject) = subject else { continue };
            if budget.subject.as_deref().is_some_and(|only| only != subject) {
                continue;
            }
            purses.push((self.purse(account.tenant_id, budget, subject, now), name(budget)));
        }
        purses
    }

    fn purse(&self, tenant_id: TenantId, budget: &Budget, subject: &str, now: DateTime<Utc>) -> Arc<Purse> {
        let key = (tenant_id, budget.id, subject.to_owned());
        if let Some(purse) = self.purses.get(&key)
            && !purse.is_over(budget.period, now)
        {
            purse.set_amount(budget.amount);
            return purse;
        }
        let starts_at = budget.period.start(now);
        let fresh = || Arc::new(Purse::new(tenant_id, budget, subject.to_owned(), starts_at));
        // Calls of the period before keep its purse and settle there.
        self.purses
            .entry(key)
            .or_insert_with_if(fresh, |purse| purse.is_over(budget.period, now))
            .into_value()
    }
}

fn name(budget: &Budget) -> String {
    if !budget.name.is_empty() {
        return budget.name.clone();
    }
    let what = match budget.subject_kind {
        BudgetSubject::Tenant => "tenant",
        BudgetSubject::Key => "API key",
        BudgetSubject::Model => "model",
        BudgetSubject::EndUser => "end user",
    };
    format!("of this {what}")
}
