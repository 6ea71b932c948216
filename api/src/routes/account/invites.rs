//! `/v1/insula/invites`: whom a tenant has invited.

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::invite::not_found;
use insula_tenancy::InviteId;
use insula_tenancy::member::Role;
use insula_tenancy::member::own::{self, Invited};
use insula_tenancy::scope_types::{MembersRead, MembersWrite};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RoleName, about};
use crate::app::App;
use crate::http::validate::no_nul;
use crate::http::{ApiResult, Caller, Json, Path};
use crate::routes::wire::{Deleted, List, seconds};

/// Somebody whom a tenant has invited.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = MemberInvite)]
pub struct MemberInviteObject {
    /// Its id, `invite-…`.
    pub id: String,
    /// `insula.invite`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Who, in lower case.
    pub email: String,
    /// What the person may do once it accepts.
    pub role: RoleName,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds until which it can be accepted.
    pub expires_at: i64,
    /// Unix seconds of its acceptance; null: not yet.
    #[schema(required)]
    pub accepted_at: Option<i64>,
}

impl From<Invited> for MemberInviteObject {
    fn from(invite: Invited) -> Self {
        Self {
            id: invite.id.to_string(),
            object: "insula.invite",
            email: invite.email,
            role: invite.role.into(),
            created_at: seconds(invite.created_at),
            expires_at: seconds(invite.expires_at),
            accepted_at: invite.accepted_at.map(seconds),
        }
    }
}

/// An invitation that was just made.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreatedMemberInvite)]
pub struct CreatedMemberInvite {
    /// The invitation.
    #[serde(flatten)]
    pub invite: MemberInviteObject,
    /// What accepts it, to be sent to the person as `/accept-invitation#TOKEN`: this server sends no mail. It is shown this
    /// once.
    pub token: String,
}

/// Lists the latest five hundred invitations, latest first.
#[utoipa::path(
    get, path = "/v1/insula/invites", operation_id = "list_member_invites", tag = "members",
    responses((status = OK, body = List<MemberInviteObject>))
)]
pub async fn list_member_invites(
    caller: Caller<MembersRead>,
    State(app): State<App>,
) -> ApiResult<Json<List<MemberInviteObject>>> {
    let invites = own::invites(&app.services.db, &caller).await?;
    let invites = invites.into_iter().map(MemberInviteObject::from).collect();
    Ok(Json(List::new(invites, false, |invite: &MemberInviteObject| {
        invite.id.clone()
    })))
}

/// Somebody to be invited.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = InviteMemberRequest)]
pub struct InviteMember {
    /// Its address.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// What it shall be allowed.
    pub role: RoleName,
}

/// Invites somebody into the tenant, for a week.
#[utoipa::path(
    post, path = "/v1/insula/invites", operation_id = "invite_member", tag = "members",
    request_body = InviteMember, responses((status = OK, body = CreatedMemberInvite))
)]
pub async fn invite_member(
    caller: Caller<MembersWrite>,
    State(app): State<App>,
    Json(request): Json<InviteMember>,
) -> ApiResult<Json<CreatedMemberInvite>> {
    no_nul("email", &request.email)?;
    let role = Role::from(request.role);
    let created = own::invite(&app.services.db, &caller, &request.email, role)
        .await
        .map_err(|error| about("email", error))?;
    let invite = created.invite;
    Ok(Json(CreatedMemberInvite {
        invite: MemberInviteObject {
            id: invite.id.to_string(),
            object: "insula.invite",
            email: invite.email,
            role: request.role,
            created_at: seconds(invite.created_at),
            expires_at: seconds(invite.expires_at),
            accepted_at: None,
        },
        token: created.token.expose_secret().to_owned(),
    }))
}

/// Takes an invitation back.
#[utoipa::path(
    delete, path = "/v1/insula/invites/{invite_id}", operation_id = "delete_member_invite", tag = "members",
    params(("invite_id" = String, Path, description = "Its id, `invite-…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_member_invite(
    caller: Caller<MembersWrite>,
    State(app): State<App>,
    Path(id): Path<InviteId>,
) -> ApiResult<Json<Deleted>> {
    let deleted = own::uninvite(&app.services.db, &caller, id).await;
    let deleted = deleted.map_err(|error| match error {
        insula_tenancy::Error::Invalid(reason) => Error::Conflict(reason),
        other => other.into(),
    })?;
    if !deleted {
        return Err(not_found(id).into());
    }
    Ok(Json(Deleted::new(id, "insula.invite.deleted")))
}
