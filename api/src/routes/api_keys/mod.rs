//! `/v1/insula/api_keys`: the keys that a tenant makes for itself.

pub(super) mod wire;

use std::time::Duration;

use axum::extract::State;
use axum::response::Response;
use insula_core::{Error, api_key, vector_store};
use insula_tenancy::key::own::{self, Bounds};
use insula_tenancy::key::{CreatedKey, NewKey};
use insula_tenancy::limit::Limit;
use insula_tenancy::scope_types::{ApiKeysRead, ApiKeysWrite};
use insula_tenancy::{KeyId, Scope, TenantTx, VectorStoreId};
use secrecy::ExposeSecret;

pub use self::wire::OwnKeyId;
use self::wire::{ApiKeyObject, CreateApiKey, NewKeyObject, RotateApiKey, UpdateApiKey};
use super::ids::body_ids;
use super::organization::lifetime;
use super::wire::{Deleted, List, Patch};
use crate::app::App;
use crate::http::validate::{count, name, optional_range};
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query};

/// Most vector stores that a key can be bound to.
const MAX_STORES: usize = 100;
/// For how long a rotated key goes on working unless the request says otherwise, in seconds.
const GRACE: u64 = 3600;
/// For how long it may, in seconds.
const LONGEST_GRACE: u64 = 31 * 86_400;
/// Longest name, in characters.
const MAX_NAME: usize = 256;

/// Makes an API key.
///
/// It can do at most what whoever makes it can: a scope that they lack is refused. A key that is bound to vector stores opens
/// what a scoped token opens, within these stores. The answer shows the key, which is not shown again.
#[utoipa::path(
    post, path = "/v1/insula/api_keys", operation_id = "create_api_key", tag = "API keys",
    params(IdempotencyHeader), request_body = CreateApiKey, responses((status = OK, body = NewKeyObject))
)]
pub async fn create_api_key(
    caller: Caller<ApiKeysWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateApiKey>,
) -> ApiResult<Response> {
    name("name", &request.name, MAX_NAME)?;
    let scopes = match &request.scopes {
        None => caller.scopes().to_vec(),
        Some(names) => scopes(names)?,
    };
    let limit = request.limits.unwrap_or_default().read()?;
    let expires_in = lifetime("expires_in_seconds", request.expires_in_seconds)?;
    let new = NewKey {
        name: request.name,
        scopes,
        expires_in,
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let vector_stores = match &request.vector_store_ids {
        Some(ids) => Some(known_stores(&mut tx, ids).await?),
        None => None,
    };
    let bounds = Bounds { vector_stores, limit };
    let created = own::create(&mut tx, &caller, &new, &bounds)
        .await
        .map_err(Error::from)?;
    let told = told(&mut tx, created).await?;
    once.answer_with_secret(tx, told, |told| told.key = None).await
}

/// Lists API keys, those that were revoked among them.
#[utoipa::path(
    get, path = "/v1/insula/api_keys", operation_id = "list_api_keys", tag = "API keys",
    params(ListQuery), responses((status = OK, body = List<ApiKeyObject>))
)]
pub async fn list_api_keys(
    caller: Caller<ApiKeysRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<ApiKeyObject>>> {
    let page = query.page(|OwnKeyId(id)| id.uuid())?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = api_key::list(&mut tx, page).await?.map(ApiKeyObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |key| {
        key.id.clone()
    })))
}

/// Describes an API key.
#[utoipa::path(
    get, path = "/v1/insula/api_keys/{api_key_id}", operation_id = "get_api_key", tag = "API keys",
    params(("api_key_id" = String, Path, description = "Its id, `key_…`")),
    responses((status = OK, body = ApiKeyObject))
)]
pub async fn get_api_key(
    caller: Caller<ApiKeysRead>,
    State(app): State<App>,
    Path(OwnKeyId(id)): Path<OwnKeyId>,
) -> ApiResult<Json<ApiKeyObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(api_key::get(&mut tx, id).await?.into()))
}

