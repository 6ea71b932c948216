//! Looks of the operator's at a tenant's data. The operator sees none of it; whoever runs the install and has to look in
//! opens an access first: for a stated reason, for some minutes, for its own sessions. It then sees what a viewer sees and
//! changes nothing, and the tenant's audit log says so.

use std::time::Duration;

use chrono::{DateTime, Utc};
use moka::future::Cache;
use serde_json::json;

use crate::audit::{self, Act, Event, INSTALL, record_by_operator};
use crate::member::{self, Role};
use crate::{
    AccessId, Actor, Authenticator, Db, Error, OperatorTx, PersonId, Result, Scope, TenantContext, TenantId,
    TenantTx, tenant,
};

/// Fewest characters of a reason.
pub const SHORTEST_REASON: usize = 10;
/// Most.
pub const LONGEST_REASON: usize = 500;
/// One operation is logged once in so long: a page that asks for a list in ten parts is one look.
const ONCE_IN: Duration = Duration::from_secs(60);
/// Most that is remembered.
const REMEMBERED: u64 = 10_000;

/// What may be looked at: what a viewer sees, and all of it as a file.
pub fn scopes() -> Vec<Scope> {
    let mut scopes = Role::Viewer.scopes();
    scopes.push(Scope::ExportRead);
    scopes
}

/// A look at a tenant's data.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Access {
    /// Its id.
    pub id: AccessId,
    /// At whose data.
    pub tenant_id: TenantId,
    /// What people call the tenant.
    pub tenant_name: String,
    /// Why.
    pub reason: String,
    /// Who, as the audit log says it.
    pub opened_by: String,
    /// Since when.
    pub created_at: DateTime<Utc>,
    /// Until when, unless it is ended.
    pub expires_at: DateTime<Utc>,
    /// When it was over.
    pub ended_at: Option<DateTime<Utc>>,
    /// Who ended it, as the audit log says it.
    pub ended_by: Option<String>,
}

/// An access that is open, as the session that uses it knows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenAccess {
    /// Which.
    pub id: AccessId,
    /// Why.
    pub reason: String,
    /// Until when.
    pub expires_at: DateTime<Utc>,
}

/// Opens a tenant to a person's sessions. One that it has open there already is ended.
///
/// # Errors
/// [`Error::Invalid`] for a tenant that it is a member of; when the database is away.
pub async fn open(
    tx: &mut OperatorTx,
    tenant_id: TenantId,
    person: PersonId,
    reason: &str,
    lasts: Duration,
) -> Result<Access> {
    tenant::lock(tx, tenant_id).await?;
    if member::find(tx, tenant_id, person).await?.is_some() {
        let message = "You are a member of this tenant, and see what your role there shows.";
        return Err(Error::Invalid(message.into()));
    }
    let before: Vec<AccessId> = sqlx::query_scalar(
        "select id from tenant_accesses
         where tenant_id = $1 and person_id = $2 and ended_at is null and expires_at > now() order by id",
    )
    .bind(tenant_id)
    .bind(person)
    .fetch_all(&mut **tx)
    .await?;
    for id in before {
        end(tx, id).await?;
    }
    let id = AccessId::generate();
    let by = tx.origin().by.to_string();
    sqlx::query(
        "insert into tenant_accesses (tenant_id, id, person_id, reason, opened_by, expires_at)
         values ($1, $2, $3, $4, $5, now() + make_interval(secs => $6))",
    )
    .bind(tenant_id)
    .bind(id)
    .bind(person)
    .bind(reason)
    .bind(by)
    .bind(lasts.as_secs_f64())
    .execute(&mut **tx)
    .await?;
    let access = find(tx, id).await?;
    let access = access.ok_or_else(|| Error::Invalid("the access is gone".into()))?;
    let data = json!({"reason": reason, "expires_at": access.expires_at.timestamp(), "tenant": tenant_id});
    for chain in [INSTALL, tenant_id] {
        let act = Act::new(Event::OperatorAccessOpened, id).data(data.clone());
        record_by_operator(tx, chain, act).await?;
    }
    Ok(access)
}

