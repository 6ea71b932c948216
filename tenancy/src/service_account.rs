//! Service accounts: what owns the keys that programs use.

use chrono::{DateTime, Utc};
use serde_json::json;

use crate::audit::{Act, Event, record_by_operator};
use crate::{Error, OperatorTx, Result, ServiceAccountId, TenantId};

/// What a service account is, in OpenAI's words. What a key may do is said by its scopes, not by this.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum ServiceAccountRole {
    /// As most are.
    Member,
    /// Of the project.
    Owner,
    /// Made without a key.
    None,
}

impl ServiceAccountRole {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Member => "member",
            Self::Owner => "owner",
            Self::None => "none",
        }
    }
}

/// What owns keys.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ServiceAccount {
    /// Its id.
    pub id: ServiceAccountId,
    /// A name for people.
    pub name: String,
    /// What it is.
    pub role: ServiceAccountRole,
    /// When it was made.
    pub created_at: DateTime<Utc>,
}

/// Makes a service account of a tenant, without a key.
///
/// # Errors
/// [`Error::Invalid`] for a name of more than 256 characters or none.
pub async fn create(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    name: &str,
    role: ServiceAccountRole,
) -> Result<ServiceAccount> {
    check_name(name)?;
    let made: ServiceAccount = sqlx::query_as(
        "insert into service_accounts (tenant_id, id, name, role) values ($1, $2, $3, $4)
         returning id, name, role, created_at",
    )
    .bind(tenant_id)
    .bind(ServiceAccountId::generate())
    .bind(name)
    .bind(role)
    .fetch_one(&mut **tx)
    .await?;
    let act = Act::new(Event::ServiceAccountCreated, made.id);
    let data = json!({"name": name, "role": role.as_str()});
    record_by_operator(tx, tenant_id, act.data(data)).await?;
    Ok(made)
}

/// A service account of a tenant.
///
/// # Errors
/// When the database is away.
pub async fn find(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    id: ServiceAccountId,
) -> Result<Option<ServiceAccount>> {
    Ok(sqlx::query_as(
        "select id, name, role, created_at from service_accounts where tenant_id = $1 and id = $2",
    )
    .bind(tenant_id)
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Changes name and role. `None`: there is none.
///
/// # Errors
/// As for [`create`].
pub async fn update(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    id: ServiceAccountId,
    name: Option<&str>,
    role: Option<ServiceAccountRole>,
) -> Result<Option<ServiceAccount>> {
    let Some(before) = find(tx, tenant_id, id).await? else {
        return Ok(None);
    };
    let (name, role) = (name.unwrap_or(&before.name), role.unwrap_or(before.role));
    check_name(name)?;
    let changed: Option<ServiceAccount> = sqlx::query_as(
        "update service_accounts set name = $3, role = $4 where tenant_id = $1 and id = $2
         returning id, name, role, created_at",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(name)
    .bind(role)
    .fetch_optional(&mut **tx)
    .await?;
    let act = Act::new(Event::ServiceAccountUpdated, id).changed(
        json!({"name": before.name, "role": before.role.as_str()}),
        json!({"name": name, "role": role.as_str()}),
    );
    record_by_operator(tx, tenant_id, act).await?;
    Ok(changed)
}

/// Removes a service account and revokes its keys, which every server refuses within a second. `false`: there is none.
///
/// # Errors
/// When the database is away.
pub async fn delete(tx: &mut OperatorTx, tenant_id: TenantId, id: ServiceAccountId) -> Result<bool> {
    let Some(before) = find(tx, tenant_id, id).await? else {
        return Ok(false);
    };
    crate::key::revoke_of_service_account(tx, tenant_id, id).await?;
    sqlx::query("delete from service_accounts where tenant_id = $1 and id = $2")
        .bind(tenant_id)
        .bind(id)
        .execute(&mut **tx)
        .await?;
    let act = Act::new(Event::ServiceAccountDeleted, id);
    let act = act.removed(json!({"name": before.name, "role": before.role.as_str()}));
    record_by_operator(tx, tenant_id, act).await?;
    Ok(true)
}

fn check_name(name: &str) -> Result<()> {
    if name.trim().is_empty() || name.chars().count() > 256 || name.contains('\0') {
        return Err(Error::Invalid("must have 1 to 256 characters".into()));
    }
    Ok(())
}
