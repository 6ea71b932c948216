//! Budgets: amounts of money that may be spent in a period, by the tenant, a key, a model or an end user.
//!
//! A hard budget is reserved before a call and settled after it. Servers set amounts of a budget apart in Postgres and
//! reserve from those: what is spent and what is set apart never exceed the budget together, so calls at once cannot
//! overspend, and a call far from the limit asks nobody. What was spent is added up by the transaction that records the
//! events. A soft budget only tells.

mod purse;
mod store;

use chrono::{DateTime, Datelike, NaiveDate, Utc};

use crate::{BudgetId, Money};

pub(crate) use purse::{Draw, Purse};
pub(crate) use store::load;
pub use store::{
    BudgetPeriod, create, delete, find, list, list_of_operator, periods, set_by_operator, take_alert, update,
};

/// What a budget is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum BudgetSubject {
    /// All that the tenant spends.
    Tenant,
    /// What is spent with a key.
    Key,
    /// What is spent on a model.
    Model,
    /// What is spent for an end user.
    EndUser,
}

impl BudgetSubject {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Tenant => "tenant",
            Self::Key => "key",
            Self::Model => "model",
            Self::EndUser => "end_user",
        }
    }
}

/// How often a budget begins anew, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum Period {
    /// At midnight.
    Day,
    /// On the first of the month.
    Month,
    /// Never.
    Total,
}

impl Period {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Day => "day",
            Self::Month => "month",
            Self::Total => "total",
        }
    }

    /// When the period that `at` lies in began.
    pub fn start(self, at: DateTime<Utc>) -> DateTime<Utc> {
        let midnight = |date: NaiveDate| date.and_time(chrono::NaiveTime::MIN).and_utc();
        match self {
            Self::Day => midnight(at.date_naive()),
            Self::Month => midnight(at.date_naive().with_day(1).unwrap_or_default()),
            Self::Total => DateTime::UNIX_EPOCH,
        }
    }
}

/// Whose a budget is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum SetBy {
    /// The tenant's own, to be changed by it.
    Tenant,
    /// The operator's; the tenant can see it.
    Operator,
}

/// An amount that may be spent in a period.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Budget {
    /// Its id.
    pub id: BudgetId,
    /// A name for people.
    pub name: String,
    /// What it is on.
    pub subject_kind: BudgetSubject,
    /// The key's uuid, the model or the end user; `None`: each one by itself.
    pub subject: Option<String>,
    /// How often it begins anew.
    pub period: Period,
    /// What may be spent in a period.
    pub amount: Money,
    /// Whether calls are refused when it is used up.
    pub hard: bool,
    /// Percentages of the amount at which the tenant is told.
    pub alert_at: Vec<i32>,
    /// Whose it is.
    pub set_by: SetBy,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// What a budget is to be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewBudget {
    /// A name for people, at most 256 characters.
    pub name: String,
    /// What it is on.
    pub subject_kind: BudgetSubject,
    /// The key's uuid, the model or the end user; `None`: each one by itself.
    pub subject: Option<String>,
    /// How often it begins anew.
    pub period: Period,
    /// What may be spent in a period.
    pub amount: Money,
    /// Whether calls are refused when it is used up.
    pub hard: bool,
    /// Percentages of the amount at which the tenant is told, at most ten.
    pub alert_at: Vec<i32>,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn periods_begin_in_utc() {
        let at: DateTime<Utc> = "2026-11-21T23:59:59.9Z".parse().unwrap();
        let start = |period: Period| period.start(at).to_rfc3339();
        assert_eq!(start(Period::Day), "2026-11-21T00:00:00+00:00");
        assert_eq!(start(Period::Month), "2026-11-01T00:00:00+00:00");
        assert_eq!(start(Period::Total), "1970-01-01T00:00:00+00:00");
    }
}
