//! What a person does with its own sessions and settings.

use chrono::{DateTime, Utc};
use secrecy::SecretString;

use super::{IDLE, SignedIn, attempts, password, reset};
use crate::member::Role;
use crate::{AccessError, Db, Error, Result, SessionId, TenantId};

/// A tenant that a person is a member of.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Membership {
    /// Which.
    pub tenant_id: TenantId,
    /// What people call it.
    pub title: String,
    /// What the person may do there.
    pub role: Role,
}

/// A session as its person sees it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct SessionInfo {
    /// Its id.
    pub id: SessionId,
    /// When it began.
    pub created_at: DateTime<Utc>,
    /// When it was used last, to the minute.
    pub last_seen_at: DateTime<Utc>,
    /// When it ends, however much it is used.
    pub expires_at: DateTime<Utc>,
    /// From where it was begun.
    pub address: Option<String>,
    /// With which browser.
    pub user_agent: Option<String>,
}

/// The tenants that a person is a member of, by their titles. Suspended ones are among them.
///
/// # Errors
/// When the database is away.
pub async fn memberships(db: &Db, who: &SignedIn) -> Result<Vec<Membership>> {
    let mut tx = db.system().await?;
    Ok(sqlx::query_as(
        "select m.tenant_id, coalesce(t.title, t.name) as title, m.role
         from members m join tenants t on t.id = m.tenant_id where m.person_id = $1 order by title, m.tenant_id",
    )
    .bind(who.profile().id)
    .fetch_all(&mut *tx)
    .await?)
}

/// Goes on in another of the person's tenants, or in one that it has access to as whoever runs the install, with this session
/// only. `false`: it may go into no such tenant.
///
/// # Errors
/// When the database is away.
pub async fn choose_tenant(db: &Db, who: &SignedIn, tenant: TenantId) -> Result<bool> {
    let mut tx = db.system().await?;
    let done = sqlx::query(
        "update sessions set current_tenant = $2
         where id = $1 and (
           exists (select from members m where m.person_id = sessions.person_id and m.tenant_id = $2)
           or exists (select from tenant_accesses a join people p on p.id = a.person_id
                      where a.person_id = sessions.person_id and a.tenant_id = $2 and a.ended_at is null
                        and a.expires_at > now() and p.role = 'owner'))",
    )
    .bind(who.session())
    .bind(tenant)
    .execute(&mut *tx)
    .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// Ends the session itself.
///
/// # Errors
/// When the database is away.
pub async fn sign_out(db: &Db, who: &SignedIn) -> Result<()> {
    end(db, who, who.session()).await.map(drop)
}

/// Ends one of the person's sessions. `false`: it has none of that id.
///
/// # Errors
/// When the database is away.
pub async fn end(db: &Db, who: &SignedIn, session: SessionId) -> Result<bool> {
    let mut tx = db.system().await?;
    let done = sqlx::query("delete from sessions where id = $1 and person_id = $2")
        .bind(session)
        .bind(who.profile().id)
        .execute(&mut *tx)
        .await?;
    tx.commit().await?;
    Ok(done.rows_affected() == 1)
}

/// The person's sessions, the one that was used last first.
///
/// # Errors
/// When the database is away.
pub async fn list(db: &Db, who: &SignedIn) -> Result<Vec<SessionInfo>> {
    let mut tx = db.system().await?;
    Ok(sqlx::query_as(
        "select id, created_at, last_seen_at, expires_at, address, user_agent from sessions
         where person_id = $1 and expires_at > now() and last_seen_at > now() - make_interval(secs => $2)
         order by last_seen_at desc, id desc",
    )
    .bind(who.profile().id)
    .bind(IDLE.as_secs_f64())
    .fetch_all(&mut *tx)
    .await?)
}

/// Gives the person another password and ends its other sessions. Whoever has none yet, because it signs in elsewhere, cannot
/// be asked for the one that it has.
///
/// # Errors
/// [`AccessError::InvalidCredentials`] for a wrong current password; [`Error::Invalid`] for a weak new one;
/// [`Error::TooManyAttempts`]; when the database is away.
pub async fn change_password(
    db: &Db,
    who: &SignedIn,
    current: Option<SecretString>,
    new: SecretString,
) -> Result<()> {
    let profile = who.profile();
    let subjects = attempts::Subjects::new(&profile.email, who.address);
    attempts::take(db, &subjects).await?;
    let mut tx = db.system().await?;
    let stored: Option<String> = sqlx::query_scalar("select hash from passwords where person_id = $1")
        .bind(profile.id)
        .fetch_optional(&mut *tx)
        .await?;
    tx.commit().await?;
    if stored.is_some() && !password::verify(current.unwrap_or_default(), stored).await? {
        return Err(AccessError::InvalidCredentials.into());
    }
    attempts::forgive(db, &subjects).await?;
    password::check(
        &new,
        &[&profile.email, profile.name.as_deref().unwrap_or_default()],
    )?;
    let hash = password::hash(new).await?;
    let mut tx = db.system().await?;
    sqlx::query(
        "insert into passwords (person_id, hash) values ($1, $2)
         on conflict (person_id) do update set hash = excluded.hash, changed_at = now()",
    )
    .bind(profile.id)
    .bind(hash)
    .execute(&mut *tx)
    .await?;
    reset::forget(&mut tx, profile.id).await?;
    sqlx::query("delete from sessions where person_id = $1 and id <> $2")
        .bind(profile.id)
        .bind(who.session())
        .execute(&mut *tx)
        .await?;
    tx.commit().await
}

/// Changes what the person is called and in which language its pages are; what is `None` stays.
///
/// # Errors
/// [`Error::Invalid`] for a name of more than 256 characters or none, or a language that there is not.
pub async fn update_profile(
    db: &Db,
    who: &SignedIn,
    name: Option<&str>,
    language: Option<&str>,
) -> Result<()> {
    if name.is_some_and(|name| !(1..=256).contains(&name.trim().chars().count())) {
        return Err(Error::Invalid("must have 1 to 256 characters".into()));
    }
    let mut tx = db.system().await?;
    sqlx::query(
        "update people set name = coalesce($2, name), language = coalesce($3, language) where id = $1",
    )
    .bind(who.profile().id)
    .bind(name.map(str::trim))
    .bind(language)
    .execute(&mut *tx)
    .await?;
    tx.commit().await
}
