//! `/v1/insula/operator/accesses`: looks at tenants' data, by people who run the install.

use std::time::Duration;

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::access::{self as looks, AccessFilter};
use insula_tenancy::access::{self, LONGEST_REASON, SHORTEST_REASON};
use insula_tenancy::{AccessError, AccessId, TenantId};
use serde::Deserialize;
use utoipa::{IntoParams, ToSchema};

use super::tenants;
use crate::app::App;
use crate::http::validate::{no_nul, optional_range};
use crate::http::{ApiResult, FromQuery, Json, ListQuery, Operator, Path, PathId, Query, QueryParams};
use crate::routes::accesses::TenantAccessObject;
use crate::routes::ids::body_id;
use crate::routes::wire::List;

/// Minutes that an access lasts unless said otherwise.
const MINUTES: u64 = 30;

/// Why somebody has to look at a tenant's data, and for how long.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = OpenTenantAccessRequest)]
pub struct OpenTenantAccess {
    /// For the tenant, who reads it.
    #[schema(
        min_length = 10,
        max_length = 500,
        example = "You asked why report.pdf is not found (ticket 4711)"
    )]
    pub reason: String,
    /// For so many minutes; 30 unless said otherwise.
    #[schema(minimum = 5, maximum = 240)]
    pub minutes: Option<u64>,
}

/// Opens a tenant to the caller's sessions, for a while and for looking only.
///
/// This is for people who run the install and are signed in; an operator's key cannot. The session then goes into the tenant as
/// into one of its own (`choose_session_tenant`), sees what a viewer sees, and may download the tenant's export. The tenant's
/// audit log says who looked, why, and at what.
#[utoipa::path(
    post, path = "/v1/insula/operator/tenants/{tenant_id}/access", operation_id = "open_tenant_access", tag = "operator",
    params(("tenant_id" = String, Path, description = "Its id, `proj_…`")),
    request_body = OpenTenantAccess, responses((status = OK, body = TenantAccessObject))
)]
pub async fn open_tenant_access(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<TenantId>,
    Json(request): Json<OpenTenantAccess>,
) -> ApiResult<Json<TenantAccessObject>> {
    let person = operator.person().ok_or(AccessError::NoPerson)?;
    no_nul("reason", &request.reason)?;
    let reason = request.reason.trim();
    if !(SHORTEST_REASON..=LONGEST_REASON).contains(&reason.chars().count()) {
        let message = format!(
            "Say in {SHORTEST_REASON} to {LONGEST_REASON} characters why you have to look at the tenant's data."
        );
        return Err(Error::invalid("reason", message).into());
    }
    let minutes = optional_range("minutes", request.minutes, 5..=240)?.unwrap_or(MINUTES);
    let mut tx = app.services.db.operator_by(&operator).await?;
    let tenant = tenants::find(&mut tx, id).await?;
    if !tenant.is_active() {
        return Err(Error::Invalid {
            message: "This tenant is suspended, so that nobody can look in.".into(),
            param: None,
            code: Some("tenant_suspended"),
        }
        .into());
    }
    let lasts = Duration::from_secs(minutes * 60);
    let opened = access::open(&mut tx, id, person, reason, lasts)
        .await
        .map_err(|error| match error {
            insula_tenancy::Error::Invalid(message) => Error::Conflict(message),
            other => other.into(),
        })?;
    tx.commit().await?;
    Ok(Json(opened.into()))
}

/// What a list of accesses is asked for.
#[derive(Debug)]
pub struct AccessesQuery {
    list: ListQuery,
    filter: AccessFilter,
}

impl FromQuery for AccessesQuery {
    fn from_query(params: &QueryParams) -> Result<Self, Error> {
        let tenant_id = params.get("tenant_id").map(|text| body_id("tenant_id", text));
        Ok(Self {
            list: ListQuery::from_query(params)?,
            filter: AccessFilter {
                tenant_id: tenant_id.transpose()?,
                open: params.choice("open", &[("true", true), ("false", false)])?,
            },
        })
    }
}

/// The part of the query that only this list has.
#[derive(Debug, IntoParams)]
#[into_params(parameter_in = Query)]
#[expect(dead_code, reason = "documents the parameters; AccessesQuery reads them")]
struct AccessesFilter {
    /// Only at this tenant's data.
    tenant_id: Option<String>,
    /// Only those that go on, or only those that are over.
    open: Option<bool>,
}

/// Lists looks at tenants' data, latest first.
#[utoipa::path(
    get, path = "/v1/insula/operator/accesses", operation_id = "list_operator_accesses", tag = "operator",
    params(ListQuery, AccessesFilter), responses((status = OK, body = List<TenantAccessObject>))
)]
pub async fn list_operator_accesses(
    operator: Operator,
    State(app): State<App>,
    Query(query): Query<AccessesQuery>,
) -> ApiResult<Json<List<TenantAccessObject>>> {
    let page = query.list.page(AccessId::uuid)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let listing = looks::of_install(&mut tx, query.filter, page).await?;
    let listing = listing.map(TenantAccessObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |access| {
        access.id.clone()
    })))
}

/// Ends an access at once. One that is over stays as it is.
#[utoipa::path(
    post, path = "/v1/insula/operator/accesses/{access_id}/end", operation_id = "end_operator_access", tag = "operator",
    params(("access_id" = String, Path, description = "Its id, `access_…`")),
    responses((status = OK, body = TenantAccessObject))
)]
pub async fn end_operator_access(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<AccessId>,
) -> ApiResult<Json<TenantAccessObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    let ended = access::end(&mut tx, id).await?;
    let ended = ended.ok_or_else(|| Error::not_found(AccessId::WHAT, id))?;
    tx.commit().await?;
    Ok(Json(ended.into()))
}
