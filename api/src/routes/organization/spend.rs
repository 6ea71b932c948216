//! `/v1/organization/projects/{project_id}/spend_limit` and `…/spend_alerts`: monthly budgets of the operator's, hard and soft.

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::{project, spend_alert};
use insula_tenancy::spend::{self, SpendAlert, SpendLimit};
use insula_tenancy::{Money, SpendAlertId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::{ProjectId, about};
use crate::app::App;
use crate::http::{ApiResult, Json, ListQuery, Operator, Path, PathId, Query, validate};
use crate::routes::wire::{Deleted, List, seconds};

/// Nano-dollars of a cent.
const CENT: i64 = 10_000_000;

impl PathId for SpendAlertId {
    const WHAT: &'static str = "spend alert in this project";
}

/// The currency of an amount.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
pub enum Currency {
    /// US dollars.
    #[serde(rename = "USD")]
    Usd,
}

/// How often spending begins anew, in UTC.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Interval {
    /// On the first of the month.
    Month,
}

/// How somebody is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum ChannelKind {
    /// By mail.
    Email,
}

/// The most that a project is to spend in a month.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateProjectSpendLimitRequest)]
pub struct UpdateSpendLimit {
    /// In cents.
    #[schema(minimum = 0)]
    pub threshold_amount: i64,
    /// `USD`
    pub currency: Currency,
    /// `month`
    pub interval: Interval,
}

/// The most that a project may spend in a month: calls that could cost more are refused.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectSpendLimit)]
pub struct SpendLimitObject {
    /// `project.spend_limit`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// In cents.
    pub threshold_amount: i64,
    /// `USD`
    pub currency: Currency,
    /// `month`
    pub interval: Interval,
    /// Whether it is used up.
    pub enforcement: Enforcement,
}

/// Whether a limit is used up.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SpendLimitEnforcement)]
pub struct Enforcement {
    /// `inactive`, or `enforcing` while calls are refused for it.
    #[schema(value_type = String)]
    pub status: &'static str,
}

impl From<SpendLimit> for SpendLimitObject {
    fn from(limit: SpendLimit) -> Self {
        Self {
            object: "project.spend_limit",
            threshold_amount: limit.amount.nanos() / CENT,
            currency: Currency::Usd,
            interval: Interval::Month,
            enforcement: Enforcement {
                status: if limit.is_reached() {
                    "enforcing"
                } else {
                    "inactive"
                },
            },
        }
    }
}

/// That a project may spend any amount again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectSpendLimitDeleted)]
pub struct SpendLimitDeleted {
    /// `project.spend_limit.deleted`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Always true.
    pub deleted: bool,
}

fn money(cents: i64) -> Result<Money, Error> {
    let cents = validate::range("threshold_amount", cents, 0..=i64::MAX / CENT)?;
    Ok(Money::from_nanos(cents * CENT))
}

fn no_limit() -> Error {
    Error::NotFound {
        message: "This project has no spend limit.".into(),
        param: None,
        code: None,
    }
}

/// Tells the most that a project may spend in a month.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/spend_limit", operation_id = "get_project_spend_limit",
    tag = "organization", params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = SpendLimitObject))
)]
pub async fn get_project_spend_limit(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
) -> ApiResult<Json<SpendLimitObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, id).await?;
    let found = spend::limit(&mut tx, id).await?;
    Ok(Json(found.ok_or_else(no_limit)?.into()))
}

/// Sets the most that a project may spend in a month. What it has spent this month counts. Servers follow within a second.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/spend_limit", operation_id = "update_project_spend_limit",
    tag = "organization", params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    request_body = UpdateSpendLimit, responses((status = OK, body = SpendLimitObject))
)]
pub async fn update_project_spend_limit(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
    Json(request): Json<UpdateSpendLimit>,
) -> ApiResult<Json<SpendLimitObject>> {
    let amount = money(request.threshold_amount)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, id).await?;
    spend::set_limit(&mut tx, id, amount).await?;
    let set = spend::limit(&mut tx, id).await?.ok_or_else(no_limit)?;
    tx.commit().await?;
    Ok(Json(set.into()))
}

/// Lets a project spend any amount again; other budgets stay.
#[utoipa::path(
    delete, path = "/v1/organization/projects/{project_id}/spend_limit", operation_id = "delete_project_spend_limit",
    tag = "organization", params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = SpendLimitDeleted))
)]
pub async fn delete_project_spend_limit(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
) -> ApiResult<Json<SpendLimitDeleted>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, id).await?;
    if !spend::unset_limit(&mut tx, id).await? {
        return Err(no_limit().into());
    }
    tx.commit().await?;
    Ok(Json(SpendLimitDeleted {
        object: "project.spend_limit.deleted",
        deleted: true,
    }))
}

/// Who is to be told.
#[derive(Debug, Serialize, Deserialize, ToSchema)]
#[schema(as = SpendAlertChannel)]
pub struct Channel {
    /// `email`
    #[serde(rename = "type")]
    pub kind: ChannelKind,
    /// Addresses, 1 to 20. They are kept and not written to: this server sends no mail. The project's webhooks are told
    /// (`budget.alert`).
    pub recipients: Vec<String>,
    /// What a mail's subject would begin with.
    #[schema(required = false)]
    pub subject_prefix: Option<String>,
}

impl Channel {
    fn read(&self) -> Result<Value, Error> {
        validate::count("notification_channel.recipients", self.recipients.len(), 1..=20)?;
        for (at, recipient) in self.recipients.iter().enumerate() {
            validate::name(&format!("notification_channel.recipients[{at}]"), recipient, 320)?;
        }
        let prefix = self.subject_prefix.as_deref().unwrap_or_default();
        validate::text("notification_channel.subject_prefix", prefix, 256)?;
        Ok(json!({"recipients": self.recipients, "subject_prefix": self.subject_prefix}))
    }

