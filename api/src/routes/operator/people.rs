//! `/v1/insula/operator/people`: helping people to get in again.

use axum::extract::State;
use http::request::Parts;
use insula_core::Error;
use insula_tenancy::session::reset;
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::cli::password_reset::link;
use crate::http::validate::no_nul;
use crate::http::{ApiResult, Json, Operator};
use crate::routes::account::about;
use crate::routes::wire::seconds;

/// Who has lost its password.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ResetPasswordRequest)]
pub struct ResetPassword {
    /// Its address.
    #[schema(example = "ada@example.com")]
    pub email: String,
}

/// A link that chooses a new password.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = PasswordReset)]
pub struct PasswordResetObject {
    /// `insula.password_reset`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Whose password.
    pub email: String,
    /// To be sent to the person: this server sends no mail. It is shown this once.
    pub url: String,
    /// Unix seconds until which it can be used.
    pub expires_at: i64,
}

/// Makes a link with which somebody chooses a new password, within an hour and once.
///
/// It takes the place of an earlier one. The audit logs of the install and of the person's tenants say who has made it.
#[utoipa::path(
    post, path = "/v1/insula/operator/people/password_resets", operation_id = "reset_password", tag = "operator",
    request_body = ResetPassword, responses((status = OK, body = PasswordResetObject))
)]
pub async fn reset_password(
    operator: Operator,
    parts: Parts,
    State(app): State<App>,
    Json(request): Json<ResetPassword>,
) -> ApiResult<Json<PasswordResetObject>> {
    no_nul("email", &request.email)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let made = reset::create(&mut tx, &request.email)
        .await
        .map_err(|error| about("email", error))?;
    let made = made.ok_or_else(|| Error::NotFound {
        message: "Nobody with this address is known here.".into(),
        param: Some("email".into()),
        code: Some("person_not_found"),
    })?;
    tx.commit().await?;
    Ok(Json(PasswordResetObject {
        object: "insula.password_reset",
        email: made.email,
        url: link(&app.site.root(&parts), made.token.expose_secret()),
        expires_at: seconds(made.expires_at),
    }))
}
