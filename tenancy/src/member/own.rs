//! A tenant's own members and invitations, managed by the tenant. The people behind them belong to the install, so this runs
//! in the operator's transaction, for the tenant of the caller and for no other; the audit log names the caller.

use chrono::{DateTime, Utc};

use super::invite::{self, CreatedInvite, InvitedTo, LIFETIME};
use super::{Change, Member, OrganizationRole, Role};
use crate::{AccessError, Actor, Db, InviteId, OperatorTx, PersonId, Result, Scope, TenantContext};

/// A member as other members see it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Colleague {
    /// The person.
    pub id: PersonId,
    /// Its address.
    pub email: String,
    /// What people call it.
    pub name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// Since when it is a member.
    pub created_at: DateTime<Utc>,
    /// When it was last at work in this tenant; `None`: it has no session here.
    pub last_seen_at: Option<DateTime<Utc>>,
}

/// Somebody whom the tenant has invited.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Invited {
    /// The invitation.
    pub id: InviteId,
    /// Who.
    pub email: String,
    /// What the person may do once it accepts.
    pub role: Role,
    /// When it was invited.
    pub created_at: DateTime<Utc>,
    /// Until when it may accept.
    pub expires_at: DateTime<Utc>,
    /// When it did.
    pub accepted_at: Option<DateTime<Utc>>,
}

async fn begin(db: &Db, cx: &TenantContext, scope: Scope) -> Result<OperatorTx> {
    cx.require(scope)?;
    db.begin_operator(cx.origin()).await
}

/// What the caller may deal out: a member by its role of this moment, a key as an admin.
async fn standing(tx: &mut OperatorTx, cx: &TenantContext) -> Result<Role> {
    match cx.actor() {
        Actor::Member { person, .. } => {
            let member = super::find(tx, cx.tenant_id(), person).await?;
            Ok(member.ok_or(AccessError::NoTenant)?.role)
        }
        Actor::Key(_) | Actor::Job(_) | Actor::Operator => Ok(Role::Admin),
        Actor::Guest { .. } => Ok(Role::Viewer),
    }
}

/// The tenant's members, the eldest first.
///
/// # Errors
/// [`AccessError::MissingScope`]; when the database is away.
pub async fn list(db: &Db, cx: &TenantContext) -> Result<Vec<Colleague>> {
    let mut tx = begin(db, cx, Scope::MembersRead).await?;
    Ok(sqlx::query_as(
        "select m.person_id as id, p.email, p.name, m.role, m.created_at,
                (select max(s.last_seen_at) from sessions s
                 where s.person_id = m.person_id and s.current_tenant = m.tenant_id) as last_seen_at
         from members m join people p on p.id = m.person_id where m.tenant_id = $1 order by m.created_at, m.person_id",
    )
    .bind(cx.tenant_id())
    .fetch_all(&mut *tx)
    .await?)
}

/// One of the tenant's members.
///
/// # Errors
/// As for [`list`].
pub async fn get(db: &Db, cx: &TenantContext, id: PersonId) -> Result<Option<Colleague>> {
    let members = list(db, cx).await?;
    Ok(members.into_iter().find(|member| member.id == id))
}

/// Gives a member another role.
///
/// # Errors
/// [`AccessError::MissingScope`]; [`AccessError::OnlyOwners`] for an admin who would make or unmake an owner; when the
/// database is away.
pub async fn set_role(db: &Db, cx: &TenantContext, id: PersonId, role: Role) -> Result<Change<Member>> {
    let mut tx = begin(db, cx, Scope::MembersWrite).await?;
    let Some(before) = may_change(&mut tx, cx, id).await? else {
        return Ok(Change::Unknown);
    };
    if before != role && !standing(&mut tx, cx).await?.may_deal_out(role) {
        return Err(AccessError::OnlyOwners.into());
    }
    let change = super::set_role(&mut tx, cx.tenant_id(), id, role).await?;
    tx.commit().await?;
    Ok(change)
}

/// Ends a membership. Everybody may end their own.
///
/// # Errors
/// As for [`set_role`].
pub async fn remove(db: &Db, cx: &TenantContext, id: PersonId) -> Result<Change<()>> {
    let mut tx = db.begin_operator(cx.origin()).await?;
    let own = matches!(cx.actor(), Actor::Member { person, .. } if person == id);
    if !own {
        cx.require(Scope::MembersWrite)?;
        if may_change(&mut tx, cx, id).await?.is_none() {
            return Ok(Change::Unknown);
        }
    }
    let change = super::remove(&mut tx, cx.tenant_id(), id).await?;
    if let Change::Made(()) = change {
        tx.commit().await?;
    }
    Ok(change)
}

/// The role of a member that the caller may change; `None`: there is no such member.
async fn may_change(tx: &mut OperatorTx, cx: &TenantContext, id: PersonId) -> Result<Option<Role>> {
    let Some(member) = super::find(tx, cx.tenant_id(), id).await? else {
        return Ok(None);
    };
    if standing(tx, cx).await?.may_deal_out(member.role) {
        Ok(Some(member.role))
    } else {
        Err(AccessError::OnlyOwners.into())
    }
}

/// The tenant's invitations, latest first.
///
/// # Errors
/// [`AccessError::MissingScope`]; when the database is away.
pub async fn invites(db: &Db, cx: &TenantContext) -> Result<Vec<Invited>> {
    let mut tx = begin(db, cx, Scope::MembersRead).await?;
    Ok(sqlx::query_as(
        "select i.id, i.email, t.role, i.created_at, i.expires_at, i.accepted_at
         from invite_projects t join invites i on i.id = t.invite_id
         where t.tenant_id = $1 order by i.created_at desc, i.id desc limit 500",
    )
    .bind(cx.tenant_id())
    .fetch_all(&mut *tx)
    .await?)
}

/// Invites somebody into the tenant.
///
/// # Errors
/// [`crate::Error::Invalid`] for what is no address; [`AccessError::MissingScope`]; [`AccessError::OnlyOwners`]; when the
/// database is away.
pub async fn invite(db: &Db, cx: &TenantContext, email: &str, role: Role) -> Result<CreatedInvite> {
    let mut tx = begin(db, cx, Scope::MembersWrite).await?;
    if !standing(&mut tx, cx).await?.may_deal_out(role) {
        return Err(AccessError::OnlyOwners.into());
    }
    let to = InvitedTo {
        tenant_id: cx.tenant_id(),
        role,
    };
    let created = invite::create(&mut tx, email, OrganizationRole::Reader, &[to], LIFETIME).await?;
    tx.commit().await?;
    Ok(created)
}

/// Takes an invitation back, if it is to this tenant and no other. `false`: there is none.
///
/// # Errors
/// [`crate::Error::Invalid`] for one that was accepted; [`AccessError::MissingScope`]; when the database is away.
pub async fn uninvite(db: &Db, cx: &TenantContext, id: InviteId) -> Result<bool> {
    let mut tx = begin(db, cx, Scope::MembersWrite).await?;
    let to = invite::projects(&mut tx, id).await?;
    // One that the operator made to several tenants is not this tenant's alone to take back.
    if !matches!(to.as_slice(), [only] if only.tenant_id == cx.tenant_id()) {
        return Ok(false);
    }
    let deleted = invite::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(deleted)
}
