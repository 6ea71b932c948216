//! Invitations at the door: whoever holds the token of one leaves a password, and is a member and signed in.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{NewSession, Visit, attempts, begin, password, reset};
use crate::audit::{By, Origin};
use crate::member::{self, OrganizationRole, Role, invite};
use crate::secret::{self, Kind};
use crate::{AccessError, Authenticator, Error, OperatorTx, PersonId, Result};

/// What somebody is invited to, as it sees it before it accepts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Invitation {
    /// Who is invited.
    pub email: String,
    /// The tenants, as people call them, and what the person may do there.
    pub tenants: Vec<(String, Role)>,
    /// Whether the person is to run the install.
    pub operator: bool,
    /// Whether the install knows the person already, which then has to prove that it is that person.
    pub known: bool,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

impl Authenticator {
    /// What an invitation is to. `None`: there is no such invitation, or not any more.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn invitation(&self, token: &str) -> Result<Option<Invitation>> {
        let Some(presented) = secret::parse(Kind::Invite, token) else {
            return Ok(None);
        };
        let mut tx = self.db.begin_operator(Origin::SYSTEM).await?;
        let Some(invite) = invite::find_open(&mut tx, presented.hash()).await? else {
            return Ok(None);
        };
        let tenants: Vec<(String, Role)> = sqlx::query_as(
            "select coalesce(t.title, t.name), i.role from invite_projects i join tenants t on t.id = i.tenant_id
             where i.invite_id = $1 order by 1",
        )
        .bind(invite.id)
        .fetch_all(&mut *tx)
        .await?;
        let known = is_known(&mut tx, &invite.email).await?;
        Ok(Some(Invitation {
            operator: invite.role == OrganizationRole::Owner,
            email: invite.email,
            tenants,
            known,
            expires_at: invite.expires_at,
        }))
    }

    /// Accepts an invitation: the person is a member of what it was invited to, has this password, and is signed in. Whom
    /// the install knows has to give its own password, or to come through the identity provider ([`Authenticator::sign_in_by`]):
    /// whoever invites sees the token, so that it must not open what the person has elsewhere. `None`: there is no such
    /// invitation, or not any more.
    ///
    /// # Errors
    /// [`Error::Invalid`] for a weak password, with nothing accepted; [`AccessError::InvalidCredentials`] for a wrong one;
    /// [`Error::TooManyAttempts`]; when the database is away.
    pub async fn accept_invitation(
        &self,
        token: &str,
        name: Option<&str>,
        password: SecretString,
        visit: &Visit,
    ) -> Result<Option<NewSession>> {
        let Some(invitation) = self.invitation(token).await? else {
            return Ok(None);
        };
        let mut new_hash = None;
        if invitation.known {
            self.check_password(&invitation.email, password, visit).await?;
        } else {
            password::check(&password, &[&invitation.email, name.unwrap_or_default()])?;
            new_hash = Some(password::hash(password).await?);
        }
        let mut tx = self
            .db
            .begin_operator(Origin {
                by: By::System,
                address: visit.address,
            })
            .await?;
        if new_hash.is_some() && is_known(&mut tx, &invitation.email).await? {
            // Since a moment ago.
            return Err(AccessError::InvalidCredentials.into());
        }
        let Some(person) = invite::accept(&mut tx, token, name).await? else {
            return Ok(None);
        };
        if let Some(hash) = new_hash {
            // Nobody's password is replaced: one that came meanwhile stays.
            sqlx::query("insert into passwords (person_id, hash) values ($1, $2) on conflict do nothing")
                .bind(person.id)
                .bind(hash)
                .execute(&mut *tx)
                .await?;
        }
        tx.commit().await?;
        begin(&self.db, person.id, visit).await.map(Some)
    }

    async fn check_password(&self, email: &str, password: SecretString, visit: &Visit) -> Result<PersonId> {
        let subjects = attempts::Subjects::new(email, visit.address);
        attempts::take(&self.db, &subjects).await?;
        let mut tx = self.db.system().await?;
        let found: Option<(PersonId, Option<String>)> = sqlx::query_as(
            "select p.id, w.hash from people p left join passwords w on w.person_id = p.id where p.email = $1",
        )
        .bind(email)
        .fetch_optional(&mut *tx)
        .await?;
        tx.commit().await?;
        let (person, stored) = found.map_or((None, None), |(id, hash)| (Some(id), hash));
        let is_good = password::verify(password, stored).await?;
        let (true, Some(person)) = (is_good, person) else {
            return Err(AccessError::InvalidCredentials.into());
        };
        attempts::forgive(&self.db, &subjects).await?;
        Ok(person)
    }

    /// Signs a person in by its password.
    ///
    /// # Errors
    /// [`AccessError::InvalidCredentials`] for every pair that is not good, without saying why; [`Error::TooManyAttempts`];
    /// when the database is away.
    pub async fn sign_in(&self, email: &str, password: SecretString, visit: &Visit) -> Result<NewSession> {
        let email = member::email_address(email).map_err(|_: Error| AccessError::InvalidCredentials)?;
        let person = self.check_password(&email, password, visit).await?;
        // Whoever knows its password needs no link that chooses another one.
        let mut tx = self.db.system().await?;
        reset::forget(&mut tx, person).await?;
        tx.commit().await?;
        begin(&self.db, person, visit).await
    }
}

async fn is_known(tx: &mut OperatorTx, email: &str) -> Result<bool> {
    Ok(
        sqlx::query_scalar("select exists (select from people where email = $1)")
            .bind(email)
            .fetch_one(&mut **tx)
            .await?,
    )
}
