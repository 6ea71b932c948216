//! The one door to SQL. Only this file sets a role or a tenant.

use std::ops::{Deref, DerefMut};
use std::str::FromStr;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use sqlx::pool::PoolConnection;
use sqlx::postgres::{PgConnectOptions, PgConnection, PgPool, PgPoolOptions};
use sqlx::{AssertSqlSafe, Connection, Postgres};

use crate::audit::Origin;
use crate::{Error, OperatorContext, Result, TenantContext, TenantId};

/// How to reach the database.
#[derive(Debug, Clone)]
pub struct DbConfig {
    /// `postgres://insula_app:…@host/database`.
    pub url: SecretString,
    /// Most connections held at once.
    pub max_connections: u32,
    /// How long a request waits for a free connection before it is told that the server is busy.
    pub acquire_timeout: Duration,
}

impl DbConfig {
    /// The defaults for `url`: 16 connections, 3 s of patience.
    pub fn new(url: SecretString) -> Self {
        Self {
            url,
            max_connections: 16,
            acquire_timeout: Duration::from_secs(3),
        }
    }
}

/// The database, reachable only through a tenant's, the system's or the operator's transaction.
#[derive(Clone)]
pub struct Db {
    pool: PgPool,
    url: Arc<SecretString>,
}

impl std::fmt::Debug for Db {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Db")
            .field("connections", &self.pool.size())
            .finish()
    }
}

impl Db {
    /// Connects, and refuses a login that could go round row-level security.
    ///
    /// # Errors
    /// [`Error::Refused`] if the login is a superuser, has BYPASSRLS, owns tables, inherits privileges or may become
    /// the owner; [`Error::Unavailable`] if the database cannot be reached.
    pub async fn connect(config: &DbConfig) -> Result<Self> {
        let options = PgConnectOptions::from_str(config.url.expose_secret())
            .map_err(|_| Error::Invalid("DATABASE_URL is not a postgres:// address".into()))?
            .application_name("insula");
        let pool = PgPoolOptions::new()
            .max_connections(config.max_connections)
            .acquire_timeout(config.acquire_timeout)
            .test_before_acquire(true)
            .connect_with(options)
            .await?;
        let db = Self {
            pool,
            url: Arc::new(config.url.clone()),
        };
        db.refuse_powerful_login().await?;
        Ok(db)
    }

    /// Opens a transaction that sees one tenant's rows and no others.
    ///
    /// # Errors
    /// [`Error::Unavailable`] when no connection becomes free in time or the database is away.
    pub async fn tenant(&self, cx: &TenantContext) -> Result<TenantTx> {
        let tx = self.begin_tenant(cx.tenant_id()).await?;
        Ok(TenantTx {
            origin: cx.origin(),
            ..tx
        })
    }

    /// As [`Db::tenant`], but the commit does not wait for the disk: should Postgres crash, the last half second of what
    /// was written so may be lost. For what is overwritten or repeated anyway, such as progress.
    ///
    /// # Errors
    /// As for [`Db::tenant`].
    pub async fn tenant_in_passing(&self, cx: &TenantContext) -> Result<TenantTx> {
        let tx = self.begin_tenant_in_passing(cx.tenant_id()).await?;
        Ok(TenantTx {
            origin: cx.origin(),
            ..tx
        })
    }

    /// As [`Db::tenant_in_passing`], for code of this crate that has just established the tenant.
    pub(crate) async fn begin_tenant_in_passing(&self, tenant_id: TenantId) -> Result<TenantTx> {
        let id = tenant_id.uuid();
        let unit = self
            .begin(format!(
                "begin; set local role insula_tenant; set local insula.tenant_id = '{id}';
                 set local synchronous_commit = off"
            ))
            .await?;
        Ok(TenantTx {
            unit,
            tenant_id,
            origin: Origin::SYSTEM,
        })
    }

