//! Which models a tenant may name, as the operator says.

use serde_json::{Value, json};

use crate::audit::{Act, Event, record_by_operator};
use crate::{Error, OperatorTx, Result, TenantId, TenantTx};

/// Most models of one list.
const MOST: usize = 1_000;

/// How a list of models is meant.
#[derive(Debug, Clone, Copy, PartialEq, Eq, sqlx::Type)]
#[sqlx(type_name = "text", rename_all = "snake_case")]
pub enum PermissionMode {
    /// Only these.
    AllowList,
    /// All but these.
    DenyList,
}

impl PermissionMode {
    /// The stored name.
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::AllowList => "allow_list",
            Self::DenyList => "deny_list",
        }
    }
}

/// Which models a tenant may name.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct ModelPermissions {
    /// How the list is meant.
    pub mode: PermissionMode,
    /// Names of models.
    pub models: Vec<String>,
}

impl Default for ModelPermissions {
    /// All.
    fn default() -> Self {
        Self {
            mode: PermissionMode::DenyList,
            models: Vec::new(),
        }
    }
}

impl ModelPermissions {
    /// Whether a model may be named.
    pub fn permit(&self, model: &str) -> bool {
        let listed = self.models.iter().any(|name| name == model);
        match self.mode {
            PermissionMode::AllowList => listed,
            PermissionMode::DenyList => !listed,
        }
    }

    fn told(&self) -> Value {
        json!({"mode": self.mode.as_str(), "model_ids": self.models})
    }
}

/// The tenant's own permissions; `None`: nobody has set any.
///
/// # Errors
/// When the database is away.
pub async fn own(tx: &mut TenantTx) -> Result<Option<ModelPermissions>> {
    Ok(sqlx::query_as("select mode, models from model_permissions")
        .fetch_optional(&mut **tx)
        .await?)
}

/// A tenant's permissions; `None`: nobody has set any.
///
/// # Errors
/// When the database is away.
pub async fn find(tx: &mut OperatorTx, tenant_id: TenantId) -> Result<Option<ModelPermissions>> {
    Ok(
        sqlx::query_as("select mode, models from model_permissions where tenant_id = $1")
            .bind(tenant_id)
            .fetch_optional(&mut **tx)
            .await?,
    )
}

/// Sets which models a tenant may name. Servers follow within a second.
///
/// # Errors
/// [`Error::Invalid`] for more than a thousand models, or a name that is empty or too long.
pub async fn set(tx: &mut OperatorTx, tenant_id: TenantId, new: &ModelPermissions) -> Result<()> {
    let fine = |name: &String| (1..=256).contains(&name.chars().count()) && !name.contains('\0');
    if new.models.len() > MOST || !new.models.iter().all(fine) {
        return Err(Error::Invalid(format!(
            "takes at most {MOST} names of 1 to 256 characters"
        )));
    }
    let before = find(tx, tenant_id).await?;
    sqlx::query(
        "insert into model_permissions (tenant_id, mode, models) values ($1, $2, $3)
         on conflict (tenant_id) do update set mode = excluded.mode, models = excluded.models, updated_at = now()",
    )
    .bind(tenant_id)
    .bind(new.mode)
    .bind(&new.models)
    .execute(&mut **tx)
    .await?;
    let before = before.map_or(Value::Null, |before| before.told());
    let act = Act::new(Event::ModelPermissionsUpdated, tenant_id).changed(before, new.told());
    record_by_operator(tx, tenant_id, act).await
}

/// Lets a tenant name all models again. `false`: it could before.
///
/// # Errors
/// When the database is away.
pub async fn unset(tx: &mut OperatorTx, tenant_id: TenantId) -> Result<bool> {
    let Some(before) = find(tx, tenant_id).await? else {
        return Ok(false);
    };
    sqlx::query("delete from model_permissions where tenant_id = $1")
        .bind(tenant_id)
        .execute(&mut **tx)
        .await?;
    let act = Act::new(Event::ModelPermissionsDeleted, tenant_id).removed(before.told());
    record_by_operator(tx, tenant_id, act).await?;
    Ok(true)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lists_allow_or_deny() {
        let list = |mode| ModelPermissions {
            mode,
            models: vec!["a".into()],
        };
        let (allow, deny) = (list(PermissionMode::AllowList), list(PermissionMode::DenyList));
        assert!(allow.permit("a") && !allow.permit("b"));
        assert!(!deny.permit("a") && deny.permit("b"));
        assert!(ModelPermissions::default().permit("a"));
    }
}
