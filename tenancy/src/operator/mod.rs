//! The operator's door: a key of the operator's, or a person who runs the install, becomes a context that opens no tenant's
//! data.

pub mod key;

use std::net::IpAddr;
use std::sync::Arc;

use crate::audit::{By, Origin};
use crate::secret::{self, Kind};
use crate::{
    AccessError, Actor, Authenticator, Db, OperatorKeyId, PersonId, Result, Scope, TenantContext, TenantId,
};

/// An operator whose key was checked, or who has signed in. As with [`crate::TenantContext`], holding one is the proof.
#[derive(Debug, Clone)]
pub struct OperatorContext {
    by: By,
    address: Option<IpAddr>,
}

impl OperatorContext {
    /// Somebody who runs the install, and is signed in.
    pub(crate) fn of_person(person: PersonId) -> Self {
        Self {
            by: By::Person(person),
            address: None,
        }
    }

    /// The person, if it is one and no key.
    pub fn person(&self) -> Option<PersonId> {
        match self.by {
            By::Person(person) => Some(person),
            _ => None,
        }
    }

    /// A context in which the tenant's own background work is set going again, and nothing else may be done.
    pub fn upkeep(&self, tenant: TenantId) -> TenantContext {
        TenantContext::new(
            tenant,
            Actor::Operator,
            Arc::from([Scope::JobsRead, Scope::JobsWrite]),
        )
    }

    /// The same operator, known to call from this address: the audit log says it.
    pub fn from_address(self, address: IpAddr) -> Self {
        Self {
            address: Some(address),
            ..self
        }
    }

    /// Who acts, for the audit log.
    pub(crate) fn origin(&self) -> Origin {
        Origin {
            by: self.by,
            address: self.address,
        }
    }
}

impl Authenticator {
    /// The context of whoever presents an operator's key. Nothing is cached: such calls are rare, and a revoked key is
    /// refused at once.
    ///
    /// # Errors
    /// [`AccessError::NotOperator`] for a good key or token of a tenant; else as for [`Authenticator::authenticate`].
    pub async fn operator(&self, presented: &str) -> Result<OperatorContext> {
        let Some(key) = secret::parse(Kind::Operator, presented) else {
            self.authenticate(presented).await?;
            return Err(AccessError::NotOperator.into());
        };
        let found = look_up(&self.db, key.public_id).await?;
        match found {
            Some((key_id, hash)) if key.matches(&hash) => Ok(OperatorContext {
                by: By::Operator(key_id),
                address: None,
            }),
            _ => Err(AccessError::InvalidKey.into()),
        }
    }
}

/// Reads a key that may be used right now, and notes its use at most once a minute.
async fn look_up(db: &Db, public_id: &str) -> Result<Option<(OperatorKeyId, Vec<u8>)>> {
    let mut tx = db.system().await?;
    let row: Option<(OperatorKeyId, Vec<u8>, bool)> = sqlx::query_as(
        "select id, secret_sha256, coalesce(last_used_at < now() - interval '1 minute', true)
         from operator_keys
         where public_id = $1 and revoked_at is null and (expires_at is null or expires_at > now())",
    )
    .bind(public_id)
    .fetch_optional(&mut *tx)
    .await?;
    let Some((id, hash, note_use)) = row else {
        return Ok(None);
    };
    if note_use {
        sqlx::query("update operator_keys set last_used_at = now() where id = $1")
            .bind(id)
            .execute(&mut *tx)
            .await?;
    }
    tx.commit().await?;
    Ok(Some((id, hash)))
}