/// Names an API key anew, or limits it otherwise. In effect within a second.
#[utoipa::path(
    post, path = "/v1/insula/api_keys/{api_key_id}", operation_id = "update_api_key", tag = "API keys",
    params(("api_key_id" = String, Path, description = "Its id, `key_…`")),
    request_body = UpdateApiKey, responses((status = OK, body = ApiKeyObject))
)]
pub async fn update_api_key(
    caller: Caller<ApiKeysWrite>,
    State(app): State<App>,
    Path(OwnKeyId(id)): Path<OwnKeyId>,
    Json(request): Json<UpdateApiKey>,
) -> ApiResult<Json<ApiKeyObject>> {
    if let Some(new) = &request.name {
        name("name", new, MAX_NAME)?;
    }
    let limit = match request.limits {
        Patch::Keep => None,
        Patch::Clear => Some(Limit::default()),
        Patch::Set(limits) => Some(limits.read()?),
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    let there = own::update(&mut tx, &caller, id, request.name.as_deref(), limit).await;
    let key = described(&mut tx, id, there).await?;
    tx.commit().await?;
    Ok(Json(key.into()))
}

/// Revokes an API key: it is refused within a second, and so are the scoped tokens that it has signed.
#[utoipa::path(
    delete, path = "/v1/insula/api_keys/{api_key_id}", operation_id = "delete_api_key", tag = "API keys",
    params(("api_key_id" = String, Path, description = "Its id, `key_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_api_key(
    caller: Caller<ApiKeysWrite>,
    State(app): State<App>,
    Path(OwnKeyId(id)): Path<OwnKeyId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let there = own::revoke(&mut tx, id).await;
    described(&mut tx, id, there).await?;
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "insula.api_key.deleted")))
}

/// Makes a successor of an API key, which goes on working for a while.
///
/// The successor has the same name, scopes, vector stores, limits and lifetime, and a secret of its own, which is not shown
/// again. A key that can do more than the caller cannot be rotated by them.
#[utoipa::path(
    post, path = "/v1/insula/api_keys/{api_key_id}/rotate", operation_id = "rotate_api_key", tag = "API keys",
    params(("api_key_id" = String, Path, description = "Its id, `key_…`")),
    request_body = RotateApiKey, responses((status = OK, body = NewKeyObject))
)]
pub async fn rotate_api_key(
    caller: Caller<ApiKeysWrite>,
    State(app): State<App>,
    Path(OwnKeyId(id)): Path<OwnKeyId>,
    Json(request): Json<RotateApiKey>,
) -> ApiResult<Json<NewKeyObject>> {
    let grace = optional_range("grace_seconds", request.grace_seconds, 0..=LONGEST_GRACE)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    api_key::get(&mut tx, id).await?;
    let grace = Duration::from_secs(grace.unwrap_or(GRACE));
    let rotated = own::rotate(&mut tx, &caller, id, grace).await;
    let Some(successor) = rotated.map_err(Error::from)? else {
        return Err(Error::Conflict("This API key is revoked, expired or rotated already.".into()).into());
    };
    let told = told(&mut tx, successor).await?;
    tx.commit().await?;
    Ok(Json(told))
}

/// The key after what was done to it, if it was there.
async fn described(
    tx: &mut TenantTx,
    id: KeyId,
    there: insula_tenancy::Result<bool>,
) -> ApiResult<api_key::ApiKey> {
    match there.map_err(Error::from)? {
        true => Ok(api_key::get(tx, id).await?),
        false => Err(api_key::not_found(id).into()),
    }
}

async fn told(tx: &mut TenantTx, created: CreatedKey) -> ApiResult<NewKeyObject> {
    Ok(NewKeyObject {
        about: api_key::get(tx, created.id).await?.into(),
        key: Some(created.key.expose_secret().to_owned()),
    })
}

fn scopes(names: &[String]) -> Result<Vec<Scope>, Error> {
    count("scopes", names.len(), 1..=Scope::ALL.len())?;
    let mut scopes = Vec::new();
    for (position, name) in names.iter().enumerate() {
        let scope: Scope = name.parse().map_err(|_| {
            let known: Vec<&str> = Scope::ALL.iter().map(|scope| scope.as_str()).collect();
            let message = format!("There is no such scope. There are: {}.", known.join(", "));
            Error::invalid(format!("scopes[{position}]"), message)
        })?;
        if !scopes.contains(&scope) {
            scopes.push(scope);
        }
    }
    Ok(scopes)
}

/// The stores, all of which exist: a typo is found now and not by whoever gets the key.
async fn known_stores(tx: &mut TenantTx, ids: &[String]) -> ApiResult<Vec<VectorStoreId>> {
    count("vector_store_ids", ids.len(), 1..=MAX_STORES)?;
    let stores: Vec<VectorStoreId> = body_ids("vector_store_ids", ids)?;
    for (position, store) in stores.iter().enumerate() {
        let found = vector_store::get(tx, *store).await;
        found.map_err(|error| error.about(format!("vector_store_ids[{position}]")))?;
    }
    Ok(stores)
}
