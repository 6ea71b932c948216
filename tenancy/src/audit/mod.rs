//! The audit log: administrative acts, each in the transaction of the act, in chains that show every later change.
//!
//! Each tenant has a chain, with what it did and what the operator did to it, and the install has one of its own. An entry's
//! hash is over its own fields and the hash of the entry before it, so whoever changes, removes, adds or moves one changes
//! all hashes after it. [`verify`] walks the chains. Entries hold no secrets.

mod event;
mod hash;
mod verify;

use std::fmt;
use std::net::IpAddr;

use chrono::{DateTime, Utc};
use serde_json::{Map, Value};
use sqlx::postgres::PgConnection;

use self::hash::Hash;
use crate::{Actor, AuditLogId, OperatorKeyId, OperatorTx, PersonId, Result, TenantId, TenantTx};

pub use event::Event;
pub use verify::{Broken, Chain, Verdict, verify};

/// The chain of the install itself, which is no tenant's.
pub const INSTALL: TenantId = TenantId::NIL;

/// Who acts.
#[derive(Debug, Clone, Copy)]
pub(crate) enum By {
    /// Whoever runs the command line on the machine.
    Console,
    /// The operator, with this key.
    Operator(OperatorKeyId),
    /// A person who runs the install.
    Person(PersonId),
    /// A tenant's key, member or job.
    Tenant(Actor),
    /// The server by itself.
    System,
}

impl fmt::Display for By {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Console => f.write_str("console"),
            Self::Operator(id) => id.fmt(f),
            Self::Tenant(Actor::Key(id)) => id.fmt(f),
            Self::Tenant(Actor::Job(id)) => id.fmt(f),
            Self::Tenant(Actor::Operator) => f.write_str("operator"),
            Self::Tenant(Actor::Member { person, .. } | Actor::Guest { person, .. })
            | Self::Person(person) => person.fmt(f),
            Self::System => f.write_str("system"),
        }
    }
}

/// Who acts, and from where. Each transaction carries it.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Origin {
    pub(crate) by: By,
    pub(crate) address: Option<IpAddr>,
}

impl Origin {
    pub(crate) const CONSOLE: Self = Self {
        by: By::Console,
        address: None,
    };
    pub(crate) const SYSTEM: Self = Self {
        by: By::System,
        address: None,
    };
}

/// What was done.
#[derive(Debug, Clone)]
pub struct Act {
    event: Event,
    resource: String,
    details: Map<String, Value>,
}

impl Act {
    /// An act upon `resource`.
    pub fn new(event: Event, resource: impl fmt::Display) -> Self {
        let resource = resource.to_string();
        let details = Map::from_iter([("id".to_owned(), Value::from(resource.as_str()))]);
        Self {
            event,
            resource,
            details,
        }
    }

    /// With what it was made of.
    pub fn data(self, data: Value) -> Self {
        self.with("data", data)
    }

    /// With what was there before and what is there now.
    pub fn changed(self, before: Value, after: Value) -> Self {
        self.with("changes_requested", after).with("before", before)
    }

    /// With what is gone.
    pub fn removed(self, before: Value) -> Self {
        self.with("before", before)
    }

    fn with(mut self, name: &str, value: Value) -> Self {
        self.details.insert(name.to_owned(), value);
        self
    }
}

/// An entry of the log.
#[derive(Debug, Clone, PartialEq, Eq, sqlx::FromRow)]
pub struct Entry {
    /// Whose chain; [`INSTALL`] for the install's own.
    pub tenant_id: TenantId,
    /// Its place in the chain, from 1.
    pub seq: i64,
    /// Its id.
    pub id: AuditLogId,
    /// When.
    pub created_at: DateTime<Utc>,
    /// What was done, as in `api_key.created`.
    pub event: String,
    /// Who did it: `key_…`, `opk_…`, `user-…`, `job_…`, `console` or `system`.
    pub actor: String,
    /// From where.
    pub address: Option<String>,
    /// The id of what was acted upon.
    pub resource: String,
    /// A JSON object.
    pub details: String,
    /// Over all of this and the hash of the entry before it.
    pub hash: Vec<u8>,
}

/// Records an act of the tenant's own, in the transaction of the act.
///
/// # Errors
/// When the database is away.
pub async fn record(tx: &mut TenantTx, act: Act) -> Result<()> {
    let (tenant_id, origin) = (tx.tenant_id(), tx.origin());
    append(tx, tenant_id, origin, act).await
}

/// Records an act of the operator's, in the transaction of the act and in the chain of the tenant that it was done to, or in
/// [`INSTALL`]'s.
///
/// # Errors
/// When the database is away.
pub async fn record_by_operator(tx: &mut OperatorTx, of: TenantId, act: Act) -> Result<()> {
    let origin = tx.origin();
    append(tx, of, origin, act).await
}

async fn append(connection: &mut PgConnection, of: TenantId, origin: Origin, act: Act) -> Result<()> {
    // A chain has one end. Who comes next waits until this act is committed or not. So that no two wait for each other, what
    // touches several chains takes tenants' rows first, then the install's chain, then the tenants', by their ids.
    sqlx::query("select pg_advisory_xact_lock(hashtextextended($1::text, 7310596435))")
        .bind(of)
        .execute(&mut *connection)
        .await?;
    let (now, last): (DateTime<Utc>, Option<i64>) =
        sqlx::query_as("select clock_timestamp(), max(seq) from audit_logs where tenant_id = $1")
            .bind(of)
            .fetch_one(&mut *connection)
            .await?;
    let before: Option<Vec<u8>> =
        sqlx::query_scalar("select hash from audit_logs where tenant_id = $1 and seq = $2")
            .bind(of)
            .bind(last)
            .fetch_optional(&mut *connection)
            .await?;
    let Act {
        event,
        resource,
        details,
    } = act;
    let mut entry = Entry {
        tenant_id: of,
        seq: last.unwrap_or(0) + 1,
        id: AuditLogId::generate(),
        created_at: now,
        event: event.as_str().to_owned(),
        actor: origin.by.to_string(),
        address: origin.address.map(|address| address.to_string()),
        resource,
        details: Value::Object(details).to_string(),
        hash: Vec::new(),
    };
    entry.hash = hash::of(&entry, &before.unwrap_or_else(|| Hash::default().to_vec())).to_vec();
    sqlx::query(
        "insert into audit_logs (tenant_id, seq, id, created_at, event, actor, address, resource, details, hash)
         values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10)",
    )
    .bind(entry.tenant_id)
    .bind(entry.seq)
    .bind(entry.id)
    .bind(entry.created_at)
    .bind(entry.event)
    .bind(entry.actor)
    .bind(entry.address)
    .bind(entry.resource)
    .bind(entry.details)
    .bind(entry.hash)
    .execute(connection)
    .await?;
    Ok(())
}
