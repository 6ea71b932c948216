//! Creations that may be repeated: the second time, the first answer is given again and nothing is made.
//!
//! The key's row is inserted first and in the transaction of the creation. A concurrent repetition waits at the
//! primary key until the first one commits (it then gets that answer) or rolls back (it then creates).

use insula_tenancy::TenantTx;

use crate::{Error, Result};

/// How long an answer is kept, as SQL's interval.
pub(crate) const KEPT: &str = "24 hours";

/// A request that carries an `Idempotency-Key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repeatable {
    /// The client's key, 1 to 255 characters.
    pub key: String,
    /// SHA-256 of everything that makes the request what it is.
    pub fingerprint: [u8; 32],
}

impl Repeatable {
    /// Claims the key for this transaction, or finds the answer that it stands for.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the key was used for another request within a day.
    pub async fn earlier(&self, tx: &mut TenantTx) -> Result<Option<String>> {
        sqlx::query(
            "delete from idempotency_keys where key = $1 and created_at < now() - $2::text::interval",
        )
        .bind(&self.key)
        .bind(KEPT)
        .execute(&mut **tx)
        .await?;
        let claimed = sqlx::query(
            "insert into idempotency_keys (key, fingerprint) values ($1, $2)
             on conflict (tenant_id, key) do nothing",
        )
        .bind(&self.key)
        .bind(self.fingerprint.as_slice())
        .execute(&mut **tx)
        .await?;
        if claimed.rows_affected() == 1 {
            return Ok(None);
        }
        let (fingerprint, answer): (Vec<u8>, Option<String>) =
            sqlx::query_as("select fingerprint, answer from idempotency_keys where key = $1")
                .bind(&self.key)
                .fetch_one(&mut **tx)
                .await?;
        if fingerprint != self.fingerprint {
            return Err(Error::Invalid {
                message:
                    "This Idempotency-Key was used with another request. Use a new key for a new request."
                        .into(),
                param: None,
                code: Some("idempotency_key_in_use"),
            });
        }
        answer
            .map(Some)
            .ok_or_else(|| Error::internal("an idempotency key was committed without its answer"))
    }

    /// Keeps the answer under the key that [`Repeatable::earlier`] claimed.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn record(&self, tx: &mut TenantTx, answer: &str) -> Result<()> {
        sqlx::query("update idempotency_keys set answer = $2 where key = $1")
            .bind(&self.key)
            .bind(answer)
            .execute(&mut **tx)
            .await?;
        Ok(())
    }
}
