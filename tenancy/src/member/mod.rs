//! People, and the tenants that they are members of.
//!
//! A person has one email address on this install. Tenants and the install itself keep at least one owner once they have one:
//! the last cannot be removed or become something else. How people sign in is [`crate::session`]'s.

pub mod invite;
pub mod own;
mod person;
mod role;

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::audit::{Act, Event, record_by_operator};
use crate::{Error, OperatorTx, PersonId, Result, TenantId, tenant};

pub(crate) use person::email_address;
pub use person::{
    OrganizationRole, Person, delete_person, find_person, find_person_by_email, set_organization_role,
};
pub use role::Role;

/// A person in a tenant.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Member {
    /// The person.
    pub id: PersonId,
    /// Its address.
    pub email: String,
    /// What people call it.
    pub name: Option<String>,
    /// What it may do.
    pub role: Role,
    /// Since when.
    pub created_at: DateTime<Utc>,
}

/// What came of a change that a last owner may stand in the way of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change<T> {
    /// It was made.
    Made(T),
    /// There is nobody to change.
    Unknown,
    /// It would leave no owner.
    LastOwner,
}

/// A member of a tenant.
///
/// # Errors
/// When the database is away.
pub async fn find(tx: &mut OperatorTx, tenant_id: TenantId, id: PersonId) -> Result<Option<Member>> {
    Ok(sqlx::query_as(
        "select m.person_id as id, p.email, p.name, m.role, m.created_at
         from members m join people p on p.id = m.person_id where m.tenant_id = $1 and m.person_id = $2",
    )
    .bind(tenant_id)
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Makes a person a member of a tenant. `None`: it is one already.
///
/// # Errors
/// [`Error::Invalid`] for a person that there is not.
pub async fn add(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    id: PersonId,
    role: Role,
) -> Result<Option<Member>> {
    let person = find_person(tx, id).await?;
    let person = person.ok_or_else(|| Error::Invalid(format!("there is no person '{id}'")))?;
    let added = sqlx::query(
        "insert into members (tenant_id, person_id, role) values ($1, $2, $3) on conflict do nothing",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(role)
    .execute(&mut **tx)
    .await?;
    if added.rows_affected() == 0 {
        return Ok(None);
    }
    let act = Act::new(Event::UserAdded, id).data(json!({"role": role.as_str(), "email": person.email}));
    record_by_operator(tx, tenant_id, act).await?;
    find(tx, tenant_id, id).await
}

/// Gives a member another role.
///
/// # Errors
/// When the database is away.
pub async fn set_role(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    id: PersonId,
    role: Role,
) -> Result<Change<Member>> {
    // Changes of one tenant's members wait for each other, so that two owners cannot leave at once.
    tenant::lock(tx, tenant_id).await?;
    let Some(before) = find(tx, tenant_id, id).await? else {
        return Ok(Change::Unknown);
    };
    if before.role == role {
        return Ok(Change::Made(before));
    }
    if before.role == Role::Owner && is_last_owner(tx, tenant_id, id).await? {
        return Ok(Change::LastOwner);
    }
    sqlx::query("update members set role = $3 where tenant_id = $1 and person_id = $2")
        .bind(tenant_id)
        .bind(id)
        .bind(role)
        .execute(&mut **tx)
        .await?;
    let (old, new) = (
        json!({"role": before.role.as_str()}),
        json!({"role": role.as_str()}),
    );
    let act = Act::new(Event::UserUpdated, id).changed(old, new);
    record_by_operator(tx, tenant_id, act).await?;
    Ok(Change::Made(Member { role, ..before }))
}

/// Ends a membership. The person stays.
///
/// # Errors
/// When the database is away.
pub async fn remove(tx: &mut OperatorTx, tenant_id: TenantId, id: PersonId) -> Result<Change<()>> {
    tenant::lock(tx, tenant_id).await?;
    let Some(before) = find(tx, tenant_id, id).await? else {
        return Ok(Change::Unknown);
    };
    if before.role == Role::Owner && is_last_owner(tx, tenant_id, id).await? {
        return Ok(Change::LastOwner);
    }
    sqlx::query("delete from members where tenant_id = $1 and person_id = $2")
        .bind(tenant_id)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    let data = json!({"role": before.role.as_str(), "email": before.email});
    let act = Act::new(Event::UserDeleted, id).removed(data);
    record_by_operator(tx, tenant_id, act).await?;
    Ok(Change::Made(()))
}

async fn is_last_owner(tx: &mut OperatorTx, tenant_id: TenantId, id: PersonId) -> Result<bool> {
    let others: bool = sqlx::query_scalar(
        "select exists (select from members where tenant_id = $1 and person_id <> $2 and role = 'owner')",
    )
    .bind(tenant_id)
    .bind(id)
    .fetch_one(&mut **tx)
    .await?;
    Ok(!others)
}
