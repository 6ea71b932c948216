//! Requests that may be repeated: the second time, the first answer is given again and nothing is made or charged.
//!
//! A creation inserts the key's row first and in its own transaction. A concurrent repetition waits at the primary key until
//! the first one commits (it then gets that answer) or rolls back (it then creates).
//!
//! A model's answer takes longer than a transaction may. Its key is claimed and committed, then answered or released.
//! Meanwhile a repetition is told to come back; a claim of a server that died ends by itself.

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

/// What a claim of a key comes to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Claim {
    /// The key is the caller's, to be answered or released.
    New,
    /// It was answered before.
    Answered(KeptAnswer),
    /// An earlier request is still at it.
    UnderWay,
}

/// An answer as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptAnswer {
    /// The whole body.
    pub body: String,
    /// Whether it is server-sent events rather than JSON.
    pub streamed: bool,
}

/// How long an answer may be under way, as SQL's interval. Longer than any provider is waited for.
const CLAIMED: &str = "15 minutes";

impl Repeatable {
    /// Claims the key, for an answer that is made after the transaction.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the key was used for another request within a day.
    pub async fn claim(&self, tx: &mut TenantTx) -> Result<Claim> {
        sqlx::query("delete from idempotency_keys where key = $1 and claimed_until < now()")
            .bind(&self.key)
            .execute(&mut **tx)
            .await?;
        if let Some(earlier) = self.find(tx).await? {
            return Ok(match earlier {
                Some(kept) => Claim::Answered(kept),
                None => Claim::UnderWay,
            });
        }
        sqlx::query("update idempotency_keys set claimed_until = now() + $2::text::interval where key = $1")
            .bind(&self.key)
            .bind(CLAIMED)
            .execute(&mut **tx)
            .await?;
        Ok(Claim::New)
    }

    /// Keeps the answer under the key that [`Repeatable::claim`] claimed.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn keep(&self, tx: &mut TenantTx, answer: &KeptAnswer) -> Result<()> {
        sqlx::query(
            "update idempotency_keys set answer = $2, streamed = $3, claimed_until = null
             where key = $1 and fingerprint = $4 and answer is null",
        )
        .bind(&self.key)
        .bind(&answer.body)
        .bind(answer.streamed)
        .bind(self.fingerprint.as_slice())
        .execute(&mut **tx)
        .await?;
        Ok(())
    }

    /// Gives the key back that [`Repeatable::claim`] claimed: there is no answer, and a repetition may try again.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn release(&self, tx: &mut TenantTx) -> Result<()> {
        sqlx::query("delete from idempotency_keys where key = $1 and fingerprint = $2 and answer is null")
            .bind(&self.key)
            .bind(self.fingerprint.as_slice())
            .execute(&mut **tx)
            .await?;
        Ok(())
    }

    /// Claims the key for this transaction, or finds the answer that it stands for.
    ///
    /// # Errors
    /// [`Error::Invalid`] when the key was used for another request within a day.
    pub async fn earlier(&self, tx: &mut TenantTx) -> Result<Option<String>> {
        match self.find(tx).await? {
            None => Ok(None),
            Some(Some(kept)) => Ok(Some(kept.body)),
            Some(None) => Err(Error::internal(
                "an idempotency key was committed without its answer",
            )),
        }
    }

    /// Inserts the key's row if there is none; otherwise what is in it, an answer or none yet.
    async fn find(&self, tx: &mut TenantTx) -> Result<Option<Option<KeptAnswer>>> {
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
        let (fingerprint, answer, streamed): (Vec<u8>, Option<String>, bool) =
            sqlx::query_as("select fingerprint, answer, streamed from idempotency_keys where key = $1")
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
        Ok(Some(answer.map(|body| KeptAnswer { body, streamed })))
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
