//! `/v1/organization/projects/{project_id}/model_permissions`: which models a project may name. One that it may not is answered
//! like one that does not exist.

use axum::extract::State;
use insula_core::organization::project;
use insula_tenancy::permission::{self, ModelPermissions, PermissionMode};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{ProjectId, about};
use crate::app::App;
use crate::http::{ApiResult, Json, Operator, Path};

/// How a list of models is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ModelPermissionsMode)]
pub enum Mode {
    /// Only these.
    AllowList,
    /// All but these.
    DenyList,
}

/// Which models a project may name.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateProjectModelPermissionsRequest)]
pub struct UpdateModelPermissions {
    /// How the list is meant.
    pub mode: Mode,
    /// The operator's names of models, at most a thousand. Other names that a project has for one follow it.
    pub model_ids: Vec<String>,
}

/// Which models a project may name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectModelPermissions)]
pub struct ModelPermissionsObject {
    /// `project.model_permissions`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// How the list is meant; `deny_list` without a model unless said otherwise.
    pub mode: Mode,
    /// The operator's names of models.
    pub model_ids: Vec<String>,
}

/// That a project may name all models again.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectModelPermissionsDeleted)]
pub struct ModelPermissionsDeleted {
    /// `project.model_permissions.deleted`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Whether there was something to delete.
    pub deleted: bool,
}

impl From<ModelPermissions> for ModelPermissionsObject {
    fn from(permissions: ModelPermissions) -> Self {
        Self {
            object: "project.model_permissions",
            mode: match permissions.mode {
                PermissionMode::AllowList => Mode::AllowList,
                PermissionMode::DenyList => Mode::DenyList,
            },
            model_ids: permissions.models,
        }
    }
}

/// Tells which models a project may name.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/model_permissions",
    operation_id = "get_project_model_permissions", tag = "organization",
    params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = ModelPermissionsObject))
)]
pub async fn get_project_model_permissions(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
) -> ApiResult<Json<ModelPermissionsObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, id).await?;
    let found = permission::find(&mut tx, id).await?;
    Ok(Json(found.unwrap_or_default().into()))
}

/// Sets which models a project may name. Servers follow within a second. Vector stores that it has keep their model.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/model_permissions",
    operation_id = "update_project_model_permissions", tag = "organization",
    params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    request_body = UpdateModelPermissions, responses((status = OK, body = ModelPermissionsObject))
)]
pub async fn update_project_model_permissions(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
    Json(request): Json<UpdateModelPermissions>,
) -> ApiResult<Json<ModelPermissionsObject>> {
    let new = ModelPermissions {
        mode: match request.mode {
            Mode::AllowList => PermissionMode::AllowList,
            Mode::DenyList => PermissionMode::DenyList,
        },
        models: request.model_ids,
    };
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, id).await?;
    permission::set(&mut tx, id, &new)
        .await
        .map_err(|error| about("model_ids", error))?;
    tx.commit().await?;
    Ok(Json(new.into()))
}

/// Lets a project name all models again.
#[utoipa::path(
    delete, path = "/v1/organization/projects/{project_id}/model_permissions",
    operation_id = "delete_project_model_permissions", tag = "organization",
    params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    responses((status = OK, body = ModelPermissionsDeleted))
)]
pub async fn delete_project_model_permissions(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
) -> ApiResult<Json<ModelPermissionsDeleted>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, id).await?;
    let deleted = permission::unset(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(ModelPermissionsDeleted {
        object: "project.model_permissions.deleted",
        deleted,
    }))
}
