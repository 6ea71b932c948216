//! `/v1/insula/operator/erasures`: removing tenants with all their data, and the receipts.

use std::collections::BTreeMap;

use axum::extract::State;
use insula_core::Error;
use insula_core::organization::erasure as receipts;
use insula_tenancy::erasure::{self, Billed, Erasure, Requested};
use insula_tenancy::{ErasureId, TenantId};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiResult, Json, ListQuery, Operator, Path, PathId, Query};
use crate::routes::wire::{List, seconds};

impl PathId for ErasureId {
    const WHAT: &'static str = "erasure";
}

/// What makes sure that somebody means this tenant.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = EraseTenantRequest)]
pub struct EraseTenant {
    /// The tenant's name.
    pub confirm: String,
}

/// What was charged in a month.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ErasureBilled)]
pub struct BilledObject {
    /// As in `2026-11`, in UTC.
    pub month: String,
    /// Calls.
    pub requests: i64,
    /// Tokens that were read.
    pub input_tokens: i64,
    /// Tokens that were generated.
    pub output_tokens: i64,
    /// What they cost, in US dollars.
    #[schema(example = "12.34")]
    pub cost: String,
}

/// The removal of a tenant, and the receipt of it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Erasure)]
pub struct ErasureObject {
    /// Its id, `erasure_…`.
    pub id: String,
    /// `insula.erasure`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Which tenant.
    pub tenant_id: String,
    /// What it was called.
    pub name: String,
    /// `running` or `completed`.
    #[schema(value_type = String)]
    pub status: &'static str,
    /// Who asked for it, as the audit log says it.
    pub requested_by: String,
    /// Unix seconds of the request.
    pub requested_at: i64,
    /// Unix seconds of when all was gone; null: it goes on.
    #[schema(required)]
    pub completed_at: Option<i64>,
    /// How many of what are gone.
    pub deleted: BTreeMap<String, i64>,
    /// What was charged to the tenant, by month, as far as the ledger still had it.
    pub billed: Vec<BilledObject>,
    /// The last hash of the tenant's audit log, in hexadecimal digits; null until that is removed.
    #[schema(required)]
    pub audit_head: Option<String>,
    /// SHA-256 over this object without `digest`, as JSON with its keys in order and without spaces; null until it is completed.
    #[schema(required)]
    pub digest: Option<String>,
}

fn billed((month, billed): (String, Billed)) -> BilledObject {
    BilledObject {
        month,
        requests: billed.requests,
        input_tokens: billed.input_tokens,
        output_tokens: billed.output_tokens,
        cost: billed.cost.dollars().to_string(),
    }
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

impl From<Erasure> for ErasureObject {
    fn from(erasure: Erasure) -> Self {
        Self {
            id: erasure.id.to_string(),
            object: "insula.erasure",
            tenant_id: erasure.tenant_id.to_string(),
            status: erasure.status(),
            name: erasure.name,
            requested_by: erasure.requested_by,
            requested_at: seconds(erasure.requested_at),
            completed_at: erasure.completed_at.map(seconds),
            deleted: erasure.deleted,
            billed: erasure.billed.into_iter().map(billed).collect(),
            audit_head: erasure.audit_head.as_deref().map(hex),
            digest: erasure.digest.as_deref().map(hex),
        }
    }
}

/// Removes a tenant with all its data, for good. It has to be suspended first, and cannot be let in again.
///
/// The request is durable when this answers, and the keys to the tenant's secrets are gone by then; the rest goes in the
/// background. A repetition is answered with how far it is.
#[utoipa::path(
    post, path = "/v1/insula/operator/tenants/{tenant_id}/erase", operation_id = "erase_tenant", tag = "operator",
    params(("tenant_id" = String, Path, description = "Its id, `proj_…`")),
    request_body = EraseTenant, responses((status = OK, body = ErasureObject))
)]
pub async fn erase_tenant(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<TenantId>,
    Json(request): Json<EraseTenant>,
) -> ApiResult<Json<ErasureObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    let begun = match erasure::request(&mut tx, id, &request.confirm).await? {
        Requested::Begun(begun) => begun,
        Requested::Unknown => return Err(Error::not_found(TenantId::WHAT, id).into()),
        Requested::AnotherName => {
            let message = "This is not the tenant's name. All its data will be gone for good.";
            return Err(Error::invalid("confirm", message).into());
        }
        Requested::NotSuspended => {
            return Err(Error::Invalid {
                message: "Suspend the tenant first.".into(),
                param: None,
                code: Some("tenant_not_suspended"),
            }
            .into());
        }
    };
    tx.commit().await?;
    Ok(Json((*begun).into()))
}

/// Lists removals of tenants, latest first.
#[utoipa::path(
    get, path = "/v1/insula/operator/erasures", operation_id = "list_erasures", tag = "operator",
    params(ListQuery), responses((status = OK, body = List<ErasureObject>))
)]
pub async fn list_erasures(
    operator: Operator,
    State(app): State<App>,
    Query(list): Query<ListQuery>,
) -> ApiResult<Json<List<ErasureObject>>> {
    let page = list.page(ErasureId::uuid)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let listing = receipts::list(&mut tx, page).await?.map(ErasureObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |erasure| {
        erasure.id.clone()
    })))
}

/// Describes a removal: how far it is, and its receipt.
#[utoipa::path(
    get, path = "/v1/insula/operator/erasures/{erasure_id}", operation_id = "get_erasure", tag = "operator",
    params(("erasure_id" = String, Path, description = "Its id, `erasure_…`")),
    responses((status = OK, body = ErasureObject))
)]
pub async fn get_erasure(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<ErasureId>,
) -> ApiResult<Json<ErasureObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    Ok(Json(receipts::get(&mut tx, id).await?.into()))
}
