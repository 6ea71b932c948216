//! People: signing in, sessions, invitations, and the members of a tenant.

pub mod invitations;
pub mod invites;
pub mod members;
pub mod oidc;
pub mod password_resets;
pub mod session;
pub mod sessions;

use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use insula_core::Error;
use insula_tenancy::member::Role;
use insula_tenancy::session::NewSession;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use self::session::SessionObject;
use crate::app::App;
use crate::http::{ApiResult, Json};

/// What a member may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
#[schema(as = MemberRole)]
pub enum RoleName {
    /// Everything, its members included.
    Owner,
    /// Everything but its owners.
    Admin,
    /// Use it.
    Developer,
    /// Look.
    Viewer,
}

impl From<RoleName> for Role {
    fn from(role: RoleName) -> Self {
        match role {
            RoleName::Owner => Self::Owner,
            RoleName::Admin => Self::Admin,
            RoleName::Developer => Self::Developer,
            RoleName::Viewer => Self::Viewer,
        }
    }
}

impl From<Role> for RoleName {
    fn from(role: Role) -> Self {
        match role {
            Role::Owner => Self::Owner,
            Role::Admin => Self::Admin,
            Role::Developer => Self::Developer,
            Role::Viewer => Self::Viewer,
        }
    }
}

/// Gives the browser a session that was just begun, and tells the page of it.
async fn welcome(app: &App, new: NewSession) -> ApiResult<Response> {
    let object = SessionObject::load(app, &new.signed_in).await?;
    let cookie = app.site.give(&new.token);
    Ok(([(SET_COOKIE, cookie)], Json(object)).into_response())
}

/// What the caller's own words cannot be, under the name of the field.
pub(super) fn about(field: &str, error: insula_tenancy::Error) -> Error {
    match error {
        insula_tenancy::Error::Invalid(reason) => Error::invalid(field, format!("'{field}' {reason}")),
        other => other.into(),
    }
}
