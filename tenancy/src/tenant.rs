//! Tenants, managed by the operator.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::audit::{Act, Event, record_by_operator};
use crate::{Error, OperatorTx, Result, TenantId};

/// A customer of the operator.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name on this install: lower-case letters, digits and hyphens.
    pub name: String,
    /// What people call it; its name unless said otherwise.
    pub title: String,
    /// `active` or `suspended`.
    pub status: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When it was suspended for good.
    pub archived_at: Option<DateTime<Utc>>,
    /// When its removal was asked for.
    pub erasing_at: Option<DateTime<Utc>>,
    /// When all its data was gone.
    pub erased_at: Option<DateTime<Utc>>,
}

impl Tenant {
    /// `active`, `suspended`, `archived`, `erasing` or `erased`.
    pub fn state(&self) -> &str {
        match (self.erased_at, self.erasing_at, self.archived_at) {
            (Some(_), ..) => "erased",
            (None, Some(_), _) => "erasing",
            (None, None, Some(_)) => "archived",
            (None, None, None) => &self.status,
        }
    }

    /// Whether its keys are let in.
    pub fn is_active(&self) -> bool {
        self.status == "active"
    }
}

/// Creates a tenant.
///
/// # Errors
/// [`Error::Invalid`] if the name is taken or not 1–63 lower-case letters, digits and inner hyphens.
pub async fn create(tx: &mut OperatorTx, name: &str) -> Result<Tenant> {
    let made: Tenant = sqlx::query_as(
        "insert into tenants (id, name) values ($1, $2)
         returning id, name, coalesce(title, name) as title, status, created_at, archived_at, erasing_at, erased_at",
    )
    .bind(TenantId::generate())
    .bind(name)
    .fetch_one(&mut **tx)
    .await
    .map_err(|error| match error.as_database_error() {
        Some(db) if db.is_unique_violation() => {
            Error::Invalid(format!("a tenant named '{name}' exists already"))
        }
        Some(db) if db.is_check_violation() => Error::Invalid(format!(
            "'{name}' is not a tenant name: 1 to 63 lower-case letters, digits and inner hyphens"
        )),
        _ => error.into(),
    })?;
    log_creation(tx, &made).await?;
    Ok(made)
}

/// Creates a tenant that people call `title`, whatever that is written in. Its name is made from it, and from its id where
/// that is taken or leaves nothing.
///
/// # Errors
/// [`Error::Invalid`] for a title of more than 256 characters or none.
pub async fn create_titled(tx: &mut OperatorTx, title: &str) -> Result<Tenant> {
    check_title(title)?;
    let id = TenantId::generate();
    let hex = id.uuid().simple().to_string();
    let slug = slug(title);
    // The last digits are the random ones.
    let full = match &*slug {
        "" => format!("project-{hex}"),
        slug => format!("{slug}-{}", &hex[20..]),
    };
    let mut made: Option<Tenant> = None;
    for name in [&*slug, &*full] {
        if made.is_some() || name.is_empty() {
            continue;
        }
        made = sqlx::query_as(
            "insert into tenants (id, name, title) values ($1, $2, $3) on conflict do nothing
             returning id, name, title, status, created_at, archived_at, erasing_at, erased_at",
        )
        .bind(id)
        .bind(name)
        .bind(title)
        .fetch_optional(&mut **tx)
        .await?;
    }
    let made = made.ok_or_else(|| Error::Invalid("no name is free for this tenant".into()))?;
    log_creation(tx, &made).await?;
    Ok(made)
}

async fn log_creation(tx: &mut OperatorTx, made: &Tenant) -> Result<()> {
    let act = Act::new(Event::ProjectCreated, made.id);
    let data = json!({"name": made.name, "title": made.title});
    record_by_operator(tx, made.id, act.data(data)).await
}

/// All tenants, by name; with those that are erased, or without.
///
/// # Errors
/// When the database is away.
pub async fn list(tx: &mut OperatorTx, erased: bool) -> Result<Vec<Tenant>> {
    Ok(sqlx::query_as(
        "select id, name, coalesce(title, name) as title, status, created_at, archived_at, erasing_at, erased_at from tenants
         where erased_at is null or $1 order by name",
    )
    .bind(erased)
    .fetch_all(&mut **tx)
    .await?)
}

