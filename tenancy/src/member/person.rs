//! People, whichever tenants they are members of.

use chrono::{DateTime, Utc};
use serde_json::json;

use super::{Change, remove};
use crate::audit::{Act, Event, INSTALL, record_by_operator};
use crate::{Error, OperatorTx, PersonId, Result, TenantId, access, tenant};

/// What a person is on the install.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum OrganizationRole {
    /// Runs it.
    Owner,
    /// Is in it: what it may do is said by its memberships.
    Reader,
}

impl OrganizationRole {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Owner => "owner",
            Self::Reader => "reader",
        }
    }
}

/// Somebody with an email address.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Person {
    /// Its id.
    pub id: PersonId,
    /// Its address, in lower case.
    pub email: String,
    /// What people call it.
    pub name: Option<String>,
    /// What it is on the install.
    pub role: OrganizationRole,
    /// Since when it is known.
    pub created_at: DateTime<Utc>,
}

/// An address as it is stored.
///
/// # Errors
/// [`Error::Invalid`] for what is no address.
pub(crate) fn email_address(text: &str) -> Result<String> {
    let email = text.trim().to_lowercase();
    let parts = email.split_once('@');
    let fine = parts.is_some_and(|(local, domain)| {
        !local.is_empty()
            && !domain.is_empty()
            && !domain.contains('@')
            && !email.chars().any(|c| c.is_whitespace() || c.is_control())
    });
    if fine && email.chars().count() <= 320 {
        Ok(email)
    } else {
        Err(Error::Invalid("must be an email address".into()))
    }
}

/// Somebody.
///
/// # Errors
/// When the database is away.
pub async fn find_person(tx: &mut OperatorTx, id: PersonId) -> Result<Option<Person>> {
    Ok(
        sqlx::query_as("select id, email, name, role, created_at from people where id = $1")
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?,
    )
}

/// Whoever has that address.
///
/// # Errors
/// [`Error::Invalid`] for what is no address.
pub async fn find_person_by_email(tx: &mut OperatorTx, email: &str) -> Result<Option<Person>> {
    Ok(
        sqlx::query_as("select id, email, name, role, created_at from people where email = $1")
            .bind(email_address(email)?)
            .fetch_optional(&mut **tx)
            .await?,
    )
}

/// Whoever has that address, known from now on if it was not before.
pub(super) async fn know(
    tx: &mut OperatorTx,
    email: &str,
    name: Option<&str>,
    role: OrganizationRole,
) -> Result<Person> {
    let email = email_address(email)?;
    let made: Option<Person> = sqlx::query_as(
        "insert into people (id, email, name, role) values ($1, $2, $3, $4) on conflict do nothing
         returning id, email, name, role, created_at",
    )
    .bind(PersonId::generate())
    .bind(&email)
    .bind(name)
    .bind(role)
    .fetch_optional(&mut **tx)
    .await?;
    if let Some(person) = made {
        let act = Act::new(Event::UserAdded, person.id);
        let act = act.data(json!({"role": role.as_str(), "email": email}));
        record_by_operator(tx, INSTALL, act).await?;
        return Ok(person);
    }
    let found = find_person_by_email(tx, &email).await?;
    found.ok_or_else(|| Error::Invalid(format!("'{email}' was removed this moment")))
}

/// Makes a person an owner of the install, or a reader.
///
/// # Errors
/// When the database is away.
pub async fn set_organization_role(
    tx: &mut OperatorTx,
    id: PersonId,
    role: OrganizationRole,
) -> Result<Change<Person>> {
    lock(tx).await?;
    let Some(before) = find_person(tx, id).await? else {
        return Ok(Change::Unknown);
    };
    if before.role == role {
        return Ok(Change::Made(before));
    }
    if is_last_owner(tx, &before).await? {
        return Ok(Change::LastOwner);
    }
    sqlx::query("update people set role = $2 where id = $1")
        .bind(id)
        .bind(role)
        .execute(&mut **tx)
        .await?;
    if role != OrganizationRole::Owner {
        access::end_all_of(tx, id).await?;
    }
    let (old, new) = (
        json!({"role": before.role.as_str()}),
        json!({"role": role.as_str()}),
    );
    record_by_operator(tx, INSTALL, Act::new(Event::UserUpdated, id).changed(old, new)).await?;
    Ok(Change::Made(Person { role, ..before }))
}

/// Removes a person, and all its memberships with it.
///
/// # Errors
/// When the database is away. Nothing may be committed of a change that was not made.
pub async fn delete_person(tx: &mut OperatorTx, id: PersonId) -> Result<Change<()>> {
    lock(tx).await?;
    let Some(person) = find_person(tx, id).await? else {
        return Ok(Change::Unknown);
    };
    if is_last_owner(tx, &person).await? {
        return Ok(Change::LastOwner);
    }
    let tenants: Vec<TenantId> =
        sqlx::query_scalar("select tenant_id from members where person_id = $1 order by tenant_id")
            .bind(id)
            .fetch_all(&mut **tx)
            .await?;
    for id in &tenants {
        tenant::lock(tx, *id).await?;
    }
    let data = json!({"role": person.role.as_str(), "email": person.email});
    record_by_operator(tx, INSTALL, Act::new(Event::UserDeleted, id).removed(data)).await?;
    access::end_all_of(tx, id).await?;
    for tenant in tenants {
        if remove(tx, tenant, id).await? == Change::LastOwner {
            return Ok(Change::LastOwner);
        }
    }
    sqlx::query("delete from people where id = $1")
        .bind(id)
        .execute(&mut **tx)
        .await?;
    Ok(Change::Made(()))
}

/// Changes of who owns the install wait for each other.
async fn lock(tx: &mut OperatorTx) -> Result<()> {
    sqlx::query("select pg_advisory_xact_lock(7310596436)")
        .execute(&mut **tx)
        .await?;
    Ok(())
}

async fn is_last_owner(tx: &mut OperatorTx, person: &Person) -> Result<bool> {
    if person.role != OrganizationRole::Owner {
        return Ok(false);
    }
    let others: bool =
        sqlx::query_scalar("select exists (select from people where id <> $1 and role = 'owner')")
            .bind(person.id)
            .fetch_one(&mut **tx)
            .await?;
    Ok(!others)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_address_has_one_spelling() {
        assert_eq!(email_address(" Ada@Example.COM ").unwrap(), "ada@example.com");
        for bad in [
            "",
            "ada",
            "@b",
            "a@",
            "a@b@c",
            "a b@c",
            "a@b\0",
            &format!("{}@b", "x".repeat(320)),
        ] {
            assert!(email_address(bad).is_err(), "{bad}");
        }
    }
}
