//! `/v1/organization/users` and `…/projects/{project_id}/users`: people, and what they are members of.

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::{member, project};
use insula_tenancy::PersonId;
use insula_tenancy::member::{self as members, Change, Member, OrganizationRole, Person, Role};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};

use super::{ProjectId, about};
use crate::app::App;
use crate::http::{
    ApiResult, FromQuery, Json, ListQuery, Operator, Path, PathId, Query, QueryParams, validate,
};
use crate::routes::wire::{Deleted, List, seconds};

impl PathId for PersonId {
    const WHAT: &'static str = "user";
}

/// What a person is on the install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = OrganizationRole)]
pub enum OrganizationRoleName {
    /// Runs it.
    Owner,
    /// Is in it: what it may do is said by its projects.
    Reader,
}

impl From<OrganizationRoleName> for OrganizationRole {
    fn from(role: OrganizationRoleName) -> Self {
        match role {
            OrganizationRoleName::Owner => Self::Owner,
            OrganizationRoleName::Reader => Self::Reader,
        }
    }
}

impl From<OrganizationRole> for OrganizationRoleName {
    fn from(role: OrganizationRole) -> Self {
        match role {
            OrganizationRole::Owner => Self::Owner,
            OrganizationRole::Reader => Self::Reader,
        }
    }
}

/// What a member may do in a project. OpenAI knows `owner` and `member`; a member is a `developer` here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = ProjectRole)]
pub enum ProjectRoleName {
    /// Everything, its members included.
    Owner,
    /// As `developer`.
    Member,
    /// Everything but its owners.
    Admin,
    /// Use it.
    Developer,
    /// Look.
    Viewer,
}

impl From<ProjectRoleName> for Role {
    fn from(role: ProjectRoleName) -> Self {
        match role {
            ProjectRoleName::Owner => Self::Owner,
            ProjectRoleName::Admin => Self::Admin,
            ProjectRoleName::Member | ProjectRoleName::Developer => Self::Developer,
            ProjectRoleName::Viewer => Self::Viewer,
        }
    }
}

/// OpenAI's word for a role.
pub(super) const fn openai(role: Role) -> &'static str {
    match role {
        Role::Owner => "owner",
        Role::Admin | Role::Developer | Role::Viewer => "member",
    }
}

/// A person on this install.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = OrganizationUser)]
pub struct UserObject {
    /// Its id, `user-…`.
    pub id: String,
    /// `organization.user`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Its address, in lower case.
    pub email: String,
    /// What people call it; null until it says so.
    #[schema(required)]
    pub name: Option<String>,
    /// What it is on the install.
    pub role: OrganizationRoleName,
    /// Unix seconds since when it is known.
    pub added_at: i64,
}

impl From<Person> for UserObject {
    fn from(person: Person) -> Self {
        Self {
            id: person.id.to_string(),
            object: "organization.user",
            email: person.email,
            name: person.name,
            role: person.role.into(),
            added_at: seconds(person.created_at),
        }
    }
}

/// A person in a project.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProjectUser)]
pub struct ProjectUserObject {
    /// Its id, `user-…`.
    pub id: String,
    /// `organization.project.user`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Its address, in lower case.
    pub email: String,
    /// What people call it; null until it says so.
    #[schema(required)]
    pub name: Option<String>,
    /// `owner` or `member`, as OpenAI says it.
    #[schema(value_type = String)]
    pub role: &'static str,
    /// `owner`, `admin`, `developer` or `viewer`.
    #[schema(value_type = String)]
    pub member_role: &'static str,
    /// Unix seconds since when it is a member.
    pub added_at: i64,
}

impl From<Member> for ProjectUserObject {
    fn from(member: Member) -> Self {
        Self {
            id: member.id.to_string(),
            object: "organization.project.user",
            email: member.email,
            name: member.name,
            role: openai(member.role),
            member_role: member.role.as_str(),
            added_at: seconds(member.created_at),
        }
    }
}

/// What is to be changed of a person.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateOrganizationUserRequest)]
pub struct UpdateUser {
    /// What it is on the install; absent: as before.
    pub role: Option<OrganizationRoleName>,
}