    fn shown(notification: &Value) -> Self {
        let recipients = notification["recipients"].as_array().into_iter().flatten();
        let texts = recipients.filter_map(Value::as_str).map(str::to_owned);
        Self {
            kind: ChannelKind::Email,
            recipients: texts.collect(),
            subject_prefix: notification["subject_prefix"].as_str().map(str::to_owned),
        }
    }
}

/// An amount of a month at which somebody is to be told.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ProjectSpendAlertRequest)]
pub struct PutSpendAlert {
    /// In cents, at least 1.
    #[schema(minimum = 1)]
    pub threshold_amount: i64,
    /// `USD`
    pub currency: Currency,
    /// `month`
    pub interval: Interval,
    /// Who is to be told.
    pub notification_channel: Channel,
}

impl PutSpendAlert {
    fn read(&self) -> Result<(Money, Value), Error> {
        validate::range("threshold_amount", self.threshold_amount, 1..=i64::MAX / CENT)?;
        Ok((money(self.threshold_amount)?, self.notification_channel.read()?))
    }
}

/// An amount of a month at which the project's webhooks are told. It refuses nothing.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectSpendAlert)]
pub struct SpendAlertObject {
    /// Its id, `alert_…`.
    pub id: String,
    /// `project.spend_alert`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// In cents.
    pub threshold_amount: i64,
    /// `USD`
    pub currency: Currency,
    /// `month`
    pub interval: Interval,
    /// Who is to be told.
    pub notification_channel: Channel,
    /// Unix seconds of its making.
    pub created_at: i64,
}

impl From<SpendAlert> for SpendAlertObject {
    fn from(alert: SpendAlert) -> Self {
        Self {
            id: alert.id.to_string(),
            object: "project.spend_alert",
            threshold_amount: alert.amount.nanos() / CENT,
            currency: Currency::Usd,
            interval: Interval::Month,
            notification_channel: Channel::shown(&alert.notification),
            created_at: seconds(alert.created_at),
        }
    }
}

/// Lists the spend alerts of a project.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/spend_alerts", operation_id = "list_project_spend_alerts",
    tag = "organization", params(("project_id" = String, Path, description = "Its id, `proj_…`"), ListQuery),
    responses((status = OK, body = List<SpendAlertObject>))
)]
pub async fn list_project_spend_alerts(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<SpendAlertObject>>> {
    let page = query.page(SpendAlertId::uuid)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, id).await?;
    let listing = spend_alert::list(&mut tx, id, page)
        .await?
        .map(SpendAlertObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |alert| {
        alert.id.clone()
    })))
}

/// Makes a spend alert. It tells when spending goes past the amount from now on; what was spent this month counts.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/spend_alerts", operation_id = "create_project_spend_alert",
    tag = "organization", params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    request_body = PutSpendAlert, responses((status = OK, body = SpendAlertObject))
)]
pub async fn create_project_spend_alert(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
    Json(request): Json<PutSpendAlert>,
) -> ApiResult<Json<SpendAlertObject>> {
    let (amount, notification) = request.read()?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, id).await?;
    let made = spend::create_alert(&mut tx, id, amount, &notification)
        .await
        .map_err(|error| about("threshold_amount", error))?;
    tx.commit().await?;
    Ok(Json(made.into()))
}

/// Describes a spend alert.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/spend_alerts/{alert_id}",
    operation_id = "get_project_spend_alert", tag = "organization",
    params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("alert_id" = String, Path, description = "Its id, `alert_…`")),
    responses((status = OK, body = SpendAlertObject))
)]
pub async fn get_project_spend_alert(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, SpendAlertId)>,
) -> ApiResult<Json<SpendAlertObject>> {
    let ProjectId(project) = project;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, project).await?;
    let found = spend::find_alert(&mut tx, project, id).await?;
    Ok(Json(found.ok_or_else(|| spend_alert::not_found(id))?.into()))
}

/// Changes a spend alert.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/spend_alerts/{alert_id}",
    operation_id = "update_project_spend_alert", tag = "organization",
    params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("alert_id" = String, Path, description = "Its id, `alert_…`")),
    request_body = PutSpendAlert, responses((status = OK, body = SpendAlertObject))
)]
pub async fn update_project_spend_alert(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, SpendAlertId)>,
    Json(request): Json<PutSpendAlert>,
) -> ApiResult<Json<SpendAlertObject>> {
    let ProjectId(project) = project;
    let (amount, notification) = request.read()?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, project).await?;
    let changed = spend::update_alert(&mut tx, project, id, amount, &notification).await?;
    let changed = changed.ok_or_else(|| spend_alert::not_found(id))?;
    tx.commit().await?;
    Ok(Json(changed.into()))
}

/// Deletes a spend alert.
#[utoipa::path(
    delete, path = "/v1/organization/projects/{project_id}/spend_alerts/{alert_id}",
    operation_id = "delete_project_spend_alert", tag = "organization",
    params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("alert_id" = String, Path, description = "Its id, `alert_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_project_spend_alert(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, SpendAlertId)>,
) -> ApiResult<Json<Deleted>> {
    let ProjectId(project) = project;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, project).await?;
    if !spend::delete_alert(&mut tx, project, id).await? {
        return Err(spend_alert::not_found(id).into());
    }
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "project.spend_alert.deleted")))
}