    /// The tenant transaction for code of this crate that has just established the tenant.
    pub(crate) async fn begin_tenant(&self, tenant_id: TenantId) -> Result<TenantTx> {
        // Printed from a typed uuid, so there is nothing to escape.
        let id = tenant_id.uuid();
        let unit = self
            .begin(format!(
                "begin; set local role insula_tenant; set local insula.tenant_id = '{id}'"
            ))
            .await?;
        Ok(TenantTx {
            unit,
            tenant_id,
            origin: Origin::SYSTEM,
        })
    }

    /// Opens the transaction of whoever runs the command line: tenants and keys of the whole install, none of their data.
    /// Handlers use [`Db::operator_by`].
    ///
    /// # Errors
    /// As for [`Db::tenant`].
    pub async fn operator(&self) -> Result<OperatorTx> {
        self.begin_operator(Origin::CONSOLE).await
    }

    /// As [`Db::operator`], for an operator whose key was checked. The audit log says so of what is done in it.
    ///
    /// # Errors
    /// As for [`Db::tenant`].
    pub async fn operator_by(&self, cx: &OperatorContext) -> Result<OperatorTx> {
        self.begin_operator(cx.origin()).await
    }

    /// The operator's transaction for code of this crate that acts for somebody else.
    pub(crate) async fn begin_operator(&self, origin: Origin) -> Result<OperatorTx> {
        Ok(OperatorTx {
            unit: self.begin("begin; set local role insula_operator".into()).await?,
            origin,
        })
    }

    /// Opens the system's transaction: key lookup and job leasing.
    pub(crate) async fn system(&self) -> Result<Unit> {
        self.begin("begin; set local role insula_system".into()).await
    }

    /// Opens a transaction that removes: it sees a tenant's rows once its removal was asked for, and else none.
    pub(crate) async fn begin_eraser(&self, tenant_id: TenantId) -> Result<Unit> {
        let id = tenant_id.uuid();
        self.begin(format!(
            "begin; set local role insula_eraser; set local insula.tenant_id = '{id}'"
        ))
        .await
    }

    /// Whether the database answers.
    ///
    /// # Errors
    /// [`Error::Unavailable`] if it does not.
    pub async fn ping(&self) -> Result<()> {
        sqlx::query("select 1").execute(&self.pool).await?;
        Ok(())
    }

    /// Connections in use and idle, for readiness and tests.
    pub fn connections(&self) -> (u32, usize) {
        (self.pool.size(), self.pool.num_idle())
    }

    /// Closes all connections after the work on them is done.
    pub async fn close(&self) {
        self.pool.close().await;
    }

    /// The id of an embedding model's row, made on first use.
    ///
    /// # Errors
    /// [`Error::Refused`] if the name is known with vectors of another length.
    pub async fn register_embedding_model(&self, name: &str, dimensions: usize) -> Result<i32> {
        let dimensions =
            i32::try_from(dimensions).map_err(|_| Error::Invalid("too many dimensions".into()))?;
        let mut tx = self.system().await?;
        sqlx::query(
            "insert into embedding_models (name, dimensions) values ($1, $2) on conflict (name) do nothing",
        )
        .bind(name)
        .bind(dimensions)
        .execute(&mut *tx)
        .await?;
        let (id, stored): (i32, i32) =
            sqlx::query_as("select id, dimensions from embedding_models where name = $1")
                .bind(name)
                .fetch_one(&mut *tx)
                .await?;
        tx.commit().await?;
        if stored != dimensions {
            return Err(Error::Refused(format!(
                "the model '{name}' makes vectors of length {dimensions}, but this database knows it with {stored}"
            )));
        }
        Ok(id)
    }

    pub(crate) fn listener_url(&self) -> &str {
        self.url.expose_secret()
    }