/// A person to be made a member.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateProjectUserRequest)]
pub struct CreateProjectUser {
    /// Its id; or else its address.
    pub user_id: Option<String>,
    /// The address of somebody who is known here.
    pub email: Option<String>,
    /// What it may do.
    pub role: ProjectRoleName,
}

/// What is to be changed of a member.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateProjectUserRequest)]
pub struct UpdateProjectUser {
    /// What it may do; absent: as before.
    pub role: Option<ProjectRoleName>,
}

/// What a list of people is asked for.
#[derive(Debug)]
pub struct UsersQuery {
    list: ListQuery,
    emails: Option<Vec<String>>,
}

impl FromQuery for UsersQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let mut emails = params.all("emails").peekable();
        let any = emails.peek().is_some();
        let emails = emails.filter(|email| !email.contains('\0')).map(str::to_owned);
        Ok(Self {
            list: ListQuery::from_query(params)?,
            emails: any.then(|| emails.collect()),
        })
    }
}

/// The part of the query that only this list has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; UsersQuery reads them")]
struct UsersFilter {
    /// Only people with these addresses.
    emails: Option<Vec<String>>,
}

/// Lists people, whatever they are members of.
#[utoipa::path(
    get, path = "/v1/organization/users", operation_id = "list_users", tag = "organization",
    params(ListQuery, UsersFilter), responses((status = OK, body = List<UserObject>))
)]
pub async fn list_users(
    operator: Operator,
    State(app): State<App>,
    Query(query): Query<UsersQuery>,
) -> ApiResult<Json<List<UserObject>>> {
    let page = query.list.page(PersonId::uuid)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let listing = member::people(&mut tx, query.emails.as_deref(), page)
        .await?
        .map(UserObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |user| {
        user.id.clone()
    })))
}

/// Describes a person.
#[utoipa::path(
    get, path = "/v1/organization/users/{user_id}", operation_id = "get_user", tag = "organization",
    params(("user_id" = String, Path, description = "Its id, `user-…`")),
    responses((status = OK, body = UserObject))
)]
pub async fn get_user(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<PersonId>,
) -> ApiResult<Json<UserObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    Ok(Json(member::get_person(&mut tx, id).await?.into()))
}

/// Makes a person an owner of the install, or a reader. The last owner stays one.
#[utoipa::path(
    post, path = "/v1/organization/users/{user_id}", operation_id = "update_user", tag = "organization",
    params(("user_id" = String, Path, description = "Its id, `user-…`")),
    request_body = UpdateUser, responses((status = OK, body = UserObject))
)]
pub async fn update_user(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<PersonId>,
    Json(request): Json<UpdateUser>,
) -> ApiResult<Json<UserObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    let Some(role) = request.role else {
        return Ok(Json(member::get_person(&mut tx, id).await?.into()));
    };
    let changed = made(
        members::set_organization_role(&mut tx, id, role.into()).await?,
        id,
    )?;
    tx.commit().await?;
    Ok(Json(changed.into()))
}

/// Removes a person from the install and from all projects. The last owner of any of them stays.
#[utoipa::path(
    delete, path = "/v1/organization/users/{user_id}", operation_id = "delete_user", tag = "organization",
    params(("user_id" = String, Path, description = "Its id, `user-…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_user(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<PersonId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    made(members::delete_person(&mut tx, id).await?, id)?;
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "organization.user.deleted")))
}

/// Lists the members of a project.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/users", operation_id = "list_project_users",
    tag = "organization", params(("project_id" = String, Path, description = "Its id, `proj_…`"), ListQuery),
    responses((status = OK, body = List<ProjectUserObject>))
)]
pub async fn list_project_users(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(id)): Path<ProjectId>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<ProjectUserObject>>> {
    let page = query.page(PersonId::uuid)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, id).await?;
    let listing = member::list(&mut tx, id, page)
        .await?
        .map(ProjectUserObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |user| {
        user.id.clone()
    })))
}

