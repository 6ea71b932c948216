//! `/v1/organization/invites`

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::{invite, project};
use insula_tenancy::member::invite::{self as invites, Invite, InvitedTo};
use insula_tenancy::{InviteId, OperatorTx};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::users::{OrganizationRoleName, ProjectRoleName, openai};
use super::{ProjectId, about};
use crate::app::App;
use crate::http::{ApiResult, Json, ListQuery, Operator, Path, PathId, Query, validate};
use crate::routes::ids::body_id;
use crate::routes::wire::{Deleted, List, seconds};

/// Most projects of one invitation.
const MOST: usize = 100;

impl PathId for InviteId {
    const WHAT: &'static str = "invite";
}

/// A person to be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateInviteRequest)]
pub struct CreateInvite {
    /// Its address.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// What it becomes on the install.
    pub role: OrganizationRoleName,
    /// What it becomes a member of, at most a hundred.
    pub projects: Option<Vec<CreateInviteProject>>,
}

/// A project that a person is to be invited to.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateInviteProject)]
pub struct CreateInviteProject {
    /// Its id, `proj_…`.
    pub id: String,
    /// What the person may do in it.
    pub role: ProjectRoleName,
}

/// A project that a person is invited to.
#[derive(Debug, Serialize, ToSchema)]
pub struct InviteProject {
    /// Its id, `proj_…`.
    pub id: String,
    /// `owner` or `member`, as OpenAI says it.
    #[schema(value_type = String)]
    pub role: &'static str,
    /// `owner`, `admin`, `developer` or `viewer`.
    #[schema(value_type = String)]
    pub member_role: &'static str,
}

/// An invitation.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invite)]
pub struct InviteObject {
    /// Its id, `invite-…`.
    pub id: String,
    /// `organization.invite`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Who is invited, in lower case.
    pub email: String,
    /// What the person becomes on the install.
    pub role: OrganizationRoleName,
    /// `pending`, `accepted` or `expired`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds until which it can be accepted.
    pub expires_at: i64,
    /// Unix seconds of its acceptance; null: not yet.
    #[schema(required)]
    pub accepted_at: Option<i64>,
    /// What the person becomes a member of.
    pub projects: Vec<InviteProject>,
}

/// An invitation that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedInvite {
    /// The invitation.
    #[serde(flatten)]
    pub invite: InviteObject,
    /// What accepts it, to be sent to the person: this server sends no mail. It is shown this once.
    pub token: String,
}

impl InviteObject {
    fn new(invite: Invite, projects: Vec<InvitedTo>) -> Self {
        let project = |InvitedTo { tenant_id, role }: InvitedTo| InviteProject {
            id: tenant_id.to_string(),
            role: openai(role),
            member_role: role.as_str(),
        };
        Self {
            id: invite.id.to_string(),
            object: "organization.invite",
            status: match (invite.accepted_at, invite.expired) {
                (Some(_), _) => "accepted",
                (None, true) => "expired",
                (None, false) => "pending",
            },
            email: invite.email,
            role: invite.role.into(),
            created_at: seconds(invite.created_at),
            expires_at: seconds(invite.expires_at),
            accepted_at: invite.accepted_at.map(seconds),
            projects: projects.into_iter().map(project).collect(),
        }
    }
}

async fn describe(tx: &mut OperatorTx, invite: Invite) -> Result<InviteObject, Error> {
    let projects = invites::projects(tx, invite.id).await?;
    Ok(InviteObject::new(invite, projects))
}

/// Lists invitations.
#[utoipa::path(
    get, path = "/v1/organization/invites", operation_id = "list_invites", tag = "organization",
    params(ListQuery), responses((status = OK, body = List<InviteObject>))
)]
pub async fn list_invites(
    operator: Operator,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<InviteObject>>> {
    let page = query.page(InviteId::uuid)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let listing = invite::list(&mut tx, page).await?;
    let mut data = Vec::with_capacity(listing.data.len());
    for invite in listing.data {
        data.push(describe(&mut tx, invite).await?);
    }
    Ok(Json(List::new(data, listing.has_more, |invite| {
        invite.id.clone()
    })))
}

/// Invites a person to the install and to projects. The invitation can be accepted within seven days.
#[utoipa::path(
    post, path = "/v1/organization/invites", operation_id = "create_invite", tag = "organization",
    request_body = CreateInvite, responses((status = OK, body = CreatedInvite))
)]
pub async fn create_invite(
    operator: Operator,
    State(app): State<App>,
    Json(request): Json<CreateInvite>,
) -> ApiResult<Json<CreatedInvite>> {
    validate::name("email", &request.email, 320)?;
    let projects = request.projects.unwrap_or_default();
    validate::count("projects", projects.len(), 0..=MOST)?;
    let mut to = Vec::with_capacity(projects.len());
    for (at, project) in projects.iter().enumerate() {
        let ProjectId(tenant_id) = body_id(&format!("projects[{at}].id"), &project.id)?;
        if to
            .iter()
            .any(|earlier: &InvitedTo| earlier.tenant_id == tenant_id)
        {
            let message = "This project is named twice.";
            return Err(Error::invalid(format!("projects[{at}].id"), message).into());
        }
        to.push(InvitedTo {
            tenant_id,
            role: project.role.into(),
        });
    }
    let mut tx = app.services.db.operator_by(&operator).await?;
    to.sort_by_key(|InvitedTo { tenant_id, .. }| *tenant_id);
    for InvitedTo { tenant_id, .. } in &to {
        let at = projects
            .iter()
            .position(|project| project.id == tenant_id.to_string());
        project::to_change(&mut tx, *tenant_id)
            .await
            .map_err(|error| error.about(format!("projects[{}].id", at.unwrap_or_default())))?;
    }
    let created = invites::create(
        &mut tx,
        &request.email,
        request.role.into(),
        &to,
        invites::LIFETIME,
    )
    .await
    .map_err(|error| about("email", error))?;
    let invite = describe(&mut tx, created.invite).await?;
    tx.commit().await?;
    Ok(Json(CreatedInvite {
        invite,
        token: created.token.expose_secret().to_owned(),
    }))
}

/// Describes an invitation.
#[utoipa::path(
    get, path = "/v1/organization/invites/{invite_id}", operation_id = "get_invite", tag = "organization",
    params(("invite_id" = String, Path, description = "Its id, `invite-…`")),
    responses((status = OK, body = InviteObject))
)]
pub async fn get_invite(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<InviteId>,
) -> ApiResult<Json<InviteObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    let found = invite::get(&mut tx, id).await?;
    Ok(Json(describe(&mut tx, found).await?))
}

/// Takes an invitation back. One that was accepted cannot be.
#[utoipa::path(
    delete, path = "/v1/organization/invites/{invite_id}", operation_id = "delete_invite", tag = "organization",
    params(("invite_id" = String, Path, description = "Its id, `invite-…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_invite(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<InviteId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    let deleted = invites::delete(&mut tx, id).await.map_err(|error| match error {
        insula_tenancy::Error::Invalid(_) => Error::Invalid {
            message: "This invite was accepted and cannot be deleted; delete the user instead.".into(),
            param: None,
            code: Some("invite_accepted"),
        },
        other => other.into(),
    })?;
    if !deleted {
        return Err(invite::not_found(id).into());
    }
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "organization.invite.deleted")))
}
