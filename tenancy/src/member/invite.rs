//! Invitations: whoever holds the token of one may accept it, once and until it expires.

use std::time::Duration;

use chrono::{DateTime, Utc};
use secrecy::SecretString;
use serde_json::json;

use super::person::{email_address, know};
use super::{Change, OrganizationRole, Person, Role, add, set_organization_role};
use crate::audit::{Act, Event, INSTALL, record_by_operator};
use crate::secret::{self, Kind};
use crate::{Error, InviteId, OperatorTx, Result, TenantId};

/// How long an invitation stands unless said otherwise.
pub const LIFETIME: Duration = Duration::from_secs(7 * 24 * 3600);

/// A person that is invited.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Invite {
    /// Its id.
    pub id: InviteId,
    /// Who is invited.
    pub email: String,
    /// What the person becomes on the install.
    pub role: OrganizationRole,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// Until when it can be accepted.
    pub expires_at: DateTime<Utc>,
    /// When it was.
    pub accepted_at: Option<DateTime<Utc>>,
    /// Whether it can be accepted no more, though it was not.
    pub expired: bool,
}

/// An invitation that was just made.
pub struct CreatedInvite {
    /// The invitation.
    pub invite: Invite,
    /// What accepts it. This is the only time that anybody sees it.
    pub token: SecretString,
}

/// What an invited person becomes a member of.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::FromRow)]
pub struct InvitedTo {
    /// The tenant.
    pub tenant_id: TenantId,
    /// As what.
    pub role: Role,
}

/// Invites a person. `projects` are in the order of their ids.
///
/// # Errors
/// [`Error::Invalid`] for what is no address.
pub async fn create(
    tx: &mut OperatorTx,
    email: &str,
    role: OrganizationRole,
    projects: &[InvitedTo],
    lifetime: Duration,
) -> Result<CreatedInvite> {
    let email = email_address(email)?;
    let secret = secret::generate(Kind::Invite);
    let invite: Invite = sqlx::query_as(
        "insert into invites (id, email, role, token_sha256, expires_at)
         values ($1, $2, $3, $4, now() + make_interval(secs => $5))
         returning id, email, role, created_at, expires_at, accepted_at, false as expired",
    )
    .bind(InviteId::generate())
    .bind(&email)
    .bind(role)
    .bind(secret.hash.as_slice())
    .bind(lifetime.as_secs_f64())
    .fetch_one(&mut **tx)
    .await?;
    let data = json!({"email": email, "role": role.as_str()});
    record_by_operator(tx, INSTALL, Act::new(Event::InviteSent, invite.id).data(data)).await?;
    for InvitedTo { tenant_id, role } in projects {
        sqlx::query("insert into invite_projects (tenant_id, invite_id, role) values ($1, $2, $3)")
            .bind(tenant_id)
            .bind(invite.id)
            .bind(role)
            .execute(&mut **tx)
            .await?;
        let data = json!({"email": email, "role": role.as_str()});
        record_by_operator(tx, *tenant_id, Act::new(Event::InviteSent, invite.id).data(data)).await?;
    }
    Ok(CreatedInvite {
        invite,
        token: secret.into_key(),
    })
}

/// Invites whoever is to run an install that nobody runs yet, as an owner of it and of the tenant of that name. What was made
/// so before is taken back, because its token is known to nobody any more. `None`: somebody runs it.
///
/// # Errors
/// [`Error::Invalid`] for what is no address; when the database is away.
pub async fn bootstrap(tx: &mut OperatorTx, email: &str, tenant: &str) -> Result<Option<CreatedInvite>> {
    let email = email_address(email)?;
    let is_run: bool = sqlx::query_scalar("select exists (select from people where role = 'owner')")
        .fetch_one(&mut **tx)
        .await?;
    if is_run {
        return Ok(None);
    }
    let before: Vec<InviteId> =
        sqlx::query_scalar("select id from invites where email = $1 and accepted_at is null")
            .bind(&email)
            .fetch_all(&mut **tx)
            .await?;
    for id in before {
        delete(tx, id).await?;
    }
    let projects: Vec<InvitedTo> = crate::tenant::find(tx, tenant)
        .await?
        .into_iter()
        .map(|tenant| InvitedTo {
            tenant_id: tenant.id,
            role: Role::Owner,
        })
        .collect();
    create(tx, &email, OrganizationRole::Owner, &projects, LIFETIME)
        .await
        .map(Some)
}

