//! Signing in through the operator's identity provider: what has to be remembered meanwhile, and who it is that came back.
//! The protocol itself is the HTTP layer's.

use std::time::Duration;

use sha2::{Digest, Sha256};

use super::{NewSession, Visit, begin};
use crate::audit::{By, Origin};
use crate::member::{email_address, invite};
use crate::{AccessError, Authenticator, PersonId, Result};

/// How long somebody may take at the provider.
pub const PATIENCE: Duration = Duration::from_secs(10 * 60);

/// What was sent along to the provider, to be compared with what comes back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pending {
    /// What the identity has to be made for.
    pub nonce: String,
    /// What proves that the code is asked for by whoever began (PKCE).
    pub verifier: String,
}

/// Somebody, by the word of the provider.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Identity {
    /// Whose word.
    pub issuer: String,
    /// The provider's id of the person.
    pub subject: String,
    /// Its address, if the provider has verified that.
    pub verified_email: Option<String>,
    /// What people call it.
    pub name: Option<String>,
}

impl Authenticator {
    /// Remembers that somebody was sent to the provider with this `state`.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn remember_oidc(&self, state: &str, pending: &Pending) -> Result<()> {
        let mut tx = self.db.system().await?;
        sqlx::query("delete from oidc_sign_ins where created_at < now() - make_interval(secs => $1)")
            .bind(PATIENCE.as_secs_f64())
            .execute(&mut *tx)
            .await?;
        sqlx::query("insert into oidc_sign_ins (state_sha256, nonce, verifier) values ($1, $2, $3)")
            .bind(Sha256::digest(state).as_slice())
            .bind(&pending.nonce)
            .bind(&pending.verifier)
            .execute(&mut *tx)
            .await?;
        tx.commit().await
    }

    /// What was remembered of a `state`, which is good once.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn recall_oidc(&self, state: &str) -> Result<Option<Pending>> {
        let mut tx = self.db.system().await?;
        let found: Option<(String, String)> = sqlx::query_as(
            "delete from oidc_sign_ins where state_sha256 = $1 and created_at > now() - make_interval(secs => $2)
             returning nonce, verifier",
        )
        .bind(Sha256::digest(state).as_slice())
        .bind(PATIENCE.as_secs_f64())
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(found.map(|(nonce, verifier)| Pending { nonce, verifier }))
    }

    /// Signs in whom the provider vouches for: a person that came from there before; else one with the address that the
    /// provider has verified; else one with an open invitation to that address, which is accepted by this.
    ///
    /// # Errors
    /// [`AccessError::NotInvited`] for everybody else, a new owner of a known person's address among them; when the database is
    /// away.
    pub async fn sign_in_by(&self, identity: &Identity, visit: &Visit) -> Result<NewSession> {
        let mut tx = self.db.system().await?;
        let known: Option<PersonId> =
            sqlx::query_scalar("select person_id from identities where issuer = $1 and subject = $2")
                .bind(&identity.issuer)
                .bind(&identity.subject)
                .fetch_optional(&mut *tx)
                .await?;
        tx.commit().await?;
        let person = match known {
            Some(person) => {
                self.accept_invitations_of(person, identity, visit).await?;
                person
            }
            None => self.introduce(identity, visit).await?,
        };
        begin(&self.db, person, visit).await
    }

    /// Accepts what a person is invited to that has been here before, as long as its address is still the one of then.
    async fn accept_invitations_of(
        &self,
        person: PersonId,
        identity: &Identity,
        visit: &Visit,
    ) -> Result<()> {
        let email = identity.verified_email.as_deref();
        let Some(email) = email.and_then(|email| email_address(email).ok()) else {
            return Ok(());
        };
        let mut tx = self.db.begin_operator(arrival(visit)).await?;
        let same: bool =
            sqlx::query_scalar("select exists (select from people where id = $1 and email = $2)")
                .bind(person)
                .bind(&email)
                .fetch_one(&mut *tx)
                .await?;
        if same {
            invite::accept_all(&mut tx, &email, None).await?;
        }
        tx.commit().await
    }

    /// Finds the person of an identity that has not been here yet.
    async fn introduce(&self, identity: &Identity, visit: &Visit) -> Result<PersonId> {
        let email = identity.verified_email.as_deref();
        let email = email
            .and_then(|email| email_address(email).ok())
            .ok_or(AccessError::NotInvited)?;
        let mut tx = self.db.system().await?;
        // Addresses are dealt out to somebody else in time, the provider's ids are not: this is another person.
        let is_somebody_elses: bool = sqlx::query_scalar(
            "select exists (select from people p join identities i on i.person_id = p.id
                            where p.email = $1 and i.issuer = $2 and i.subject <> $3)",
        )
        .bind(&email)
        .bind(&identity.issuer)
        .bind(&identity.subject)
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        if is_somebody_elses {
            tracing::warn!("a known person's address is somebody else's at the identity provider");
            return Err(AccessError::NotInvited.into());
        }
        let mut tx = self.db.begin_operator(arrival(visit)).await?;
        let accepted = invite::accept_all(&mut tx, &email, identity.name.as_deref()).await?;
        let person = match accepted {
            Some(person) => Some(person.id),
            None => {
                sqlx::query_scalar("select id from people where email = $1")
                    .bind(&email)
                    .fetch_optional(&mut *tx)
                    .await?
            }
        };
        let person = person.ok_or(AccessError::NotInvited)?;
        tx.commit().await?;
        let mut tx = self.db.system().await?;
        // Nobody has verified the address of whoever chose the password: the one who invites sees the invitation's token.
        // From here on the provider's word counts, and who else knew the password is out.
        for statement in [
            "delete from sessions where person_id = $1",
            "delete from passwords where person_id = $1",
        ] {
            sqlx::query(statement).bind(person).execute(&mut *tx).await?;
        }
        // Whoever is quicker in another tab has said the same.
        sqlx::query(
            "insert into identities (issuer, subject, person_id) values ($1, $2, $3) on conflict do nothing",
        )
        .bind(&identity.issuer)
        .bind(&identity.subject)
        .bind(person)
        .execute(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(person)
    }
}

/// Who acts while somebody arrives, and from where.
fn arrival(visit: &Visit) -> Origin {
    Origin {
        by: By::System,
        address: visit.address,
    }
}
