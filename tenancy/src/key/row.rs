//! The row of a key, as whoever makes one writes it: the operator or the tenant.

use std::time::Duration;

use secrecy::ExposeSecret;
use serde_json::{Value, json};
use sqlx::postgres::PgConnection;

use super::CreatedKey;
use crate::audit::{Act, Event, Origin};
use crate::limit::Limit;
use crate::secret::{self, Kind};
use crate::{KeyId, Result, ServiceAccountId, TenantId, VectorStoreId, token};

/// A key to be made.
pub(super) struct NewRow<'a> {
    pub(super) tenant_id: TenantId,
    pub(super) owner: Option<ServiceAccountId>,
    pub(super) name: &'a str,
    pub(super) scopes: &'a [&'a str],
    pub(super) vector_stores: Option<&'a [VectorStoreId]>,
    pub(super) limit: Limit,
    pub(super) expires_in_seconds: Option<f64>,
}

/// What a rotation carries over.
#[derive(sqlx::FromRow)]
pub(super) struct Predecessor {
    pub(super) tenant_id: TenantId,
    service_account_id: Option<ServiceAccountId>,
    name: String,
    pub(super) scopes: Vec<String>,
    vector_store_ids: Option<Vec<VectorStoreId>>,
    #[sqlx(flatten)]
    pub(super) limit: Limit,
    lifetime: Option<f64>,
}

/// Makes a key. What is to be written to the audit log comes with it.
pub(super) async fn insert(
    connection: &mut PgConnection,
    origin: Origin,
    new: &NewRow<'_>,
) -> Result<(CreatedKey, Act)> {
    let id = KeyId::generate();
    let secret = secret::generate(Kind::Tenant);
    sqlx::query(
        "insert into api_keys (tenant_id, id, name, public_id, secret_sha256, scopes, expires_at, token_key,
                               service_account_id, vector_store_ids, requests_per_minute, tokens_per_minute,
                               concurrency, created_by)
         values ($1, $2, $3, $4, $5, $6, now() + make_interval(secs => $7), $8, $9, $10, $11, $12, $13, $14)",
    )
    .bind(new.tenant_id)
    .bind(id)
    .bind(new.name)
    .bind(&secret.public_id)
    .bind(secret.hash.as_slice())
    .bind(new.scopes)
    .bind(new.expires_in_seconds)
    .bind(token::public_key(secret.key.expose_secret()).as_slice())
    .bind(new.owner)
    .bind(new.vector_stores)
    .bind(new.limit.requests_per_minute)
    .bind(new.limit.tokens_per_minute)
    .bind(new.limit.concurrency)
    .bind(origin.by.to_string())
    .execute(connection)
    .await?;
    let data = json!({
        "name": new.name, "scopes": new.scopes, "expires_in_seconds": new.expires_in_seconds,
        "service_account_id": new.owner, "vector_store_ids": new.vector_stores, "limits": told(new.limit),
    });
    let key = secret.into_key();
    Ok((
        CreatedKey { id, key },
        Act::new(Event::ApiKeyCreated, id).data(data),
    ))
}

/// A key that can be rotated, held until the transaction is over: of two rotations one comes too late.
pub(super) async fn to_rotate(connection: &mut PgConnection, id: KeyId) -> Result<Option<Predecessor>> {
    Ok(sqlx::query_as(
        "select tenant_id, service_account_id, name, scopes, vector_store_ids, requests_per_minute, tokens_per_minute,
                concurrency, extract(epoch from expires_at - created_at)::float8 as lifetime
         from api_keys
         where id = $1 and revoked_at is null and rotated_to is null and (expires_at is null or expires_at > now())
         for no key update",
    )
    .bind(id)
    .fetch_optional(connection)
    .await?)
}

/// Makes the successor of a key, which then lives for `grace` longer. What is to be written to the audit log comes with it.
pub(super) async fn succeed(
    connection: &mut PgConnection,
    origin: Origin,
    id: KeyId,
    old: &Predecessor,
    grace: Duration,
) -> Result<(CreatedKey, [Act; 2])> {
    let scopes: Vec<&str> = old.scopes.iter().map(String::as_str).collect();
    let new = NewRow {
        tenant_id: old.tenant_id,
        owner: old.service_account_id,
        name: &old.name,
        scopes: &scopes,
        vector_stores: old.vector_store_ids.as_deref(),
        limit: old.limit,
        expires_in_seconds: old.lifetime,
    };
    let (successor, made) = insert(connection, origin, &new).await?;
    sqlx::query(
        "update api_keys
         set rotated_to = $2, expires_at = least(expires_at, now() + make_interval(secs => $3)) where id = $1",
    )
    .bind(id)
    .bind(successor.id)
    .bind(grace.as_secs_f64())
    .execute(connection)
    .await?;
    let after = json!({"rotated_to": successor.id, "expires_in_seconds": grace.as_secs_f64()});
    let rotated = Act::new(Event::ApiKeyUpdated, id).changed(Value::Null, after);
    Ok((successor, [made, rotated]))
}

/// A limit as the audit log tells it.
pub(super) fn told(limit: Limit) -> Value {
    json!({
        "requests_per_minute": limit.requests_per_minute, "tokens_per_minute": limit.tokens_per_minute,
        "concurrency": limit.concurrency,
    })
}
