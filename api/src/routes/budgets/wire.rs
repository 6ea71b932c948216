//! Budgets on the wire. Money is a decimal string of dollars: a JSON number would be rounded on its way.

use insula_core::Error;
use insula_tenancy::budget::{Budget, BudgetPeriod, BudgetSubject, NewBudget, Period, SetBy};
use insula_tenancy::{KeyId, Money};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::routes::wire::seconds;

/// What a budget is on.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BudgetSubject)]
pub enum SubjectKind {
    /// All that the tenant spends.
    Tenant,
    /// What is spent with an API key.
    Key,
    /// What is spent on a model.
    Model,
    /// What is spent for an end user, as named by `user`, `safety_identifier` or a scoped token.
    EndUser,
}

/// How often a budget begins anew, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = BudgetPeriodKind)]
pub enum PeriodKind {
    /// At midnight.
    Day,
    /// On the first of the month.
    Month,
    /// Never.
    Total,
}

macro_rules! same {
    ($($wire:ident = $domain:ident { $($variant:ident),+ })+) => {$(
        impl From<$wire> for $domain {
            fn from(value: $wire) -> Self {
                match value { $($wire::$variant => Self::$variant),+ }
            }
        }

        impl From<$domain> for $wire {
            fn from(value: $domain) -> Self {
                match value { $($domain::$variant => Self::$variant),+ }
            }
        }
    )+};
}

same! {
    SubjectKind = BudgetSubject { Tenant, Key, Model, EndUser }
    PeriodKind = Period { Day, Month, Total }
}

/// A budget to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateBudgetRequest)]
pub struct CreateBudget {
    /// A name for people.
    pub name: Option<String>,
    /// What it is on.
    pub subject_kind: SubjectKind,
    /// The key's id, the model or the end user. Absent: each one by itself.
    pub subject: Option<String>,
    /// How often it begins anew.
    pub period: PeriodKind,
    /// What may be spent in a period, in US dollars.
    #[schema(example = "25.00")]
    pub amount_usd: String,
    /// Whether calls are refused when it is used up; true unless said otherwise.
    pub hard: Option<bool>,
    /// Percentages of the amount at which webhooks are told (`budget.alert`), at most ten.
    #[schema(example = json!([80, 100]))]
    pub alert_at: Option<Vec<i32>>,
}

impl CreateBudget {
    /// The budget in the domain's words.
    pub fn read(self) -> Result<NewBudget, Error> {
        let subject = match (self.subject_kind, self.subject) {
            (SubjectKind::Key, Some(key)) => {
                let key: KeyId = key
                    .parse()
                    .map_err(|_| Error::invalid("subject", "Must be the id of an API key, `key_…`."))?;
                Some(key.uuid().to_string())
            }
            (_, subject) => subject,
        };
        Ok(NewBudget {
            name: self.name.unwrap_or_default(),
            subject_kind: self.subject_kind.into(),
            subject,
            period: self.period.into(),
            amount: money(&self.amount_usd)?,
            hard: self.hard.unwrap_or(true),
            alert_at: self.alert_at.unwrap_or_default(),
        })
    }
}

/// What is to be changed of a budget; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateBudgetRequest)]
pub struct UpdateBudget {
    /// A name for people.
    pub name: Option<String>,
    /// What may be spent in a period, in US dollars.
    pub amount_usd: Option<String>,
    /// Whether calls are refused when it is used up.
    pub hard: Option<bool>,
    /// Percentages of the amount at which webhooks are told.
    pub alert_at: Option<Vec<i32>>,
}

impl UpdateBudget {
    /// The budget with the change.
    pub fn over(self, budget: Budget) -> Result<NewBudget, Error> {
        let amount = self.amount_usd.as_deref().map(money).transpose()?;
        Ok(NewBudget {
            name: self.name.unwrap_or(budget.name),
            subject_kind: budget.subject_kind,
            subject: budget.subject,
            period: budget.period,
            amount: amount.unwrap_or(budget.amount),
            hard: self.hard.unwrap_or(budget.hard),
            alert_at: self.alert_at.unwrap_or(budget.alert_at),
        })
    }
}

fn money(text: &str) -> Result<Money, Error> {
    text.parse::<Money>()
        .map_err(|error| Error::invalid("amount_usd", format!("This {error}.")))
}

/// The domain says which field is wrong as `field: what`.
pub(in crate::routes) fn invalid(error: insula_tenancy::Error) -> Error {
    match error {
        insula_tenancy::Error::Invalid(message) => match message.split_once(": ") {
            Some(("amount", what)) => Error::invalid("amount_usd", format!("This field {what}.")),
            Some((field, what)) => Error::invalid(field, format!("This field {what}.")),
            None => Error::internal(message),
        },
        other => other.into(),
    }
}

/// A budget.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Budget)]
pub struct BudgetObject {
    /// Its id, `budget_…`.
    pub id: String,
    /// `insula.budget`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// A name for people.
    pub name: String,
    /// What it is on.
    pub subject_kind: SubjectKind,
    /// The key's id, the model or the end user; null: each one by itself.
    #[schema(required)]
    pub subject: Option<String>,
    /// How often it begins anew.
    pub period: PeriodKind,
    /// What may be spent in a period, in US dollars.
    pub amount_usd: String,
    /// Whether calls are refused when it is used up.
    pub hard: bool,
    /// Percentages of the amount at which webhooks are told.
    pub alert_at: Vec<i32>,
    /// `tenant` or `operator`, who alone can change it then.
    #[schema(value_type = String)]
    pub set_by: &'static str,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// What was spent, latest period and dearest subject first.
    pub spent: Vec<SpentObject>,
}

/// What was spent of a budget in one period.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = BudgetSpent)]
pub struct SpentObject {
    /// The key's id, the model or the end user; null for the tenant.
    #[schema(required)]
    pub subject: Option<String>,
    /// Unix seconds of the period's beginning.
    pub starts_at: i64,
    /// What was spent, in US dollars.
    pub spent_usd: String,
}

impl BudgetObject {
    pub(in crate::routes) fn new(budget: Budget, periods: Vec<BudgetPeriod>) -> Self {
        let kind = budget.subject_kind;
        let subject = |subject: String| match kind {
            BudgetSubject::Key => subject
                .parse::<uuid::Uuid>()
                .map_or(subject, |key| KeyId::from(key).to_string()),
            _ => subject,
        };
        Self {
            id: budget.id.to_string(),
            object: "insula.budget",
            name: budget.name,
            subject_kind: kind.into(),
            subject: budget.subject.map(subject),
            period: budget.period.into(),
            amount_usd: budget.amount.to_string(),
            hard: budget.hard,
            alert_at: budget.alert_at,
            set_by: match budget.set_by {
                SetBy::Tenant => "tenant",
                SetBy::Operator => "operator",
            },
            created_at: seconds(budget.created_at),
            spent: periods
                .into_iter()
                .map(|period| SpentObject {
                    subject: Some(period.subject)
                        .filter(|subject| !subject.is_empty())
                        .map(subject),
                    starts_at: seconds(period.starts_at),
                    spent_usd: period.spent.to_string(),
                })
                .collect(),
        }
    }
}
