//! `/v1/insula/provider_keys`: a tenant's own keys for the providers behind models.

use axum::extract::State;
use axum::response::Response;
use insula_core::Error;
use insula_tenancy::ProviderKeyId;
use insula_tenancy::scope_types::{ProviderKeysRead, ProviderKeysWrite};
use insula_tenancy::vault::{self, MAX_PROVIDER_KEYS, ProviderKey};
use secrecy::SecretString;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::wire::{Deleted, List, seconds};
use crate::app::App;
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, OnceJson, Path};

/// A key to be left with the server.
#[derive(Deserialize, ToSchema)]
#[schema(as = CreateProviderKeyRequest)]
pub struct CreateProviderKey {
    /// The provider's name on this server.
    #[schema(max_length = 63)]
    pub provider: String,
    /// The key that the provider gave you.
    #[schema(min_length = 8, max_length = 4096)]
    pub key: String,
}

/// A key for a provider. What it is cannot be shown.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ProviderKey)]
pub struct ProviderKeyObject {
    /// Its id, `pvk_…`.
    pub id: String,
    /// `insula.provider_key`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The provider's name.
    pub provider: String,
    /// The end of the key, to recognise it by; empty for a short key.
    pub last_four: String,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// Unix seconds of its last use, to the minute; null if it was not used yet.
    #[schema(required)]
    pub last_used_at: Option<i64>,
}

impl From<ProviderKey> for ProviderKeyObject {
    fn from(key: ProviderKey) -> Self {
        Self {
            id: key.id.to_string(),
            object: "insula.provider_key",
            provider: key.provider,
            last_four: key.last_four,
            created_at: seconds(key.created_at),
            last_used_at: key.last_used_at.map(seconds),
        }
    }
}

/// Leaves a key for a provider, in place of the one that was there.
///
/// Calls of yours to that provider's models are made with it from then on. It is sealed with a key of yours alone and
/// never shown again.
#[utoipa::path(
    post, path = "/v1/insula/provider_keys", operation_id = "create_provider_key", tag = "provider keys",
    params(IdempotencyHeader), request_body = CreateProviderKey, responses((status = OK, body = ProviderKeyObject))
)]
pub async fn create_provider_key(
    caller: Caller<ProviderKeysWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateProviderKey>,
) -> ApiResult<Response> {
    check_provider(&request.provider)?;
    check_key(&request.key)?;
    let key = SecretString::from(request.key);
    let vault = &app.services.vault;
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let Some(key) = vault.put(&mut tx, &request.provider, &key).await? else {
        let message = format!("There can be {MAX_PROVIDER_KEYS} keys for providers.");
        return Err(Error::Conflict(message).into());
    };
    let answer = once.answer(tx, &ProviderKeyObject::from(key)).await?;
    vault.forget(&caller, &request.provider).await;
    Ok(answer)
}

/// Lists keys for providers, without what they are.
#[utoipa::path(
    get, path = "/v1/insula/provider_keys", operation_id = "list_provider_keys", tag = "provider keys",
    responses((status = OK, body = List<ProviderKeyObject>))
)]
pub async fn list_provider_keys(
    caller: Caller<ProviderKeysRead>,
    State(app): State<App>,
) -> ApiResult<Json<List<ProviderKeyObject>>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let keys = vault::list(&mut tx).await?;
    let keys = keys.into_iter().map(ProviderKeyObject::from).collect();
    Ok(Json(List::new(keys, false, |key| key.id.clone())))
}

/// Deletes a key for a provider. Calls are made with the operator's again, where there is one.
#[utoipa::path(
    delete, path = "/v1/insula/provider_keys/{provider_key_id}", operation_id = "delete_provider_key",
    tag = "provider keys", params(("provider_key_id" = String, Path, description = "Its id, `pvk_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_provider_key(
    caller: Caller<ProviderKeysWrite>,
    State(app): State<App>,
    Path(id): Path<ProviderKeyId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let Some(provider) = vault::delete(&mut tx, id).await? else {
        return Err(Error::not_found("provider key", id).into());
    };
    tx.commit().await?;
    app.services.vault.forget(&caller, &provider).await;
    Ok(Json(Deleted::new(id, "insula.provider_key.deleted")))
}

fn check_provider(provider: &str) -> Result<(), Error> {
    let fine = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'.' | b'_' | b'-');
    let begins = provider.bytes().next().is_some_and(|b| b.is_ascii_alphanumeric());
    if begins && provider.len() <= 63 && provider.bytes().all(fine) {
        return Ok(());
    }
    Err(Error::invalid(
        "provider",
        "Must be the name of a provider: 1 to 63 letters, digits, '.', '_' or '-', beginning with a letter or digit.",
    ))
}

/// It has to fit into a header. What was sent is not repeated.
fn check_key(key: &str) -> Result<(), Error> {
    if (8..=4096).contains(&key.len()) && key.bytes().all(|b| b.is_ascii_graphic()) {
        return Ok(());
    }
    Err(Error::invalid(
        "key",
        "Must be 8 to 4096 visible ASCII characters without a space.",
    ))
}