    /// Begins in a task of its own: in sqlx 0.9.0 a `begin` future that is dropped half way (the client hung up)
    /// leaves a connection inside an open transaction, and the next borrower gets it. A spawned begin always runs to
    /// its end; if nobody takes its result, [`Unit`] rolls back.
    async fn begin(&self, statement: String) -> Result<Unit> {
        let pool = self.pool.clone();
        let begun = tokio::spawn(async move {
            let connection = pool.acquire().await?;
            let mut unit = Unit {
                connection: Some(connection),
            };
            sqlx::raw_sql(AssertSqlSafe(statement))
                .execute(&mut *unit)
                .await?;
            Ok::<_, sqlx::Error>(unit)
        });
        match begun.await {
            Ok(unit) => Ok(unit?),
            Err(join) => Err(Error::Unavailable(format!("begin did not finish: {join}"))),
        }
    }

    async fn refuse_powerful_login(&self) -> Result<()> {
        // The first reason that applies. A role that the login may become counts like the login itself.
        let (login, reason): (String, Option<String>) = sqlx::query_as(
            "select r.rolname::text, case
               when r.rolsuper then 'is a superuser'
               when r.rolbypassrls then 'has BYPASSRLS'
               when exists (select from pg_roles g where (g.rolsuper or g.rolbypassrls)
                            and pg_has_role(r.oid, g.oid, 'member'))
                 then 'may become a role that goes round row-level security'
               when exists (select from pg_class c where c.relowner = r.oid
                            and c.relnamespace not in ('pg_catalog'::regnamespace, 'information_schema'::regnamespace))
                 then 'owns tables'
               when exists (select from pg_class c where c.relname = 'tenants' and c.relkind = 'r'
                            and pg_has_role(r.oid, c.relowner, 'member'))
                 then 'may become the owner of the tables'
               when r.rolinherit then 'inherits privileges (make it NOINHERIT)'
             end
             from pg_roles r where r.rolname = current_user",
        )
        .fetch_one(&self.pool)
        .await?;
        match reason {
            None => Ok(()),
            Some(reason) => Err(Error::Refused(format!(
                "the database login '{login}' {reason}, so row-level security would not hold. Log in as insula_app; \
                 `insula migrate` makes that role."
            ))),
        }
    }
}

/// One transaction on one connection. Rolls back unless it is committed.
pub(crate) struct Unit {
    connection: Option<PoolConnection<Postgres>>,
}

impl Unit {
    /// Commits. Runs to its end even if the caller goes away meanwhile.
    pub(crate) async fn commit(mut self) -> Result<()> {
        let Some(mut connection) = self.connection.take() else {
            return Ok(());
        };
        let committed = tokio::spawn(async move {
            let result = sqlx::raw_sql("commit").execute(&mut *connection).await;
            if result.is_err() {
                connection.close_on_drop();
            }
            result
        });
        match committed.await {
            Ok(result) => result.map(drop).map_err(Error::from),
            Err(join) => Err(Error::Unavailable(format!("commit did not finish: {join}"))),
        }
    }
}

impl Drop for Unit {
    fn drop(&mut self) {
        let Some(mut connection) = self.connection.take() else {
            return;
        };
        let Ok(runtime) = tokio::runtime::Handle::try_current() else {
            connection.close_on_drop();
            return;
        };
        runtime.spawn(async move {
            if sqlx::raw_sql("rollback").execute(&mut *connection).await.is_err() {
                connection.close_on_drop();
            }
        });
    }
}

impl Deref for Unit {
    type Target = PgConnection;

    fn deref(&self) -> &PgConnection {
        // The connection is only taken by commit and drop, which consume the unit.
        self.connection
            .as_deref()
            .unwrap_or_else(|| unreachable!("a finished transaction cannot be reached"))
    }
}

impl DerefMut for Unit {
    fn deref_mut(&mut self) -> &mut PgConnection {
        self.connection
            .as_deref_mut()
            .unwrap_or_else(|| unreachable!("a finished transaction cannot be reached"))
    }
}

macro_rules! transaction {
    ($name:ident) => {
        impl $name {
            /// Commits. Dropping without a commit rolls back.
            ///
            /// # Errors
            /// When the database refuses or is away; what was written is then not acknowledged.
            pub async fn commit(self) -> Result<()> {
                self.unit.commit().await
            }
        }

        impl Deref for $name {
            type Target = PgConnection;

            fn deref(&self) -> &PgConnection {
                &self.unit
            }
        }

        impl DerefMut for $name {
            fn deref_mut(&mut self) -> &mut PgConnection {
                &mut self.unit
            }
        }
    };
}

