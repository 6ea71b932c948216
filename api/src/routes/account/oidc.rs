//! `/v1/insula/sign_in`: how people may sign in, and the way there and back through the operator's identity provider. The way
//! is walked by browsers, not called: it is not in the OpenAPI document.

use axum::Router;
use axum::extract::State;
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use http::header::{COOKIE, LOCATION, SET_COOKIE};
use http::request::Parts;
use http::{HeaderMap, HeaderValue, StatusCode};
use insula_core::Error;
use insula_tenancy::AccessError;
use insula_tenancy::session::oidc::PATIENCE;
use serde::Serialize;
use subtle::ConstantTimeEq;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiError, ApiResult, Json, QueryParams, Stranger};
use crate::oidc::{CALLBACK, Oidc};

/// Binds a sign-in that is under way to the browser that began it.
const COOKIE_NAME: &str = "insula-oidc";

/// An identity provider that people may sign in with.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignInProvider {
    /// What people call it.
    pub name: String,
}

/// How people may sign in.
#[derive(Debug, Serialize, ToSchema)]
pub struct SignInOptions {
    /// `insula.sign_in`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// By email address and password.
    pub password: bool,
    /// Through this provider, at `/v1/insula/sign_in/oidc`; null: there is none.
    #[schema(required)]
    pub oidc: Option<SignInProvider>,
}

/// Tells how people may sign in.
#[utoipa::path(
    get, path = "/v1/insula/sign_in", operation_id = "get_sign_in_options", tag = "sessions", security(()),
    responses((status = OK, body = SignInOptions))
)]
pub async fn get_sign_in_options(_visit: Stranger, State(app): State<App>) -> ApiResult<Json<SignInOptions>> {
    let oidc = app.oidc.as_ref().map(|oidc| SignInProvider {
        name: oidc.name().to_owned(),
    });
    Ok(Json(SignInOptions {
        object: "insula.sign_in",
        password: true,
        oidc,
    }))
}

/// The way there and back.
pub(crate) fn router() -> Router<App> {
    Router::new()
        .route("/v1/insula/sign_in/oidc", get(depart))
        .route(CALLBACK, get(arrive))
}

fn provider(app: &App) -> Result<&Oidc, ApiError> {
    let none = || Error::NotFound {
        message: "This server has no identity provider to sign in with.".into(),
        param: None,
        code: Some("not_configured"),
    };
    app.oidc.as_ref().ok_or_else(|| none().into())
}

async fn depart(_visit: Stranger, State(app): State<App>, parts: Parts) -> ApiResult<Response> {
    let departure = provider(&app)?.depart(&app.site.root(&parts)).await?;
    app.authenticator
        .remember_oidc(&departure.state, &departure.pending)
        .await?;
    let mut headers = HeaderMap::new();
    headers.insert(SET_COOKIE, cookie(&app, &departure.state, PATIENCE.as_secs()));
    headers.insert(LOCATION, header(departure.url.as_str()));
    Ok((StatusCode::SEE_OTHER, headers).into_response())
}

/// People who come back are shown a page, whatever happened.
async fn arrive(visit: Stranger, State(app): State<App>, parts: Parts) -> Response {
    let mut headers = HeaderMap::new();
    headers.append(SET_COOKIE, cookie(&app, "", 0));
    match finish(&visit, &app, &parts).await {
        Ok(session) => {
            headers.append(SET_COOKIE, session);
            headers.insert(LOCATION, HeaderValue::from_static("/"));
        }
        Err(error) => {
            let code = error.into_body().error.code;
            let code = code.unwrap_or("sign_in_failed".into());
            headers.insert(LOCATION, header(&format!("/sign-in?error={code}")));
        }
    }
    (StatusCode::SEE_OTHER, headers).into_response()
}

async fn finish(visit: &Stranger, app: &App, parts: &Parts) -> ApiResult<HeaderValue> {
    let query = QueryParams::parse(parts.uri.query().unwrap_or_default());
    let state = query.get("state").unwrap_or_default();
    let ours = read_cookie(&parts.headers).is_some_and(|ours| ours.as_bytes().ct_eq(state.as_bytes()).into());
    let pending = if ours {
        app.authenticator.recall_oidc(state).await?
    } else {
        None
    };
    let (Some(pending), Some(code)) = (pending, query.get("code")) else {
        return Err(AccessError::InvalidCredentials.into());
    };
    let identity = provider(app)?
        .arrive(&app.site.root(parts), code.to_owned(), pending)
        .await?;
    let new = app.authenticator.sign_in_by(&identity, visit).await?;
    Ok(app.site.give(&new.token))
}

/// Lax, because it has to come along when the provider sends the browser back.
fn cookie(app: &App, state: &str, seconds: u64) -> HeaderValue {
    let secure = if app.site.is_secure() { "; Secure" } else { "" };
    header(&format!(
        "{COOKIE_NAME}={state}; Path=/v1/insula/sign_in; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}"
    ))
}

fn read_cookie(headers: &HeaderMap) -> Option<&str> {
    let lines = headers
        .get_all(COOKIE)
        .iter()
        .filter_map(|line| line.to_str().ok());
    let mut pairs = lines
        .flat_map(|line| line.split(';'))
        .filter_map(|pair| pair.trim().split_once('='));
    pairs
        .find(|(name, value)| *name == COOKIE_NAME && !value.is_empty())
        .map(|(_, value)| value)
}

fn header(text: &str) -> HeaderValue {
    HeaderValue::try_from(text).unwrap_or(HeaderValue::from_static("/"))
}
