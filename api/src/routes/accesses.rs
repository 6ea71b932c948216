//! `/v1/insula/accesses`: when whoever runs the install looked at the tenant's data, and ending it.

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::access as looks;
use insula_tenancy::AccessId;
use insula_tenancy::access::{self, Access};
use insula_tenancy::scope_types::{AuditLogsRead, MembersWrite};
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::{List, seconds};
use crate::app::App;
use crate::http::{ApiResult, Caller, Json, ListQuery, Path, PathId, Query};

impl PathId for AccessId {
    const WHAT: &'static str = "access";
}

/// A look of the operator's at a tenant's data.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = TenantAccess)]
pub struct TenantAccessObject {
    /// Its id, `access_…`.
    pub id: String,
    /// `insula.tenant_access`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// At whose data.
    pub tenant_id: String,
    /// What people call the tenant.
    pub tenant_name: String,
    /// Why.
    pub reason: String,
    /// Who opened it, as the audit log says it.
    pub opened_by: String,
    /// Unix seconds of its beginning.
    pub opened_at: i64,
    /// Unix seconds of its end, if nobody ends it before.
    pub expires_at: i64,
    /// Unix seconds of when it was over; null: nobody has ended it.
    #[schema(required)]
    pub ended_at: Option<i64>,
    /// Who ended it, as the audit log says it; `system`: its time was over.
    #[schema(required)]
    pub ended_by: Option<String>,
}

impl From<Access> for TenantAccessObject {
    fn from(access: Access) -> Self {
        Self {
            id: access.id.to_string(),
            object: "insula.tenant_access",
            tenant_id: access.tenant_id.to_string(),
            tenant_name: access.tenant_name,
            reason: access.reason,
            opened_by: access.opened_by,
            opened_at: seconds(access.created_at),
            expires_at: seconds(access.expires_at),
            ended_at: access.ended_at.map(seconds),
            ended_by: access.ended_by,
        }
    }
}

/// Lists when whoever runs the install looked at the tenant's data, and why, latest first.
#[utoipa::path(
    get, path = "/v1/insula/accesses", operation_id = "list_accesses", tag = "audit logs",
    params(ListQuery), responses((status = OK, body = List<TenantAccessObject>))
)]
pub async fn list_accesses(
    caller: Caller<AuditLogsRead>,
    State(app): State<App>,
    Query(list): Query<ListQuery>,
) -> ApiResult<Json<List<TenantAccessObject>>> {
    let page = list.page(AccessId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = looks::of_tenant(&mut tx, page).await?;
    let listing = listing.map(TenantAccessObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |access| {
        access.id.clone()
    })))
}

/// Ends an access at once. One that is over stays as it is.
#[utoipa::path(
    post, path = "/v1/insula/accesses/{access_id}/end", operation_id = "end_access", tag = "audit logs",
    params(("access_id" = String, Path, description = "Its id, `access_…`")),
    responses((status = OK, body = TenantAccessObject))
)]
pub async fn end_access(
    caller: Caller<MembersWrite>,
    State(app): State<App>,
    Path(id): Path<AccessId>,
) -> ApiResult<Json<TenantAccessObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let ended = access::end_own(&mut tx, id).await?;
    let ended = ended.ok_or_else(|| Error::not_found(AccessId::WHAT, id))?;
    tx.commit().await?;
    Ok(Json(ended.into()))
}
