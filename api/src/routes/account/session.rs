//! `/v1/insula/session`: the session of whoever looks at the dashboard.

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use http::header::SET_COOKIE;
use insula_tenancy::member::OrganizationRole;
use insula_tenancy::session::{self, CurrentTenant, SignedIn};
use insula_tenancy::{Scope, TenantId};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{RoleName, about, welcome};
use crate::app::App;
use crate::http::validate::no_nul;
use crate::http::{ApiResult, Json, Person, Stranger};
use crate::routes::ids::body_id;
use crate::routes::organization::users::OrganizationRoleName;
use crate::routes::wire::seconds;

/// How somebody signs in with a password.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateSessionRequest)]
pub struct CreateSession {
    /// Its address.
    #[schema(example = "ada@example.com")]
    pub email: String,
    /// Its password.
    #[schema(value_type = String, format = Password)]
    pub password: SecretString,
}

/// Somebody who is signed in.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionPerson)]
pub struct PersonObject {
    /// Its id, `user-…`.
    pub id: String,
    /// Its address, in lower case.
    pub email: String,
    /// What people call it.
    #[schema(required)]
    pub name: Option<String>,
    /// What it is on the install: an owner runs it.
    pub role: OrganizationRoleName,
}

/// A tenant that somebody is a member of.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionTenant)]
pub struct TenantObject {
    /// Its id, `proj_…`.
    pub id: String,
    /// What people call it.
    pub name: String,
    /// What the person may do there.
    pub role: RoleName,
}

/// What lets somebody who runs the install look at a tenant's data.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionAccess)]
pub struct SessionAccessObject {
    /// Its id, `access_…`.
    pub id: String,
    /// Unix seconds of its end.
    pub expires_at: i64,
    /// Why it was opened, as the tenant reads it.
    pub reason: String,
}

/// A session of a person.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Session)]
pub struct SessionObject {
    /// Its id, `sess_…`.
    pub id: String,
    /// `insula.session`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Whose it is.
    pub person: PersonObject,
    /// The tenant that the person works in; null: in none.
    #[schema(required)]
    pub tenant: Option<TenantObject>,
    /// All that it could work in.
    pub tenants: Vec<TenantObject>,
    /// What lets the person look in where it works without being a member; null: it is one.
    #[schema(required)]
    pub access: Option<SessionAccessObject>,
    /// Whether it runs the install.
    pub operator: bool,
    /// What it may do where it works, in the words of API keys.
    pub scopes: Vec<String>,
    /// The language of its pages, `en` or `ar`; null: as its browser says.
    #[schema(required)]
    pub language: Option<String>,
    /// Unix seconds of the session's end.
    pub expires_at: i64,
}

impl SessionObject {
    /// What a page is told of the session.
    pub(super) async fn load(app: &App, who: &SignedIn) -> ApiResult<Self> {
        let tenants: Vec<TenantObject> = session::memberships(&app.services.db, who)
            .await?
            .into_iter()
            .map(|membership| TenantObject {
                id: membership.tenant_id.to_string(),
                name: membership.title,
                role: membership.role.into(),
            })
            .collect();
        let profile = who.profile();
        let current = who.tenant();
        let scopes = current.map(CurrentTenant::scopes).unwrap_or_default();
        let access = current.and_then(|tenant| tenant.access.as_ref());
        Ok(Self {
            id: who.session().to_string(),
            object: "insula.session",
            person: PersonObject {
                id: profile.id.to_string(),
                email: profile.email.clone(),
                name: profile.name.clone(),
                role: profile.role.into(),
            },
            tenant: current.map(|tenant| TenantObject {
                id: tenant.id.to_string(),
                name: tenant.title.clone(),
                role: tenant.role.into(),
            }),
            access: access.map(|access| SessionAccessObject {
                id: access.id.to_string(),
                expires_at: seconds(access.expires_at),
                reason: access.reason.clone(),
            }),
            operator: profile.role == OrganizationRole::Owner,
            scopes: scopes.into_iter().map(Scope::as_str).map(str::to_owned).collect(),
            language: profile.language.clone(),
            expires_at: seconds(who.expires_at()),
            tenants,
        })
    }
}

/// Signs in.
///
/// The answer sets the cookie that all operations of tenants take in place of a key, and those of the operator from people who
/// run the install. Whoever fails often has to wait, longer each time.
#[utoipa::path(
    post, path = "/v1/insula/session", operation_id = "sign_in", tag = "sessions", security(()),
    request_body = CreateSession, responses((status = OK, body = SessionObject))
)]
pub async fn sign_in(
    visit: Stranger,
    State(app): State<App>,
    Json(request): Json<CreateSession>,
) -> ApiResult<Response> {
    let new = app
        .authenticator
        .sign_in(&request.email, request.password, &visit)
        .await?;
    welcome(&app, new).await
}

