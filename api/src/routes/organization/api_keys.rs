//! `/v1/organization/projects/{project_id}/api_keys`

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::key::{self, ProjectKey};
use insula_core::organization::project;
use insula_tenancy::KeyId;
use insula_tenancy::key::{self as keys, KeyChange};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::service_accounts::OwnerObject;
use super::{ProjectId, about, lifetime, scopes};
use crate::app::App;
use crate::http::{ApiResult, FromQuery, Json, ListQuery, Operator, Path, Query, QueryParams};
use crate::routes::wire::{Deleted, List, seconds};

/// An API key of a project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectApiKey)]
pub struct ProjectApiKeyObject {
    /// Its id, `key_…`.
    pub id: String,
    /// `organization.project.api_key`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// A name for people.
    pub name: String,
    /// The key without its secret.
    pub redacted_value: String,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds of its last use, to the minute; null: never.
    #[schema(required)]
    pub last_used_at: Option<i64>,
    /// Unix seconds from which it is refused; null: it does not expire.
    #[schema(required)]
    pub expires_at: Option<i64>,
    /// Whose it is; empty for a key of the project itself.
    pub owner: OwnerObject,
    /// `active`, or `inactive` while the project's keys are refused.
    #[schema(value_type = String)]
    pub owner_project_access: &'static str,
    /// What it may do.
    pub scopes: Vec<String>,
}

impl ProjectApiKeyObject {
    fn new(key: ProjectKey, active: bool) -> Self {
        Self {
            id: key.id.to_string(),
            object: "organization.project.api_key",
            name: key.name,
            redacted_value: format!("isk_{}_********", key.public_id),
            created_at: seconds(key.created_at),
            last_used_at: key.last_used_at.map(seconds),
            expires_at: key.expires_at.map(seconds),
            owner: key.owner.into(),
            owner_project_access: if active { "active" } else { "inactive" },
            scopes: key.scopes,
        }
    }
}

/// What a list of keys is asked for.
#[derive(Debug)]
pub struct KeysQuery {
    list: ListQuery,
    /// `None`: any.
    active: Option<bool>,
}

impl FromQuery for KeysQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let access = [("active", Some(true)), ("inactive", Some(false)), ("any", None)];
        Ok(Self {
            list: ListQuery::from_query(params)?,
            active: params.choice("owner_project_access", &access)?.flatten(),
        })
    }
}

/// The part of the query that only this list has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; KeysQuery reads them")]
struct KeysFilter {
    /// Only keys whose owner has access (`active`) or has none (`inactive`); `any` unless said otherwise.
    owner_project_access: Option<String>,
}

/// What is to be changed of a key; what is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateProjectApiKeyRequest)]
pub struct UpdateProjectApiKey {
    /// What it may do; an empty list: everything.
    pub scopes: Option<Vec<String>>,
    /// Seconds from now until it expires.
    #[schema(minimum = 1)]
    pub expires_in_seconds: Option<u64>,
}

/// Lists the API keys of a project, but those that were deleted.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/api_keys", operation_id = "list_project_api_keys",
    tag = "organization", params(("project_id" = String, Path, description = "Its id, `proj_…`"), ListQuery, KeysFilter),
    responses((status = OK, body = List<ProjectApiKeyObject>))
)]
pub async fn list_project_api_keys(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
    Query(query): Query<KeysQuery>,
) -> ApiResult<Json<List<ProjectApiKeyObject>>> {
    let page = query.list.page(KeyId::uuid)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let active = project::get(&mut tx, id).await?.is_active();
    let mut listing = key::list(&mut tx, id, page)
        .await?
        .map(|key| ProjectApiKeyObject::new(key, active));
    if query.active.is_some_and(|wanted| wanted != active) {
        // All of them have the access that their project has.
        (listing.data, listing.has_more) = (Vec::new(), false);
    }
    Ok(Json(List::new(listing.data, listing.has_more, |key| {
        key.id.clone()
    })))
}

/// Describes an API key of a project.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/api_keys/{api_key_id}", operation_id = "get_project_api_key",
    tag = "organization", params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("api_key_id" = String, Path, description = "Its id, `key_…`")),
    responses((status = OK, body = ProjectApiKeyObject))
)]
pub async fn get_project_api_key(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, KeyId)>,
) -> ApiResult<Json<ProjectApiKeyObject>> {
    let ProjectId(project) = project;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let active = project::get(&mut tx, project).await?.is_active();
    let found = key::get(&mut tx, project, id).await?;
    Ok(Json(ProjectApiKeyObject::new(found, active)))
}

/// Changes what an API key may do, and for how long. In effect within a second.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/api_keys/{api_key_id}",
    operation_id = "update_project_api_key", tag = "organization",
    params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("api_key_id" = String, Path, description = "Its id, `key_…`")),
    request_body = UpdateProjectApiKey, responses((status = OK, body = ProjectApiKeyObject))
)]
pub async fn update_project_api_key(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, KeyId)>,
    Json(request): Json<UpdateProjectApiKey>,
) -> ApiResult<Json<ProjectApiKeyObject>> {
    let ProjectId(project) = project;
    let change = KeyChange {
        scopes: match &request.scopes {
            None => None,
            names => Some(scopes("scopes", names.as_deref())?),
        },
        expires_in: lifetime("expires_in_seconds", request.expires_in_seconds)?,
    };
    let mut tx = app.services.db.operator_by(&operator).await?;
    let active = project::to_change(&mut tx, project).await?.is_active();
    let changed = keys::update(&mut tx, project, id, &change)
        .await
        .map_err(|error| about("scopes", error))?;
    if !changed {
        return Err(key::not_found(id).into());
    }
    let found = key::get(&mut tx, project, id).await?;
    tx.commit().await?;
    Ok(Json(ProjectApiKeyObject::new(found, active)))
}

/// Deletes an API key: it is refused within a second.
#[utoipa::path(
    delete, path = "/v1/organization/projects/{project_id}/api_keys/{api_key_id}",
    operation_id = "delete_project_api_key", tag = "organization",
    params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("api_key_id" = String, Path, description = "Its id, `key_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_project_api_key(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, KeyId)>,
) -> ApiResult<Json<Deleted>> {
    let ProjectId(project) = project;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, project).await?;
    if !keys::revoke_of(&mut tx, project, id).await? {
        return Err(key::not_found(id).into());
    }
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "organization.project.api_key.deleted")))
}
