//! `/v1/insula/members`: who works in a tenant.

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::member as people;
use insula_tenancy::PersonId;
use insula_tenancy::member::own::{self, Colleague};
use insula_tenancy::member::{Change, Role};
use insula_tenancy::scope_types::{MembersRead, MembersWrite};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::RoleName;
use crate::app::App;
use crate::http::{ApiResult, Caller, Json, Path};
use crate::routes::wire::{Deleted, List, seconds};

/// A member of a tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Member)]
pub struct MemberObject {
    /// The person's id, `user-…`.
    pub id: String,
    /// `insula.member`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Its address, in lower case.
    pub email: String,
    /// What people call it.
    #[schema(required)]
    pub name: Option<String>,
    /// What it may do.
    pub role: RoleName,
    /// Unix seconds since when it is a member.
    pub created_at: i64,
    /// Unix seconds when it was last at work here; null: it is signed in nowhere, or works in another tenant.
    #[schema(required)]
    pub last_seen_at: Option<i64>,
}

impl From<Colleague> for MemberObject {
    fn from(member: Colleague) -> Self {
        Self {
            id: member.id.to_string(),
            object: "insula.member",
            email: member.email,
            name: member.name,
            role: member.role.into(),
            created_at: seconds(member.created_at),
            last_seen_at: member.last_seen_at.map(seconds),
        }
    }
}

/// Lists the tenant's members, the eldest first.
#[utoipa::path(
    get, path = "/v1/insula/members", operation_id = "list_members", tag = "members",
    responses((status = OK, body = List<MemberObject>))
)]
pub async fn list_members(
    caller: Caller<MembersRead>,
    State(app): State<App>,
) -> ApiResult<Json<List<MemberObject>>> {
    let members = own::list(&app.services.db, &caller).await?;
    let members = members.into_iter().map(MemberObject::from).collect();
    Ok(Json(List::new(members, false, |member: &MemberObject| {
        member.id.clone()
    })))
}

/// What is to be changed of a member.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateMemberRequest)]
pub struct UpdateMember {
    /// What it may do from now on.
    pub role: RoleName,
}

/// Gives a member another role, at once.
///
/// Owners are made and unmade by owners only, and the last one stays.
#[utoipa::path(
    post, path = "/v1/insula/members/{member_id}", operation_id = "update_member", tag = "members",
    params(("member_id" = String, Path, description = "The person's id, `user-…`")),
    request_body = UpdateMember, responses((status = OK, body = MemberObject))
)]
pub async fn update_member(
    caller: Caller<MembersWrite>,
    State(app): State<App>,
    Path(id): Path<PersonId>,
    Json(request): Json<UpdateMember>,
) -> ApiResult<Json<MemberObject>> {
    let change = own::set_role(&app.services.db, &caller, id, Role::from(request.role)).await?;
    made(change, id)?;
    let members = own::get(&app.services.db, &caller, id).await?;
    Ok(Json(members.ok_or_else(|| unknown(id))?.into()))
}

/// Ends a membership, at once. The person itself stays known to the install.
#[utoipa::path(
    delete, path = "/v1/insula/members/{member_id}", operation_id = "delete_member", tag = "members",
    params(("member_id" = String, Path, description = "The person's id, `user-…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_member(
    caller: Caller<MembersWrite>,
    State(app): State<App>,
    Path(id): Path<PersonId>,
) -> ApiResult<Json<Deleted>> {
    made(own::remove(&app.services.db, &caller, id).await?, id)?;
    Ok(Json(Deleted::new(id, "insula.member.deleted")))
}

fn made<T>(change: Change<T>, id: PersonId) -> Result<T, Error> {
    match change {
        Change::Made(made) => Ok(made),
        Change::Unknown => Err(unknown(id)),
        Change::LastOwner => Err(people::last_owner()),
    }
}

fn unknown(id: PersonId) -> Error {
    people::not_found(id)
}
