//! `/v1/organization/projects/{project_id}/service_accounts`

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::{key, project, service_account};
use insula_tenancy::key::{self as keys, NewKey};
use insula_tenancy::service_account::{self as accounts, ServiceAccount, ServiceAccountRole};
use insula_tenancy::{OperatorTx, ServiceAccountId, TenantId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ProjectId, about, lifetime, scopes};
use crate::app::App;
use crate::http::{ApiResult, Json, ListQuery, Operator, Path, Query, validate};
use crate::routes::wire::{Deleted, List, seconds};

/// What a service account is in its project. What a key may do is said by the key's scopes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ServiceAccountRole)]
pub enum Role {
    /// As most are.
    Member,
    /// Of the project.
    Owner,
}

impl From<Role> for ServiceAccountRole {
    fn from(role: Role) -> Self {
        match role {
            Role::Member => Self::Member,
            Role::Owner => Self::Owner,
        }
    }
}

/// A service account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateProjectServiceAccountRequest)]
pub struct CreateServiceAccount {
    /// A name for people, 1 to 256 characters.
    pub name: String,
    /// Whether it is made without a key; with one unless said otherwise.
    pub create_service_account_only: Option<bool>,
    /// Seconds until its key expires; absent: never.
    #[schema(minimum = 1)]
    pub expires_in_seconds: Option<u64>,
    /// What its key may do; absent or empty: everything.
    pub scopes: Option<Vec<String>>,
}

/// What is to be changed of a service account; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateProjectServiceAccountRequest)]
pub struct UpdateServiceAccount {
    /// A name for people.
    pub name: Option<String>,
    /// What it is in its project.
    pub role: Option<Role>,
}

/// A key of a service account to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateProjectServiceAccountApiKeyRequest)]
pub struct CreateServiceAccountKey {
    /// A name for people; the service account's unless said otherwise.
    pub name: Option<String>,
    /// Seconds until it expires; absent: never.
    #[schema(minimum = 1)]
    pub expires_in_seconds: Option<u64>,
    /// What it may do; absent or empty: everything.
    pub scopes: Option<Vec<String>>,
}

/// A service account of a project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectServiceAccount)]
pub struct ServiceAccountObject {
    /// Its id, `svc_acct_…`.
    pub id: String,
    /// `organization.project.service_account`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// A name for people.
    pub name: String,
    /// `member`, `owner`, or `none` for one that was made without a key.
    #[schema(value_type = String)]
    pub role: &'static str,
    /// Unix seconds of its making.
    pub created_at: i64,
}

impl From<ServiceAccount> for ServiceAccountObject {
    fn from(account: ServiceAccount) -> Self {
        Self {
            id: account.id.to_string(),
            object: "organization.project.service_account",
            name: account.name,
            role: account.role.as_str(),
            created_at: seconds(account.created_at),
        }
    }
}

/// A service account that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedProjectServiceAccount)]
pub struct CreatedServiceAccount {
    /// The service account.
    #[serde(flatten)]
    pub account: ServiceAccountObject,
    /// Its key; null: it was made without one.
    #[schema(required)]
    pub api_key: Option<ServiceAccountKeyObject>,
}

/// A key of a service account that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectServiceAccountApiKey)]
pub struct ServiceAccountKeyObject {
    /// Its id, `key_…`.
    pub id: String,
    /// `organization.project.service_account.api_key`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// A name for people.
    pub name: String,
    /// The key. It is shown this once.
    pub value: String,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds from which it is refused; null: it does not expire.
    #[schema(required)]
    pub expires_at: Option<i64>,
}

/// Whose a key is.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectApiKeyOwner)]
pub struct OwnerObject {
    /// `service_account`; absent: nobody's but the project's.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<String>)]
    pub kind: Option<&'static str>,
    /// The service account.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub service_account: Option<ServiceAccountObject>,
}

impl From<Option<ServiceAccount>> for OwnerObject {
    fn from(owner: Option<ServiceAccount>) -> Self {
        Self {
            kind: owner.is_some().then_some("service_account"),
            service_account: owner.map(Into::into),
        }
    }
}

/// Lists the service accounts of a project.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/service_accounts",
    operation_id = "list_project_service_accounts", tag = "organization",
    params(("project_id" = String, Path, description = "Its id, `proj_…`"), ListQuery),
    responses((status = OK, body = List<ServiceAccountObject>))
)]
pub async fn list_project_service_accounts(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<ServiceAccountObject>>> {
    let page = query.page(ServiceAccountId::uuid)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, id).await?;
    let listing = service_account::list(&mut tx, id, page)
        .await?
        .map(ServiceAccountObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |account| {
        account.id.clone()
    })))
}