/// A transaction of one tenant: every statement sees that tenant's rows and no others. Use as `&mut **tx`.
pub struct TenantTx {
    unit: Unit,
    tenant_id: TenantId,
    origin: Origin,
}

impl TenantTx {
    /// The tenant, for the search statements that pass it besides row-level security.
    pub fn tenant_id(&self) -> TenantId {
        self.tenant_id
    }

    /// Who acts, for the audit log.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }
}

/// A transaction of the operator: tenants and keys, none of their data.
pub struct OperatorTx {
    unit: Unit,
    origin: Origin,
}

impl OperatorTx {
    /// Who acts, for the audit log.
    pub(crate) fn origin(&self) -> Origin {
        self.origin
    }
}

transaction!(TenantTx);
transaction!(OperatorTx);

/// Makes the database `name` unless it exists; for an install that brings its own Postgres.
///
/// # Errors
/// [`Error::Invalid`] for a name that is not plain letters; whatever Postgres refuses.
pub async fn create_database(admin_url: &SecretString, name: &str) -> Result<()> {
    if name.is_empty() || !name.bytes().all(|b| b.is_ascii_lowercase()) {
        return Err(Error::Invalid(
            "a database name has only lower-case letters here".into(),
        ));
    }
    let mut connection = PgConnection::connect(admin_url.expose_secret()).await?;
    let exists: bool = sqlx::query_scalar("select exists (select from pg_database where datname = $1)")
        .bind(name)
        .fetch_one(&mut connection)
        .await?;
    if !exists {
        sqlx::raw_sql(AssertSqlSafe(format!("create database {name}")))
            .execute(&mut connection)
            .await?;
    }
    connection.close().await?;
    Ok(())
}

/// Brings a database up to date: roles, extension, schema. Run by `insula migrate` with a login that may create roles.
/// Concurrent runs wait for each other.
///
/// `app_password`, when given, becomes the password of `insula_app`.
///
/// # Errors
/// Whatever Postgres refuses, with its own words.
pub async fn migrate(admin_url: &SecretString, app_password: Option<&SecretString>) -> Result<()> {
    let mut connection = PgConnection::connect(admin_url.expose_secret()).await?;
    sqlx::raw_sql("select pg_advisory_lock(7310596432)")
        .execute(&mut connection)
        .await?;
    sqlx::raw_sql(include_str!("../sql/roles.sql"))
        .execute(&mut connection)
        .await?;
    if let Some(password) = app_password {
        let password = password.expose_secret();
        if !password.bytes().all(|b| b.is_ascii_alphanumeric()) {
            return Err(Error::Invalid(
                "the password of insula_app may only have letters and digits".into(),
            ));
        }
        sqlx::raw_sql(AssertSqlSafe(format!(
            "alter role insula_app password '{password}'"
        )))
        .execute(&mut connection)
        .await?;
    }
    sqlx::raw_sql(
        "do $$ begin
           execute format('grant insula_owner to %I with inherit true, set true', current_user);
           execute format('grant connect, create on database %I to insula_owner', current_database());
           execute format('grant connect on database %I to insula_app', current_database());
         end $$;
         create extension if not exists vector;
         grant usage, create on schema public to insula_owner with grant option;
         set role insula_owner",
    )
    .execute(&mut connection)
    .await?;
    sqlx::migrate!("../migrations")
        .run(&mut connection)
        .await
        .map_err(|error| match error {
            sqlx::migrate::MigrateError::Execute(error) => Error::from(error),
            other => Error::Refused(other.to_string()),
        })?;
    // A month at a time, and always some ahead.
    sqlx::raw_sql("select create_usage_partitions(24)")
        .execute(&mut connection)
        .await?;
    connection.close().await?;
    Ok(())
}
