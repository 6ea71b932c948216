//! `/v1/insula/invitations`: what somebody who was sent a link is invited to, and accepting it.

use axum::extract::State;
use axum::response::Response;
use insula_core::Error;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RoleName, about, welcome};
use crate::app::App;
use crate::http::validate::no_nul;
use crate::http::{ApiResult, Json, Stranger};
use crate::routes::wire::seconds;

/// The token of an invitation.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PreviewInvitationRequest)]
pub struct PreviewInvitation {
    /// As the link has it, `iit_…`.
    #[schema(value_type = String, format = Password)]
    pub token: SecretString,
}

/// A tenant that somebody is invited to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = InvitationTenant)]
pub struct InvitedTenant {
    /// What people call it.
    pub name: String,
    /// What the person may do there.
    pub role: RoleName,
}

/// What somebody is invited to.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Invitation)]
pub struct InvitationObject {
    /// `insula.invitation`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Who is invited.
    pub email: String,
    /// Into which tenants.
    pub tenants: Vec<InvitedTenant>,
    /// Whether the person is to run the install.
    pub operator: bool,
    /// Whether the install knows the person, who then gives the password that it has, or signs in through the provider.
    pub known: bool,
    /// Unix seconds until which it can be accepted.
    pub expires_at: i64,
}

fn not_found() -> Error {
    Error::NotFound {
        message: "This invitation is unknown, was accepted, or has expired. Ask for another one.".into(),
        param: Some("token".into()),
        code: Some("invitation_not_found"),
    }
}

/// Tells what an invitation is to.
#[utoipa::path(
    post, path = "/v1/insula/invitations/preview", operation_id = "preview_invitation", tag = "sessions", security(()),
    request_body = PreviewInvitation, responses((status = OK, body = InvitationObject))
)]
pub async fn preview_invitation(
    _visit: Stranger,
    State(app): State<App>,
    Json(request): Json<PreviewInvitation>,
) -> ApiResult<Json<InvitationObject>> {
    let found = app
        .authenticator
        .invitation(request.token.expose_secret())
        .await?;
    let invitation = found.ok_or_else(not_found)?;
    let tenant = |(name, role)| InvitedTenant {
        name,
        role: RoleName::from(role),
    };
    Ok(Json(InvitationObject {
        object: "insula.invitation",
        email: invitation.email,
        tenants: invitation.tenants.into_iter().map(tenant).collect(),
        operator: invitation.operator,
        known: invitation.known,
        expires_at: seconds(invitation.expires_at),
    }))
}

/// How an invitation is accepted.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AcceptInvitationRequest)]
pub struct AcceptInvitation {
    /// As the link has it, `iit_…`.
    #[schema(value_type = String, format = Password)]
    pub token: SecretString,
    /// What people shall call the person.
    #[schema(min_length = 1, max_length = 256)]
    pub name: Option<String>,
    /// Its password from now on, of 10 to 256 characters and not easy to guess; or the one that it has.
    #[schema(value_type = String, format = Password)]
    pub password: SecretString,
}

/// Accepts an invitation and signs in.
#[utoipa::path(
    post, path = "/v1/insula/invitations/accept", operation_id = "accept_invitation", tag = "sessions", security(()),
    request_body = AcceptInvitation, responses((status = OK, body = super::session::SessionObject))
)]
pub async fn accept_invitation(
    visit: Stranger,
    State(app): State<App>,
    Json(request): Json<AcceptInvitation>,
) -> ApiResult<Response> {
    let name = request
        .name
        .as_deref()
        .map(str::trim)
        .filter(|name| !name.is_empty());
    if let Some(name) = name {
        no_nul("name", name)?;
        if name.chars().count() > 256 {
            return Err(Error::invalid("name", "'name' must have 1 to 256 characters.").into());
        }
    }
    let accepted = app
        .authenticator
        .accept_invitation(request.token.expose_secret(), name, request.password, &visit)
        .await
        .map_err(|error| about("password", error))?;
    welcome(&app, accepted.ok_or_else(not_found)?).await
}