/// An access.
///
/// # Errors
/// When the database is away.
pub async fn find(tx: &mut OperatorTx, id: AccessId) -> Result<Option<Access>> {
    Ok(sqlx::query_as(
        "select a.id, a.tenant_id, coalesce(t.title, t.name) as tenant_name, a.reason, a.opened_by, a.created_at,
                a.expires_at, a.ended_at, a.ended_by
         from tenant_accesses a join tenants t on t.id = a.tenant_id where a.id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Ends an access, at once; one that is over stays as it is. `None`: there is none.
///
/// # Errors
/// When the database is away.
pub async fn end(tx: &mut OperatorTx, id: AccessId) -> Result<Option<Access>> {
    let ended_by = tx.origin().by.to_string();
    if let Some(tenant_id) = close(tx, id, &ended_by).await? {
        for chain in [INSTALL, tenant_id] {
            record_by_operator(tx, chain, Act::new(Event::OperatorAccessEnded, id)).await?;
        }
    }
    find(tx, id).await
}

/// Ends an access of somebody's to the tenant, as [`end`]. `None`: the tenant has none of that id.
///
/// # Errors
/// When the database is away.
pub async fn end_own(tx: &mut TenantTx, id: AccessId) -> Result<Option<Access>> {
    let by = tx.origin().by.to_string();
    if close(tx, id, &by).await?.is_some() {
        audit::record(tx, Act::new(Event::OperatorAccessEnded, id)).await?;
    }
    Ok(sqlx::query_as(
        "select a.id, a.tenant_id, coalesce(t.title, t.name) as tenant_name, a.reason, a.opened_by, a.created_at,
                a.expires_at, a.ended_at, a.ended_by
         from tenant_accesses a join tenants t on t.id = a.tenant_id where a.id = $1",
    )
    .bind(id)
    .fetch_optional(&mut **tx)
    .await?)
}

/// Ends all of a person's, who runs the install no more.
pub(crate) async fn end_all_of(tx: &mut OperatorTx, person: PersonId) -> Result<()> {
    let open: Vec<AccessId> = sqlx::query_scalar(
        "select id from tenant_accesses where person_id = $1 and ended_at is null order by tenant_id, id",
    )
    .bind(person)
    .fetch_all(&mut **tx)
    .await?;
    for id in open {
        end(tx, id).await?;
    }
    Ok(())
}

/// Says of accesses whose time is over that they are, as the server; how many they were.
///
/// # Errors
/// When the database is away.
pub async fn end_expired(db: &Db) -> Result<usize> {
    let mut tx = db.begin_operator(audit::Origin::SYSTEM).await?;
    let over: Vec<AccessId> = sqlx::query_scalar(
        "select id from tenant_accesses where ended_at is null and expires_at <= now() order by tenant_id, id limit 100",
    )
    .fetch_all(&mut *tx)
    .await?;
    for id in &over {
        end(&mut tx, *id).await?;
    }
    tx.commit().await?;
    Ok(over.len())
}

/// Notes the end of one that has none. What expired is over since then, whoever notes it. Whose it was.
async fn close(
    connection: &mut sqlx::postgres::PgConnection,
    id: AccessId,
    by: &str,
) -> Result<Option<TenantId>> {
    Ok(sqlx::query_scalar(
        "update tenant_accesses set ended_at = least(now(), expires_at),
                ended_by = case when expires_at <= now() then 'system' else $2 end
         where id = $1 and ended_at is null returning tenant_id",
    )
    .bind(id)
    .bind(by)
    .fetch_optional(connection)
    .await?)
}

/// What was logged of late: which access, for which operation.
pub(crate) type Looks = Cache<(AccessId, String), ()>;

/// Nothing was logged yet.
pub(crate) fn no_looks() -> Looks {
    Cache::builder()
        .max_capacity(REMEMBERED)
        .time_to_live(ONCE_IN)
        .build()
}

impl Authenticator {
    /// Logs, for the tenant to see, that somebody who runs the install looks at its data by `operation`; nothing for other
    /// callers. A look that cannot be logged is not had.
    ///
    /// # Errors
    /// When the database is away.
    pub async fn record_look(&self, cx: &TenantContext, operation: &str) -> Result<()> {
        let Actor::Guest { access, .. } = cx.actor() else {
            return Ok(());
        };
        let logged = async {
            let mut tx = self.db.tenant(cx).await?;
            let act = Act::new(Event::OperatorAccessUsed, access);
            audit::record(&mut tx, act.data(json!({"operation": operation}))).await?;
            tx.commit().await
        };
        // Of many at once one is logged, and the others wait for it.
        let looks = &self.looks;
        let done = looks.try_get_with((access, operation.to_owned()), logged).await;
        done.map_err(|error| Error::Unavailable(format!("a look could not be logged: {error}")))
    }
}
