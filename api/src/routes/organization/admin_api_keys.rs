//! `/v1/organization/admin_api_keys`: the operator's own keys. They open no tenant's data.

use axum::extract::State;
use insula_core::organization::admin_key;
use insula_tenancy::OperatorKeyId;
use insula_tenancy::operator::key::{self, OperatorKey};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{about, lifetime};
use crate::app::App;
use crate::http::{ApiResult, Json, ListQuery, Operator, Path, PathId, Query, validate};
use crate::routes::wire::{Deleted, List, seconds};

impl PathId for OperatorKeyId {
    const WHAT: &'static str = "admin API key";
}

/// A key of the operator's to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateAdminApiKeyRequest)]
pub struct CreateAdminApiKey {
    /// A name for people, 1 to 256 characters.
    pub name: String,
    /// Seconds until it expires; absent: never.
    #[schema(minimum = 1)]
    pub expires_in_seconds: Option<u64>,
}

/// A key of the operator's.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = AdminApiKey)]
pub struct AdminApiKeyObject {
    /// Its id, `opk_…`.
    pub id: String,
    /// `organization.admin_api_key`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// A name for people.
    pub name: String,
    /// The key without its secret.
    pub redacted_value: String,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds of its last use, to the minute; null: never.
    #[schema(required)]
    pub last_used_at: Option<i64>,
    /// Unix seconds from which it is refused; null: it does not expire.
    #[schema(required)]
    pub expires_at: Option<i64>,
    /// Whose it is.
    pub owner: AdminApiKeyOwner,
}

/// Whose a key is: the operator's, and no person's.
#[derive(Debug, Serialize, ToSchema)]
pub struct AdminApiKeyOwner {
    /// `owner`
    #[schema(value_type = String)]
    pub role: &'static str,
}

/// A key that was just made.
#[derive(Debug, Serialize, ToSchema)]
pub struct CreatedAdminApiKey {
    /// The key without its secret.
    #[serde(flatten)]
    pub key: AdminApiKeyObject,
    /// The key. It is shown this once.
    pub value: String,
}

impl From<OperatorKey> for AdminApiKeyObject {
    fn from(key: OperatorKey) -> Self {
        Self {
            id: key.id.to_string(),
            object: "organization.admin_api_key",
            name: key.name,
            redacted_value: format!("iok_{}_********", key.public_id),
            created_at: seconds(key.created_at),
            last_used_at: key.last_used_at.map(seconds),
            expires_at: key.expires_at.map(seconds),
            owner: AdminApiKeyOwner { role: "owner" },
        }
    }
}

/// Lists the operator's keys, but those that were deleted.
#[utoipa::path(
    get, path = "/v1/organization/admin_api_keys", operation_id = "list_admin_api_keys", tag = "organization",
    params(ListQuery), responses((status = OK, body = List<AdminApiKeyObject>))
)]
pub async fn list_admin_api_keys(
    operator: Operator,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<AdminApiKeyObject>>> {
    let page = query.page(OperatorKeyId::uuid)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let listing = admin_key::list(&mut tx, page).await?.map(AdminApiKeyObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |key| {
        key.id.clone()
    })))
}

/// Makes a key of the operator's, whose value is shown this once.
#[utoipa::path(
    post, path = "/v1/organization/admin_api_keys", operation_id = "create_admin_api_key", tag = "organization",
    request_body = CreateAdminApiKey, responses((status = OK, body = CreatedAdminApiKey))
)]
pub async fn create_admin_api_key(
    operator: Operator,
    State(app): State<App>,
    Json(request): Json<CreateAdminApiKey>,
) -> ApiResult<Json<CreatedAdminApiKey>> {
    validate::name("name", &request.name, 256)?;
    let expires_in = lifetime("expires_in_seconds", request.expires_in_seconds)?;
    let mut tx = app.services.db.operator_by(&operator).await?;
    let created = key::create(&mut tx, &request.name, expires_in)
        .await
        .map_err(|error| about("expires_in_seconds", error))?;
    let stored = admin_key::get(&mut tx, created.id).await?;
    tx.commit().await?;
    Ok(Json(CreatedAdminApiKey {
        key: stored.into(),
        value: created.key.expose_secret().to_owned(),
    }))
}

/// Describes a key of the operator's.
#[utoipa::path(
    get, path = "/v1/organization/admin_api_keys/{admin_api_key_id}", operation_id = "get_admin_api_key",
    tag = "organization", params(("admin_api_key_id" = String, Path, description = "Its id, `opk_…`")),
    responses((status = OK, body = AdminApiKeyObject))
)]
pub async fn get_admin_api_key(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<OperatorKeyId>,
) -> ApiResult<Json<AdminApiKeyObject>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    Ok(Json(admin_key::get(&mut tx, id).await?.into()))
}

/// Deletes a key of the operator's: it is refused at once, also if it is the one that asks.
#[utoipa::path(
    delete, path = "/v1/organization/admin_api_keys/{admin_api_key_id}", operation_id = "delete_admin_api_key",
    tag = "organization", params(("admin_api_key_id" = String, Path, description = "Its id, `opk_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_admin_api_key(
    operator: Operator,
    State(app): State<App>,
    Path(id): Path<OperatorKeyId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.operator_by(&operator).await?;
    admin_key::get(&mut tx, id).await?;
    key::revoke(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "organization.admin_api_key.deleted")))
}
