//! `/v1/organization/projects`

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::project;
use insula_tenancy::tenant::{self, Tenant};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ProjectId, about};
use crate::app::App;
use crate::http::{ApiResult, FromQuery, Json, ListQuery, Operator, Path, Query, QueryParams, validate};
use crate::routes::wire::{List, seconds};

/// A project to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateProjectRequest)]
pub struct CreateProject {
    /// What people call it, 1 to 256 characters; several may be called the same.
    pub name: String,
}

/// What is to be changed of a project.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateProjectRequest)]
pub struct UpdateProject {
    /// What people call it; absent: as before.
    pub name: Option<String>,
}

/// A project: a tenant of this install.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Project)]
pub struct ProjectObject {
    /// Its id, `proj_…`.
    pub id: String,
    /// `organization.project`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// What people call it.
    pub name: String,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds of its archival; null: it is not.
    #[schema(required)]
    pub archived_at: Option<i64>,
    /// `active` or `archived`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Whether its keys are refused for now; an archived project's are for good.
    pub suspended: bool,
    /// Its name on the command line and in `/v1/insula/operator/tenants`, which no other has.
    pub tenant_name: String,
}

impl From<Tenant> for ProjectObject {
    fn from(tenant: Tenant) -> Self {
        Self {
            id: tenant.id.to_string(),
            object: "organization.project",
            created_at: seconds(tenant.created_at),
            archived_at: tenant.archived_at.map(seconds),
            status: match tenant.archived_at {
                Some(_) => "archived",
                None => "active",
            },
            suspended: !tenant.is_active(),
            name: tenant.title,
            tenant_name: tenant.name,
        }
    }
}

/// What a list of projects is asked for.
#[derive(Debug)]
pub struct ProjectsQuery {
    list: ListQuery,
    archived: bool,
}

impl FromQuery for ProjectsQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let archived = params.choice("include_archived", &[("true", true), ("false", false)])?;
        Ok(Self {
            list: ListQuery::from_query(params)?,
            archived: archived.unwrap_or(false),
        })
    }
}

/// The part of the query that only this list has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; ProjectsQuery reads them")]
struct ProjectsFilter {
    /// Whether archived projects are listed too; not unless said otherwise.
    include_archived: Option<bool>,
}

/// Lists projects.
#[utoipa::path(
    get, path = "/v1/organization/projects", operation_id = "list_projects", tag = "organization",
    params(ListQuery, ProjectsFilter), responses((status = OK, body = List<ProjectObject>))
)]
pub async fn list_projects(
    operator: Operator,
    State(app): State<App>,
    Query(query): Query<ProjectsQuery>,
) -> ApiResult<Json<List<ProjectObject>>> {
    let page = query.list.page(|ProjectId(id)| id.uuid())?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let listing = project::list(&mut tx, query.archived, page)
        .await?
        .map(ProjectObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |project| {
        project.id.clone()
    })))
}

/// Makes a project: a tenant that has neither keys nor members yet.
#[utoipa::path(
    post, path = "/v1/organization/projects", operation_id = "create_project", tag = "organization",
    request_body = CreateProject, responses((status = OK, body = ProjectObject))
)]
pub async fn create_project(
    operator: Operator,
    State(app): State<App>,
    Json(request): Json<CreateProject>,
) -> ApiResult<Json<ProjectObject>> {
    validate::name("name", &request.name, 256)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let made = tenant::create_titled(&mut tx, &request.name)
        .await
        .map_err(|error| about("name", error))?;
    tx.commit().await?;
    Ok(Json(made.into()))
}

/// Describes a project.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}", operation_id = "get_project", tag = "organization",
    params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = ProjectObject))
)]
pub async fn get_project(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
) -> ApiResult<Json<ProjectObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    Ok(Json(project::get(&mut tx, id).await?.into()))
}

/// Changes what people call a project.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}", operation_id = "update_project", tag = "organization",
    params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    request_body = UpdateProject, responses((status = OK, body = ProjectObject))
)]
pub async fn update_project(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
    Json(request): Json<UpdateProject>,
) -> ApiResult<Json<ProjectObject>> {
    if let Some(name) = &request.name {
        validate::name("name", name, 256)?;
    }
    let mut tx = app.services.db.operator_by(&operator).await?;
    let before = project::to_change(&mut tx, id).await?;
    if let Some(name) = request.name.filter(|name| *name != before.title) {
        tenant::set_title(&mut tx, &before, &name)
            .await
            .map_err(|error| about("name", error))?;
    }
    let changed = project::get(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(changed.into()))
}

/// Archives a project, for good: its keys are refused within a second. Nothing is deleted.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/archive", operation_id = "archive_project",
    tag = "organization", params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = ProjectObject))
)]
pub async fn archive_project(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
) -> ApiResult<Json<ProjectObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, id).await?;
    tenant::archive(&mut tx, id).await?;
    let archived = project::get(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(archived.into()))
}