/// Makes a service account with a key, whose value is shown this once.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/service_accounts",
    operation_id = "create_project_service_account", tag = "organization",
    params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    request_body = CreateServiceAccount, responses((status = OK, body = CreatedServiceAccount))
)]
pub async fn create_project_service_account(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(project)): Path<ProjectId>,
    Json(request): Json<CreateServiceAccount>,
) -> ApiResult<Json<CreatedServiceAccount>> {
    validate::name("name", &request.name, 256)?;
    let alone = request.create_service_account_only.unwrap_or(false);
    if alone && request.expires_in_seconds.is_some() {
        let message = "There is no key to expire with 'create_service_account_only'.";
        return Err(Error::invalid("expires_in_seconds", message).into());
    }
    let new = NewKey {
        name: request.name.clone(),
        scopes: scopes("scopes", request.scopes.as_deref())?,
        expires_in: lifetime("expires_in_seconds", request.expires_in_seconds)?,
    };
    let role = if alone {
        ServiceAccountRole::None
    } else {
        ServiceAccountRole::Member
    };
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, project).await?;
    let account = accounts::create(&mut tx, project, &request.name, role)
        .await
        .map_err(|error| about("name", error))?;
    let api_key = if alone {
        None
    } else {
        Some(create_key(&mut tx, project, account.id, new).await?)
    };
    tx.commit().await?;
    Ok(Json(CreatedServiceAccount {
        account: account.into(),
        api_key,
    }))
}

async fn create_key(
    tx: &mut OperatorTx,
    project: TenantId,
    owner: ServiceAccountId,
    new: NewKey,
) -> Result<ServiceAccountKeyObject, Error> {
    let created = keys::create_owned(tx, project, &new, Some(owner))
        .await
        .map_err(|error| about("scopes", error))?;
    let stored = key::get(tx, project, created.id).await?;
    Ok(ServiceAccountKeyObject {
        id: stored.id.to_string(),
        object: "organization.project.service_account.api_key",
        name: stored.name,
        value: created.key.expose_secret().to_owned(),
        created_at: seconds(stored.created_at),
        expires_at: stored.expires_at.map(seconds),
    })
}

/// Describes a service account.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}",
    operation_id = "get_project_service_account", tag = "organization",
    params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("service_account_id" = String, Path, description = "Its id, `svc_acct_…`")),
    responses((status = OK, body = ServiceAccountObject))
)]
pub async fn get_project_service_account(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, ServiceAccountId)>,
) -> ApiResult<Json<ServiceAccountObject>> {
    let ProjectId(project) = project;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, project).await?;
    Ok(Json(service_account::get(&mut tx, project, id).await?.into()))
}

/// Changes name and role of a service account.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}",
    operation_id = "update_project_service_account", tag = "organization",
    params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("service_account_id" = String, Path, description = "Its id, `svc_acct_…`")),
    request_body = UpdateServiceAccount, responses((status = OK, body = ServiceAccountObject))
)]
pub async fn update_project_service_account(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, ServiceAccountId)>,
    Json(request): Json<UpdateServiceAccount>,
) -> ApiResult<Json<ServiceAccountObject>> {
    let ProjectId(project) = project;
    if let Some(name) = &request.name {
        validate::name("name", name, 256)?;
    }
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, project).await?;
    let role = request.role.map(ServiceAccountRole::from);
    let changed = accounts::update(&mut tx, project, id, request.name.as_deref(), role)
        .await
        .map_err(|error| about("name", error))?;
    let changed = changed.ok_or_else(|| service_account::not_found(id))?;
    tx.commit().await?;
    Ok(Json(changed.into()))
}

/// Deletes a service account. Its keys are refused within a second.
#[utoipa::path(
    delete, path = "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}",
    operation_id = "delete_project_service_account", tag = "organization",
    params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("service_account_id" = String, Path, description = "Its id, `svc_acct_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_project_service_account(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, ServiceAccountId)>,
) -> ApiResult<Json<Deleted>> {
    let ProjectId(project) = project;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, project).await?;
    if !accounts::delete(&mut tx, project, id).await? {
        return Err(service_account::not_found(id).into());
    }
    tx.commit().await?;
    Ok(Json(Deleted::new(
        id,
        "organization.project.service_account.deleted",
    )))
}

/// Makes another key of a service account, whose value is shown this once.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/service_accounts/{service_account_id}/api_keys",
    operation_id = "create_project_service_account_api_key", tag = "organization",
    params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("service_account_id" = String, Path, description = "Its id, `svc_acct_…`")),
    request_body = CreateServiceAccountKey, responses((status = OK, body = ServiceAccountKeyObject))
)]
pub async fn create_project_service_account_api_key(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, ServiceAccountId)>,
    Json(request): Json<CreateServiceAccountKey>,
) -> ApiResult<Json<ServiceAccountKeyObject>> {
    let ProjectId(project) = project;
    if let Some(name) = &request.name {
        validate::text("name", name, 256)?;
    }
    let scopes = scopes("scopes", request.scopes.as_deref())?;
    let expires_in = lifetime("expires_in_seconds", request.expires_in_seconds)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, project).await?;
    let owner = service_account::get(&mut tx, project, id).await?;
    let new = NewKey {
        name: request.name.unwrap_or(owner.name),
        scopes,
        expires_in,
    };
    let created = create_key(&mut tx, project, id, new).await?;
    tx.commit().await?;
    Ok(Json(created))
}