/// The tenant of that name or id, if there is one.
///
/// # Errors
/// When the database is away.
pub async fn find(tx: &mut OperatorTx, name_or_id: &str) -> Result<Option<Tenant>> {
    let id = name_or_id.parse::<TenantId>().ok();
    Ok(sqlx::query_as(
        "select id, name, coalesce(title, name) as title, status, created_at, archived_at, erasing_at, erased_at from tenants
         where name = $1 or id = $2",
    )
    .bind(name_or_id)
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// The tenant of that id, kept from other changes until the transaction ends.
///
/// # Errors
/// When the database is away.
pub async fn lock(tx: &mut OperatorTx, id: TenantId) -> Result<Option<Tenant>> {
    Ok(sqlx::query_as(
        "select id, name, coalesce(title, name) as title, status, created_at, archived_at, erasing_at, erased_at from tenants
         where id = $1 for no key update",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// The tenant of that name or id.
///
/// # Errors
/// [`Error::Invalid`] if there is none.
pub async fn get(tx: &mut OperatorTx, name_or_id: &str) -> Result<Tenant> {
    find(tx, name_or_id)
        .await?
        .ok_or_else(|| Error::Invalid(format!("there is no tenant '{name_or_id}'")))
}

/// Has people call a tenant something else. Its name stays.
///
/// # Errors
/// As for [`create_titled`].
pub async fn set_title(tx: &mut OperatorTx, tenant: &Tenant, title: &str) -> Result<()> {
    check_title(title)?;
    sqlx::query("update tenants set title = $2 where id = $1")
        .bind(tenant.id)
        .bind(title)
        .execute(&mut **tx)
        .await?;
    let act = Act::new(Event::ProjectUpdated, tenant.id);
    let act = act.changed(json!({"title": tenant.title}), json!({"title": title}));
    record_by_operator(tx, tenant.id, act).await
}

/// Suspends a tenant, so that its keys are refused with a reason, or lets it in again. Nothing is deleted.
///
/// # Errors
/// [`Error::Invalid`] for letting in one that is archived.
pub async fn set_suspended(tx: &mut OperatorTx, id: TenantId, suspended: bool) -> Result<()> {
    let Some(tenant) = lock(tx, id).await? else {
        return Ok(());
    };
    if tenant.archived_at.is_some() {
        return if suspended {
            Ok(())
        } else {
            Err(Error::Invalid("this tenant is archived, for good".into()))
        };
    }
    if tenant.is_active() != suspended {
        return Ok(());
    }
    sqlx::query("update tenants set status = $2 where id = $1")
        .bind(id)
        .bind(if suspended { "suspended" } else { "active" })
        .execute(&mut **tx)
        .await?;
    let event = if suspended {
        Event::ProjectSuspended
    } else {
        Event::ProjectResumed
    };
    record_by_operator(tx, id, Act::new(event, id)).await
}

/// Suspends a tenant for good. Nothing is deleted.
///
/// # Errors
/// When the database is away.
pub async fn archive(tx: &mut OperatorTx, id: TenantId) -> Result<()> {
    let done = sqlx::query(
        "update tenants set status = 'suspended', archived_at = now() where id = $1 and archived_at is null",
    )
    .bind(id)
    .execute(&mut **tx)
    .await?;
    if done.rows_affected() == 0 {
        return Ok(());
    }
    record_by_operator(tx, id, Act::new(Event::ProjectArchived, id)).await
}

fn check_title(title: &str) -> Result<()> {
    if title.trim().is_empty() || title.chars().count() > 256 || title.contains('\0') {
        return Err(Error::Invalid("must have 1 to 256 characters".into()));
    }
    Ok(())
}

/// A tenant's name from what people call it: "Shop (Berlin)" becomes `shop-berlin`. Empty if no character can stay.
fn slug(title: &str) -> String {
    let mut slug = String::new();
    for c in title.chars().flat_map(char::to_lowercase) {
        if slug.len() >= 48 {
            break;
        }
        if c.is_ascii_lowercase() || c.is_ascii_digit() {
            slug.push(c);
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_made_of_titles() {
        for (title, name) in [
            ("Shop (Berlin)", "shop-berlin"),
            ("  R&D -- 2026! ", "r-d-2026"),
            ("متجر", ""),
            ("متجر 2", "2"),
            ("ÅSA", "sa"),
        ] {
            assert_eq!(slug(title), name, "{title}");
        }
        assert_eq!(slug(&"x".repeat(300)).len(), 48);
    }
}