/// Makes somebody who is known here a member of a project. Others are invited.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/users", operation_id = "create_project_user",
    tag = "organization", params(("project_id" = String, Path, description = "Its id, `proj_…`")),
    request_body = CreateProjectUser, responses((status = OK, body = ProjectUserObject))
)]
pub async fn create_project_user(
    operator: Operator,
    State(app): State<App>,
    Path(ProjectId(project)): Path<ProjectId>,
    Json(request): Json<CreateProjectUser>,
) -> ApiResult<Json<ProjectUserObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, project).await?;
    let (param, found) = match (request.user_id, request.email) {
        (Some(id), None) => match id.parse::<PersonId>() {
            Ok(id) => ("user_id", members::find_person(&mut tx, id).await?),
            Err(_) => ("user_id", None),
        },
        (None, Some(email)) => {
            validate::text("email", &email, 320)?;
            let found = members::find_person_by_email(&mut tx, &email).await;
            ("email", found.map_err(|error| about("email", error))?)
        }
        _ => return Err(Error::invalid("user_id", "Name a person by one of 'user_id' and 'email'.").into()),
    };
    let person = found.ok_or_else(|| Error::NotFound {
        message: "There is no such user; send an invite first.".into(),
        param: Some(param.into()),
        code: None,
    })?;
    let added = members::add(&mut tx, project, person.id, request.role.into())
        .await
        .map_err(|error| about(param, error))?;
    let added = added.ok_or_else(|| Error::Invalid {
        message: "This user is a member of the project already.".into(),
        param: Some(param.into()),
        code: Some("already_member"),
    })?;
    tx.commit().await?;
    Ok(Json(added.into()))
}

/// Describes a member of a project.
#[utoipa::path(
    get, path = "/v1/organization/projects/{project_id}/users/{user_id}", operation_id = "get_project_user",
    tag = "organization", params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("user_id" = String, Path, description = "Its id, `user-…`")),
    responses((status = OK, body = ProjectUserObject))
)]
pub async fn get_project_user(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, PersonId)>,
) -> ApiResult<Json<ProjectUserObject>> {
    let ProjectId(project) = project;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::get(&mut tx, project).await?;
    Ok(Json(member::get(&mut tx, project, id).await?.into()))
}

/// Gives a member another role. The last owner stays one.
#[utoipa::path(
    post, path = "/v1/organization/projects/{project_id}/users/{user_id}", operation_id = "update_project_user",
    tag = "organization", params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("user_id" = String, Path, description = "Its id, `user-…`")),
    request_body = UpdateProjectUser, responses((status = OK, body = ProjectUserObject))
)]
pub async fn update_project_user(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, PersonId)>,
    Json(request): Json<UpdateProjectUser>,
) -> ApiResult<Json<ProjectUserObject>> {
    let ProjectId(project) = project;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, project).await?;
    let Some(role) = request.role else {
        return Ok(Json(member::get(&mut tx, project, id).await?.into()));
    };
    let changed = made(members::set_role(&mut tx, project, id, role.into()).await?, id)?;
    tx.commit().await?;
    Ok(Json(changed.into()))
}

/// Ends a membership. The last owner stays; the person is known here still.
#[utoipa::path(
    delete, path = "/v1/organization/projects/{project_id}/users/{user_id}", operation_id = "delete_project_user",
    tag = "organization", params(("project_id" = String, Path, description = "The project's id, `proj_…`"),
    ("user_id" = String, Path, description = "Its id, `user-…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_project_user(
    operator: Operator,
    State(app): State<App>,
    Path((project, id)): Path<(ProjectId, PersonId)>,
) -> ApiResult<Json<Deleted>> {
    let ProjectId(project) = project;
    let mut tx = app.services.db.operator_by(&operator).await?;
    project::to_change(&mut tx, project).await?;
    made(members::remove(&mut tx, project, id).await?, id)?;
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "organization.project.user.deleted")))
}

fn made<T>(change: Change<T>, id: PersonId) -> Result<T, Error> {
    match change {
        Change::Made(made) => Ok(made),
        Change::Unknown => Err(member::not_found(id)),
        Change::LastOwner => Err(member::last_owner()),
    }
}
