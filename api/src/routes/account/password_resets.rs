//! `/v1/insula/password_resets`: choosing a new password, for somebody who was sent a link.

use axum::extract::State;
use axum::response::Response;
use insula_core::Error;
use secrecy::{ExposeSecret, SecretString};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{about, welcome};
use crate::app::App;
use crate::http::{ApiResult, Json, Stranger};
use crate::routes::wire::seconds;

/// The token of a link.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = PreviewPasswordResetRequest)]
pub struct PreviewPasswordReset {
    /// As the link has it, `irt_…`.
    #[schema(value_type = String, format = Password)]
    pub token: SecretString,
}

/// What a link is for.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PasswordResetPreview)]
pub struct PasswordResetPreviewObject {
    /// `insula.password_reset_preview`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Whose password it chooses.
    pub email: String,
    /// Unix seconds until which it can be used.
    pub expires_at: i64,
}

fn not_found() -> Error {
    Error::NotFound {
        message: "This link is unknown, was used, or has expired. Ask for another one.".into(),
        param: Some("token".into()),
        code: Some("password_reset_not_found"),
    }
}

/// Tells whose password a link chooses.
#[utoipa::path(
    post, path = "/v1/insula/password_resets/preview", operation_id = "preview_password_reset", tag = "sessions",
    security(()), request_body = PreviewPasswordReset,
    responses((status = OK, body = PasswordResetPreviewObject))
)]
pub async fn preview_password_reset(
    _visit: Stranger,
    State(app): State<App>,
    Json(request): Json<PreviewPasswordReset>,
) -> ApiResult<Json<PasswordResetPreviewObject>> {
    let token = request.token.expose_secret();
    let found = app.authenticator.password_reset(token).await?;
    let reset = found.ok_or_else(not_found)?;
    Ok(Json(PasswordResetPreviewObject {
        object: "insula.password_reset_preview",
        email: reset.email,
        expires_at: seconds(reset.expires_at),
    }))
}

/// A new password.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = AcceptPasswordResetRequest)]
pub struct AcceptPasswordReset {
    /// As the link has it, `irt_…`.
    #[schema(value_type = String, format = Password)]
    pub token: SecretString,
    /// The password from now on, of 10 to 256 characters and not easy to guess.
    #[schema(value_type = String, format = Password)]
    pub password: SecretString,
}

/// Chooses a new password and signs in. All other sessions of the person end.
#[utoipa::path(
    post, path = "/v1/insula/password_resets/accept", operation_id = "accept_password_reset", tag = "sessions",
    security(()), request_body = AcceptPasswordReset,
    responses((status = OK, body = super::session::SessionObject))
)]
pub async fn accept_password_reset(
    visit: Stranger,
    State(app): State<App>,
    Json(request): Json<AcceptPasswordReset>,
) -> ApiResult<Response> {
    let accepted = app
        .authenticator
        .accept_password_reset(request.token.expose_secret(), request.password, &visit)
        .await
        .map_err(|error| about("password", error))?;
    welcome(&app, accepted.ok_or_else(not_found)?).await
}
