//! Tenants, managed by the operator.

use chrono::{DateTime, Utc};

use crate::{Error, OperatorTx, Result, TenantId};

/// A customer of the operator.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Tenant {
    /// Its id.
    pub id: TenantId,
    /// Its name on this install: lower-case letters, digits and hyphens.
    pub name: String,
    /// `active` or `suspended`.
    pub status: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Creates a tenant.
///
/// # Errors
/// [`Error::Invalid`] if the name is taken or not 1–63 lower-case letters, digits and inner hyphens.
pub async fn create(tx: &mut OperatorTx, name: &str) -> Result<Tenant> {
    sqlx::query_as("insert into tenants (id, name) values ($1, $2) returning id, name, status, created_at")
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
        })
}

/// All tenants, by name.
///
/// # Errors
/// When the database is away.
pub async fn list(tx: &mut OperatorTx) -> Result<Vec<Tenant>> {
    Ok(
        sqlx::query_as("select id, name, status, created_at from tenants order by name")
            .fetch_all(&mut **tx)
            .await?,
    )
}

/// The tenant of that name or id, if there is one.
///
/// # Errors
/// When the database is away.
pub async fn find(tx: &mut OperatorTx, name_or_id: &str) -> Result<Option<Tenant>> {
    let id = name_or_id.parse::<TenantId>().ok();
    Ok(
        sqlx::query_as("select id, name, status, created_at from tenants where name = $1 or id = $2")
            .bind(name_or_id)
            .bind(id)
            .fetch_optional(&mut **tx)
            .await?,
    )
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

/// Suspends a tenant, so that its keys are refused with a reason, or lets it in again. Nothing is deleted.
///
/// # Errors
/// When the database is away.
pub async fn set_suspended(tx: &mut OperatorTx, id: TenantId, suspended: bool) -> Result<()> {
    sqlx::query("update tenants set status = $2 where id = $1")
        .bind(id)
        .bind(if suspended { "suspended" } else { "active" })
        .execute(&mut **tx)
        .await?;
    Ok(())
}