/// Describes the session.
#[utoipa::path(
    get, path = "/v1/insula/session", operation_id = "get_session", tag = "sessions",
    responses((status = OK, body = SessionObject))
)]
pub async fn get_session(person: Person, State(app): State<App>) -> ApiResult<Json<SessionObject>> {
    Ok(Json(SessionObject::load(&app, &person).await?))
}

/// The end of a session.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionEnded)]
pub struct Ended {
    /// Always true.
    pub deleted: bool,
}

/// Signs out.
#[utoipa::path(
    delete, path = "/v1/insula/session", operation_id = "sign_out", tag = "sessions",
    responses((status = OK, body = Ended))
)]
pub async fn sign_out(person: Person, State(app): State<App>) -> ApiResult<Response> {
    session::sign_out(&app.services.db, &person).await?;
    Ok((
        [(SET_COOKIE, app.site.take_away())],
        Json(Ended { deleted: true }),
    )
        .into_response())
}

/// A tenant to go on in.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChooseTenantRequest)]
pub struct ChooseTenant {
    /// Its id, `proj_…`.
    pub tenant_id: String,
}

/// Goes on in another tenant: one that the person is a member of, or has an open access to.
///
/// Pages that say with `Insula-Tenant` which tenant they believe to be in are told so by 409 from then on.
#[utoipa::path(
    post, path = "/v1/insula/session/tenant", operation_id = "choose_session_tenant", tag = "sessions",
    request_body = ChooseTenant, responses((status = OK, body = SessionObject))
)]
pub async fn choose_tenant(
    person: Person,
    State(app): State<App>,
    Json(request): Json<ChooseTenant>,
) -> ApiResult<Json<SessionObject>> {
    let id: TenantId = body_id("tenant_id", &request.tenant_id)?;
    if !session::choose_tenant(&app.services.db, &person, id).await? {
        return Err(insula_core::Error::not_found("tenant", id)
            .about("tenant_id")
            .into());
    }
    let changed = app.authenticator.reread(&person).await?;
    Ok(Json(SessionObject::load(&app, &changed).await?))
}

/// Another password.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = ChangePasswordRequest)]
pub struct ChangePassword {
    /// The one that is good now; absent where there is none yet.
    #[schema(value_type = Option<String>, format = Password)]
    pub current_password: Option<SecretString>,
    /// The one that shall be, of 10 to 256 characters and not easy to guess.
    #[schema(value_type = String, format = Password)]
    pub new_password: SecretString,
}

/// Changes the person's password and ends its other sessions.
#[utoipa::path(
    post, path = "/v1/insula/session/password", operation_id = "change_session_password", tag = "sessions",
    request_body = ChangePassword, responses((status = OK, body = SessionObject))
)]
pub async fn change_password(
    person: Person,
    State(app): State<App>,
    Json(request): Json<ChangePassword>,
) -> ApiResult<Json<SessionObject>> {
    session::change_password(
        &app.services.db,
        &person,
        request.current_password,
        request.new_password,
    )
    .await
    .map_err(|error| about("new_password", error))?;
    Ok(Json(SessionObject::load(&app, &person).await?))
}

/// What is to be changed of a person. What is absent stays.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateProfileRequest)]
pub struct UpdateProfile {
    /// What people call it.
    #[schema(min_length = 1, max_length = 256)]
    pub name: Option<String>,
    /// The language of its pages.
    pub language: Option<Language>,
}

/// A language of the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "snake_case")]
pub enum Language {
    /// English.
    En,
    /// Arabic.
    Ar,
}

/// Changes what the person is called, and the language of its pages.
#[utoipa::path(
    post, path = "/v1/insula/session/profile", operation_id = "update_session_profile", tag = "sessions",
    request_body = UpdateProfile, responses((status = OK, body = SessionObject))
)]
pub async fn update_profile(
    person: Person,
    State(app): State<App>,
    Json(request): Json<UpdateProfile>,
) -> ApiResult<Json<SessionObject>> {
    if let Some(name) = &request.name {
        no_nul("name", name)?;
    }
    let language = request.language.map(|language| match language {
        Language::En => "en",
        Language::Ar => "ar",
    });
    session::update_profile(&app.services.db, &person, request.name.as_deref(), language)
        .await
        .map_err(|error| about("name", error))?;
    let changed = app.authenticator.reread(&person).await?;
    Ok(Json(SessionObject::load(&app, &changed).await?))
}
