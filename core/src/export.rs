//! The right to read out all that a tenant has: one at a time has it, over all servers. What is read, and how it is written, is
//! the HTTP layer's, because it is what the API shows.

use std::time::Duration;

use chrono::{DateTime, Utc};
use insula_tenancy::audit::{self, Act, Event};
use insula_tenancy::{Db, TenantContext, TenantTx, new_uuid, recheck};
use uuid::Uuid;

use crate::{Error, Result};

/// How long the right is held without being renewed: as long as a client may take for one step.
const LEASE: Duration = Duration::from_secs(60);

/// The tenant as its export tells of it.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Subject {
    /// Its name on this install.
    pub name: String,
    /// What people call it.
    pub title: String,
    /// When it was made.
    pub created_at: DateTime<Utc>,
    /// When the export began.
    pub began_at: DateTime<Utc>,
}

/// The right to read out what a tenant has.
#[derive(Debug)]
pub struct Export {
    db: Db,
    cx: TenantContext,
    token: Uuid,
}

impl Export {
    /// Takes the right. The audit log says so at once, because what was sent is sent, whether or not all of it was.
    ///
    /// # Errors
    /// [`Error::Conflict`] while another one has it.
    pub async fn begin(db: &Db, cx: &TenantContext) -> Result<(Self, Subject)> {
        let token = new_uuid();
        let mut tx = db.tenant(cx).await?;
        let taken = sqlx::query(
            "insert into tenant_exports as e (token, lease_until) values ($1, now() + make_interval(secs => $2))
             on conflict (tenant_id) do update set token = excluded.token, lease_until = excluded.lease_until
             where e.lease_until < now()",
        )
        .bind(token)
        .bind(LEASE.as_secs_f64())
        .execute(&mut *tx)
        .await?;
        if taken.rows_affected() == 0 {
            let message =
                "All that the tenant has is being downloaded already. Try again when that has ended.";
            return Err(Error::Conflict(message.into()));
        }
        let subject = sqlx::query_as(
            "select name, coalesce(title, name) as title, created_at, now() as began_at from tenants",
        )
        .fetch_one(&mut *tx)
        .await?;
        audit::record(&mut tx, Act::new(Event::ExportDownloaded, cx.tenant_id())).await?;
        tx.commit().await?;
        let export = Self {
            db: db.clone(),
            cx: cx.clone(),
            token,
        };
        Ok((export, subject))
    }

    /// A transaction to read a page in. The right is renewed, and that of the caller is looked at again.
    ///
    /// # Errors
    /// [`Error::Conflict`] if the right was lost, because the client took too long; [`Error::Access`] if the caller's was.
    pub async fn read(&self) -> Result<TenantTx> {
        let mut tx = self.db.tenant_in_passing(&self.cx).await?;
        recheck(&mut tx, &self.cx).await?;
        let renewed = sqlx::query(
            "update tenant_exports set lease_until = now() + make_interval(secs => $2) where token = $1",
        )
        .bind(self.token)
        .bind(LEASE.as_secs_f64())
        .execute(&mut *tx)
        .await?;
        if renewed.rows_affected() == 0 {
            return Err(Error::Conflict("The client took too long.".into()));
        }
        tx.commit().await?;
        Ok(self.db.tenant(&self.cx).await?)
    }

    /// Gives the right back.
    ///
    /// # Errors
    /// When the database is away; the right then runs out.
    pub async fn end(&self) -> Result<()> {
        let mut tx = self.db.tenant_in_passing(&self.cx).await?;
        sqlx::query("delete from tenant_exports where token = $1")
            .bind(self.token)
            .execute(&mut *tx)
            .await?;
        tx.commit().await?;
        Ok(())
    }
}
