//! Keys of the operator's, managed from the command line.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::json;

use crate::audit::{Act, Event, INSTALL, record_by_operator};
use crate::secret::{self, Kind};
use crate::{Error, OperatorKeyId, OperatorTx, Result};

/// What may be told of an operator's key.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct OperatorKey {
    /// Its id.
    pub id: OperatorKeyId,
    /// A name for people.
    pub name: String,
    /// The part of the key that is not secret.
    pub public_id: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it stops working.
    pub expires_at: Option<DateTime<Utc>>,
    /// When it was revoked.
    pub revoked_at: Option<DateTime<Utc>>,
    /// When it was last used, to the minute.
    pub last_used_at: Option<DateTime<Utc>>,
}

/// A key that was just made.
pub struct CreatedOperatorKey {
    /// Its id.
    pub id: OperatorKeyId,
    /// What the operator sends. This is the only time that anybody sees it.
    pub key: SecretString,
}

/// Makes a key, for so long from now or without an end.
///
/// # Errors
/// [`Error::Invalid`] for a lifetime of nothing.
pub async fn create(
    tx: &mut OperatorTx,
    name: &str,
    expires_in: Option<Duration>,
) -> Result<CreatedOperatorKey> {
    if expires_in == Some(Duration::ZERO) {
        return Err(Error::Invalid("a key cannot expire at once".into()));
    }
    let id = OperatorKeyId::generate();
    let secret = secret::generate(Kind::Operator);
    sqlx::query(
        "insert into operator_keys (id, name, public_id, secret_sha256, expires_at)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5))",
    )
    .bind(id)
    .bind(name)
    .bind(&secret.public_id)
    .bind(secret.hash.as_slice())
    .bind(expires_in.map(|duration| duration.as_secs_f64()))
    .execute(&mut **tx)
    .await?;
    let data = json!({"name": name, "expires_in_seconds": expires_in.map(|duration| duration.as_secs_f64())});
    let act = Act::new(Event::AdminApiKeyCreated, id).data(data);
    record_by_operator(tx, INSTALL, act).await?;
    Ok(CreatedOperatorKey {
        id,
        key: secret.into_key(),
    })
}

/// All keys, newest first.
///
/// # Errors
/// When the database is away.
pub async fn list(tx: &mut OperatorTx) -> Result<Vec<OperatorKey>> {
    Ok(sqlx::query_as(
        "select id, name, public_id, created_at, expires_at, revoked_at, last_used_at
         from operator_keys order by created_at desc, id desc",
    )
    .fetch_all(&mut **tx)
    .await?)
}

/// Revokes a key. Every server refuses it at once.
///
/// # Errors
/// [`Error::Invalid`] if there is no such key, or it is revoked already.
pub async fn revoke(tx: &mut OperatorTx, id: OperatorKeyId) -> Result<()> {
    let done =
        sqlx::query("update operator_keys set revoked_at = now() where id = $1 and revoked_at is null")
            .bind(id)
            .execute(&mut **tx)
            .await?;
    if done.rows_affected() == 0 {
        return Err(Error::Invalid(format!("there is no active operator key '{id}'")));
    }
    record_by_operator(tx, INSTALL, Act::new(Event::AdminApiKeyDeleted, id)).await
}
