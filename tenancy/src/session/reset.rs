//! Links that choose a new password, for people who have lost theirs. Whoever runs the install makes one and sees its token,
//! so the audit log says who did: the install's, and that of each tenant that the person is a member of.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::json;

use super::{NewSession, Visit, attempts, begin, password};
use crate::audit::{Act, By, Event, INSTALL, Origin, record_by_operator};
use crate::db::Unit;
use crate::member::find_person_by_email;
use crate::secret::{self, Kind};
use crate::{Authenticator, OperatorTx, PersonId, Result, TenantId, tenant};

/// How long a link may be used.
pub const LIFETIME: Duration = Duration::from_secs(3600);

/// A link that was just made.
pub struct NewReset {
    /// Whose password it chooses.
    pub email: String,
    /// What accepts it. This is the only time that anybody sees it.
    pub token: SecretString,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// A link as its person sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Reset {
    /// Who.
    pub person_id: PersonId,
    /// Whose password it chooses.
    pub email: String,
    /// What people call it.
    pub name: Option<String>,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// Makes a link for whoever has that address, in place of the one that there may be. `None`: nobody has it.
///
/// # Errors
/// [`crate::Error::Invalid`] for what is no address; when the database is away.
pub async fn create(tx: &mut OperatorTx, email: &str) -> Result<Option<NewReset>> {
    let Some(person) = find_person_by_email(tx, email).await? else {
        return Ok(None);
    };
    let secret = secret::generate(Kind::PasswordReset);
    let expires_at = sqlx::query_scalar(
        "insert into password_resets (person_id, token_sha256, expires_at)
         values ($1, $2, now() + make_interval(secs => $3))
         on conflict (person_id) do update
         set token_sha256 = excluded.token_sha256, created_at = now(), expires_at = excluded.expires_at
         returning expires_at",
    )
    .bind(person.id)
    .bind(secret.hash.as_slice())
    .bind(LIFETIME.as_secs_f64())
    .fetch_one(&mut **tx)
    .await?;
    record(tx, Event::PasswordResetCreated, person.id).await?;
    Ok(Some(NewReset {
        email: person.email,
        token: secret.into_key(),
        expires_at,
    }))
}

impl Authenticator {
    /// Whose password a link chooses. `None`: there is no such link, or not any more.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn password_reset(&self, token: &str) -> Result<Option<Reset>> {
        let Some(presented) = secret::parse(Kind::PasswordReset, token) else {
            return Ok(None);
        };
        let mut tx = self.db.begin_operator(Origin::SYSTEM).await?;
        Ok(sqlx::query_as(
            "select r.person_id, p.email, p.name, r.expires_at from password_resets r join people p on p.id = r.person_id
             where r.token_sha256 = $1 and r.expires_at > now()",
        )
        .bind(presented.hash().as_slice())
        .fetch_optional(&mut *tx)
        .await?)
    }

    /// Gives the person of a link this password, ends all its sessions, and signs it in. `None`: there is no such link, or
    /// not any more.
    ///
    /// # Errors
    /// [`crate::Error::Invalid`] for a weak password, with the link still good; [`crate::Error::TooManyAttempts`]; when the
    /// database is away.
    pub async fn accept_password_reset(
        &self,
        token: &str,
        password: SecretString,
        visit: &Visit,
    ) -> Result<Option<NewSession>> {
        let (Some(presented), Some(reset)) = (
            secret::parse(Kind::PasswordReset, token),
            self.password_reset(token).await?,
        ) else {
            return Ok(None);
        };
        let subjects = attempts::Subjects::new(&reset.email, visit.address);
        attempts::take(&self.db, &subjects).await?;
        password::check(
            &password,
            &[&reset.email, reset.name.as_deref().unwrap_or_default()],
        )?;
        let hash = password::hash(password).await?;
        let mut tx = self
            .db
            .begin_operator(Origin {
                by: By::Person(reset.person_id),
                address: visit.address,
            })
            .await?;
        // The row's lock decides between two who accept at once.
        let used = sqlx::query(
            "delete from password_resets where person_id = $1 and token_sha256 = $2 and expires_at > now()",
        )
        .bind(reset.person_id)
        .bind(presented.hash().as_slice())
        .execute(&mut *tx)
        .await?;
        if used.rows_affected() == 0 {
            return Ok(None);
        }
        // In place of an update on conflict, which could read the hash that is there.
        sqlx::query("delete from passwords where person_id = $1")
            .bind(reset.person_id)
            .execute(&mut *tx)
            .await?;
        sqlx::query("insert into passwords (person_id, hash) values ($1, $2)")
            .bind(reset.person_id)
            .bind(hash)
            .execute(&mut *tx)
            .await?;
        sqlx::query("delete from sessions where person_id = $1")
            .bind(reset.person_id)
            .execute(&mut *tx)
            .await?;
        record(&mut tx, Event::PasswordResetAccepted, reset.person_id).await?;
        tx.commit().await?;
        attempts::forgive(&self.db, &subjects).await?;
        begin(&self.db, reset.person_id, visit).await.map(Some)
    }
}

/// Takes back the link of a person, if there is one.
pub(super) async fn forget(tx: &mut Unit, person: PersonId) -> Result<()> {
    sqlx::query("delete from password_resets where person_id = $1")
        .bind(person)
        .execute(&mut **tx)
        .await?;
    Ok(())
}

/// Says it in the install's log, and to the tenants that the person gets into.
async fn record(tx: &mut OperatorTx, event: Event, person: PersonId) -> Result<()> {
    let tenants: Vec<TenantId> =
        sqlx::query_scalar("select tenant_id from members where person_id = $1 order by tenant_id")
            .bind(person)
            .fetch_all(&mut **tx)
            .await?;
    for id in &tenants {
        tenant::lock(tx, *id).await?;
    }
    let lifetime = json!({"expires_after_seconds": LIFETIME.as_secs()});
    for chain in [INSTALL].into_iter().chain(tenants) {
        let mut act = Act::new(event, person);
        if matches!(event, Event::PasswordResetCreated) {
            act = act.data(lifetime.clone());
        }
        record_by_operator(tx, chain, act).await?;
    }
    Ok(())
}
