//! `/v1/insula/sessions`: where a person is signed in.

use axum::extract::State;
use insula_core::Error;
use insula_tenancy::SessionId;
use insula_tenancy::session::{self, SessionInfo};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiResult, Json, Path, PathId, Person};
use crate::routes::wire::{Deleted, List, seconds};

impl PathId for SessionId {
    const WHAT: &'static str = "session";
}

/// A session as its person sees it in the list of all.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = SessionInfo)]
pub struct SessionInfoObject {
    /// Its id, `sess_…`.
    pub id: String,
    /// `insula.session_info`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its beginning.
    pub created_at: i64,
    /// Unix seconds of its last use, to the minute.
    pub last_seen_at: i64,
    /// Unix seconds of its end.
    pub expires_at: i64,
    /// From where it was begun.
    #[schema(required)]
    pub address: Option<String>,
    /// With which browser.
    #[schema(required)]
    pub user_agent: Option<String>,
    /// Whether it is the one that asks.
    pub current: bool,
}

impl SessionInfoObject {
    fn new(info: SessionInfo, current: SessionId) -> Self {
        Self {
            id: info.id.to_string(),
            object: "insula.session_info",
            created_at: seconds(info.created_at),
            last_seen_at: seconds(info.last_seen_at),
            expires_at: seconds(info.expires_at),
            address: info.address,
            user_agent: info.user_agent,
            current: info.id == current,
        }
    }
}

/// Lists the person's sessions, the one that was used last first.
#[utoipa::path(
    get, path = "/v1/insula/sessions", operation_id = "list_sessions", tag = "sessions",
    responses((status = OK, body = List<SessionInfoObject>))
)]
pub async fn list_sessions(
    person: Person,
    State(app): State<App>,
) -> ApiResult<Json<List<SessionInfoObject>>> {
    let sessions = session::list(&app.services.db, &person).await?;
    let sessions = sessions
        .into_iter()
        .map(|info| SessionInfoObject::new(info, person.session()))
        .collect();
    Ok(Json(List::new(sessions, false, |session: &SessionInfoObject| {
        session.id.clone()
    })))
}

/// Ends one of the person's sessions, at once.
#[utoipa::path(
    delete, path = "/v1/insula/sessions/{session_id}", operation_id = "delete_session", tag = "sessions",
    params(("session_id" = String, Path, description = "Its id, `sess_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_session(
    person: Person,
    State(app): State<App>,
    Path(id): Path<SessionId>,
) -> ApiResult<Json<Deleted>> {
    if !session::end(&app.services.db, &person, id).await? {
        return Err(Error::not_found("session", id).into());
    }
    Ok(Json(Deleted::new(id, "insula.session.deleted")))
}