/// An invitation.
///
/// # Errors
/// When the database is away.
pub async fn find(tx: &mut OperatorTx, id: InviteId) -> Result<Option<Invite>> {
    Ok(sqlx::query_as(
        "select id, email, role, created_at, expires_at, accepted_at,
                accepted_at is null and expires_at <= now() as expired
         from invites where id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// What an invitation is to, in the order of the tenants' making.
///
/// # Errors
/// When the database is away.
pub async fn projects(tx: &mut OperatorTx, id: InviteId) -> Result<Vec<InvitedTo>> {
    Ok(
        sqlx::query_as("select tenant_id, role from invite_projects where invite_id = $1 order by tenant_id")
            .bind(id)
            .fetch_all(&mut **tx)
            .await?,
    )
}

/// The invitation with this token, while it can be accepted.
///
/// # Errors
/// When the database is away.
pub(crate) async fn find_open(tx: &mut OperatorTx, token_sha256: &[u8; 32]) -> Result<Option<Invite>> {
    Ok(sqlx::query_as(
        "select id, email, role, created_at, expires_at, accepted_at, false as expired from invites
         where token_sha256 = $1 and accepted_at is null and expires_at > now()",
    )
    .bind(token_sha256.as_slice())
    .fetch_optional(&mut **tx)
    .await?)
}

/// Accepts an invitation for whoever holds its token: the person is known, and a member of what it was invited to. A
/// membership that it has keeps its role. `None`: there is no such invitation, or not any more.
///
/// # Errors
/// When the database is away.
pub async fn accept(tx: &mut OperatorTx, token: &str, name: Option<&str>) -> Result<Option<Person>> {
    let Some(presented) = secret::parse(Kind::Invite, token) else {
        return Ok(None);
    };
    let invite: Option<Invite> = sqlx::query_as(
        "update invites set accepted_at = now()
         where token_sha256 = $1 and accepted_at is null and expires_at > now()
         returning id, email, role, created_at, expires_at, accepted_at, false as expired",
    )
    .bind(presented.hash().as_slice())
    .fetch_optional(&mut **tx)
    .await?;
    match invite {
        Some(invite) => admit(tx, invite, name).await.map(Some),
        None => Ok(None),
    }
}

/// Accepts every open invitation of whoever is known, by somebody that the operator trusts, to have that address.
pub(crate) async fn accept_all(
    tx: &mut OperatorTx,
    email: &str,
    name: Option<&str>,
) -> Result<Option<Person>> {
    let invites: Vec<Invite> = sqlx::query_as(
        "update invites set accepted_at = now()
         where email = $1 and accepted_at is null and expires_at > now()
         returning id, email, role, created_at, expires_at, accepted_at, false as expired",
    )
    .bind(email)
    .fetch_all(&mut **tx)
    .await?;
    let mut person = None;
    for invite in invites {
        person = Some(admit(tx, invite, name).await?);
    }
    Ok(person)
}

/// Makes whoever was invited what it was invited to be.
async fn admit(tx: &mut OperatorTx, invite: Invite, name: Option<&str>) -> Result<Person> {
    let mut person = know(tx, &invite.email, name, invite.role).await?;
    if invite.role == OrganizationRole::Owner
        && let Change::Made(owner) = set_organization_role(tx, person.id, OrganizationRole::Owner).await?
    {
        person = owner;
    }
    record_by_operator(tx, INSTALL, Act::new(Event::InviteAccepted, invite.id)).await?;
    for InvitedTo { tenant_id, role } in projects(tx, invite.id).await? {
        add(tx, tenant_id, person.id, role).await?;
        let act = Act::new(Event::InviteAccepted, invite.id);
        record_by_operator(tx, tenant_id, act).await?;
    }
    Ok(person)
}

/// Takes an invitation back. `false`: there is none.
///
/// # Errors
/// [`Error::Invalid`] for one that was accepted.
pub async fn delete(tx: &mut OperatorTx, id: InviteId) -> Result<bool> {
    let Some(invite) = find(tx, id).await? else {
        return Ok(false);
    };
    if invite.accepted_at.is_some() {
        return Err(Error::Invalid(
            "an accepted invitation cannot be taken back".into(),
        ));
    }
    let to = projects(tx, id).await?;
    sqlx::query("delete from invites where id = $1 and accepted_at is null")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    let act = Act::new(Event::InviteDeleted, id).removed(json!({"email": invite.email}));
    record_by_operator(tx, INSTALL, act).await?;
    for InvitedTo { tenant_id, .. } in to {
        record_by_operator(tx, tenant_id, Act::new(Event::InviteDeleted, id)).await?;
    }
    Ok(true)
}
