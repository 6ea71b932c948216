//! This process among the servers that share limits and budgets.

use std::sync::atomic::{AtomicI64, AtomicU64, AtomicUsize, Ordering};
use std::sync::{Mutex, PoisonError};
use std::time::{Duration, Instant, SystemTime};

use chrono::{DateTime, TimeDelta, Utc};
use uuid::Uuid;

use crate::{Db, Result, new_uuid};

/// How often a server says that it lives.
pub(crate) const HEARTBEAT: Duration = Duration::from_secs(5);
/// What it holds is its own for so long after that.
pub(crate) const EXPIRY_SECONDS: f64 = 60.0;
/// After so long without a heartbeat it no longer trusts what it holds. Well before the expiry, for the way there and back.
const TRUST: Duration = Duration::from_secs(45);

/// This server: its id, its neighbours, and the time.
pub(crate) struct Server {
    id: Uuid,
    neighbours: AtomicUsize,
    /// What the database's clock is ahead of ours, in microseconds.
    offset_us: AtomicI64,
    beaten: Mutex<Instant>,
    /// Counts the times that what was held was lost.
    era: AtomicU64,
}

impl Server {
    /// Registers a server.
    pub(crate) async fn register(db: &Db) -> Result<Self> {
        let server = Self {
            id: new_uuid(),
            neighbours: AtomicUsize::new(1),
            offset_us: AtomicI64::new(0),
            beaten: Mutex::new(Instant::now()),
            era: AtomicU64::new(0),
        };
        server.beat(db).await?;
        Ok(server)
    }

    /// Which database it serves: the cluster's identifier and the database's. A journal belongs to one.
    pub(crate) async fn database(db: &Db) -> Result<String> {
        let mut tx = db.system().await?;
        let identity = sqlx::query_scalar(
            "select system_identifier || '-' || (select oid from pg_database where datname = current_database())
             from pg_control_system()",
        )
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        Ok(identity)
    }

    /// Its id.
    pub(crate) fn id(&self) -> Uuid {
        self.id
    }

    /// Servers that live, this one included.
    pub(crate) fn count(&self) -> i64 {
        self.neighbours.load(Ordering::Relaxed).max(1) as i64
    }

    /// Which life of the server it is: what was held in an earlier one is lost.
    pub(crate) fn era(&self) -> u64 {
        self.era.load(Ordering::Relaxed)
    }

    /// Whether what is held is still ours.
    pub(crate) fn is_trusted(&self) -> bool {
        self.beaten
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .elapsed()
            < TRUST
    }

    /// The time by the database's clock, without asking it.
    pub(crate) fn now(&self) -> DateTime<Utc> {
        DateTime::<Utc>::from(SystemTime::now())
            + TimeDelta::microseconds(self.offset_us.load(Ordering::Relaxed))
    }

    /// Says that this server lives, keeps what it holds, and removes what dead ones held.
    pub(crate) async fn beat(&self, db: &Db) -> Result<()> {
        let trusted = self.is_trusted();
        let before = Instant::now();
        let mut tx = db.system().await?;
        let now: DateTime<Utc> = sqlx::query_scalar(
            "insert into servers (id) values ($1) on conflict (id) do update set seen_at = clock_timestamp()
             returning clock_timestamp()",
        )
        .bind(self.id)
        .fetch_one(&mut *tx)
        .await?;
        let local = DateTime::<Utc>::from(SystemTime::now());
        // Half of the way there and back.
        let travel = TimeDelta::from_std(before.elapsed() / 2).unwrap_or_default();
        let offset = (now + travel - local).num_microseconds().unwrap_or(0);
        if trusted {
            for keep in [
                "update limit_slices set expires_at = now() + make_interval(secs => $2) where server_id = $1",
                "update budget_slices set expires_at = now() + make_interval(secs => $2) where server_id = $1",
            ] {
                sqlx::query(keep)
                    .bind(self.id)
                    .bind(EXPIRY_SECONDS)
                    .execute(&mut *tx)
                    .await?;
            }
        } else {
            // Others may have been given it meanwhile.
            for lose in [
                "delete from limit_slices where server_id = $1",
                "delete from budget_slices where server_id = $1",
            ] {
                sqlx::query(lose).bind(self.id).execute(&mut *tx).await?;
            }
        }
        for clear in [
            "delete from limit_slices where expires_at < now()",
            "delete from budget_slices where expires_at < now()",
        ] {
            sqlx::query(clear).execute(&mut *tx).await?;
        }
        sqlx::query("delete from servers where seen_at < now() - make_interval(secs => $1)")
            .bind(EXPIRY_SECONDS)
            .execute(&mut *tx)
            .await?;
        let living: i64 = sqlx::query_scalar(
            "select count(*) from servers where seen_at > now() - make_interval(secs => $1)",
        )
        .bind(3.0 * HEARTBEAT.as_secs_f64())
        .fetch_one(&mut *tx)
        .await?;
        tx.commit().await?;
        if !trusted {
            self.era.fetch_add(1, Ordering::Relaxed);
        }
        *self.beaten.lock().unwrap_or_else(PoisonError::into_inner) = before;
        self.offset_us.store(offset, Ordering::Relaxed);
        self.neighbours
            .store(usize::try_from(living).unwrap_or(1), Ordering::Relaxed);
        Ok(())
    }

    /// Signs off: what it holds is free at once.
    pub(crate) async fn leave(&self, db: &Db) -> Result<()> {
        let mut tx = db.system().await?;
        for statement in [
            "delete from limit_slices where server_id = $1",
            "delete from budget_slices where server_id = $1",
            "delete from servers where id = $1",
        ] {
            sqlx::query(statement).bind(self.id).execute(&mut *tx).await?;
        }
        tx.commit().await
    }
}
