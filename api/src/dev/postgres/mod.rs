//! A Postgres of our own, for one machine: made, started, watched and stopped by the process that uses it.
//!
//! Production has its own Postgres and never comes here. On disk, below the data folder:
//!
//! - `lock`: held for as long as the owner lives, so that two never share a database;
//! - `cluster/`: Postgres' data directory;
//! - `password`, `port`: made once, reused by later starts;
//! - `postgres.log`;
//! - `moved`: all but the lock lies where this file says, because Postgres could not enter this folder.
//!
//! If the owner is killed, Postgres goes on without it until the next start on that folder stops it.

mod account;
mod cluster;
mod leftover;
mod pid_file;
mod placement;
mod port;

use std::fs::{self, File, TryLockError};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use secrecy::{ExposeSecret, SecretString};
use tokio::process::Child;
use tokio::sync::oneshot;
use tokio::task::JoinHandle;
use tokio::time::{Instant, sleep};

use self::cluster::Cluster;
use self::pid_file::PidFile;
use self::placement::Placement;

const CLUSTER: &str = "cluster";
const ATTEMPTS: usize = 20;
const ATTEMPT_PAUSE: Duration = Duration::from_millis(250);
const RESTART_PAUSE: Duration = Duration::from_secs(1);
const LONGEST_PAUSE: Duration = Duration::from_secs(30);

/// What to start, and where.
#[derive(Debug, Clone)]
pub struct PostgresOptions {
    /// Folder with Postgres' `bin`, `lib` and `share`, as the bootstrap makes it.
    pub install: PathBuf,
    /// Folder of the database; made if absent.
    pub data: PathBuf,
    /// Port on 127.0.0.1. `None`: the one of the last start if it is free, else any.
    pub port: Option<u16>,
    /// Whether what was committed survives a crash of the machine. `false` is for tests: faster, and with twice the
    /// connections.
    pub durable: bool,
}

/// A running Postgres. It is restarted if it dies, and stopped with [`EmbeddedPostgres::stop`] or, without waiting
/// for it, on drop.
#[derive(Debug)]
pub struct EmbeddedPostgres {
    cluster: Arc<Cluster>,
    port: u16,
    stop: Option<oneshot::Sender<()>>,
    supervisor: JoinHandle<()>,
    _lock: File,
}

impl EmbeddedPostgres {
    /// Starts Postgres and returns once it takes connections. Makes the database at the first start; at later ones
    /// recovers it from whatever happened, and ends a Postgres that a killed owner left on it.
    ///
    /// Fails when another living process owns the data folder, a given port is taken, or the files belong to somebody
    /// else.
    pub async fn start(options: PostgresOptions) -> Result<Self> {
        placement::make_open_dir(&options.data)?;
        let lock = lock(&options.data)?;
        let place = place(&options.install, &options.data).await?;
        let cluster = Cluster::open(place, options.durable).await?;
        leftover::clear(&cluster).await?;
        let (child, port) = launch(&cluster, options.port).await?;
        let cluster = Arc::new(cluster);
        let (stop, stopped) = oneshot::channel();
        let supervisor = tokio::spawn(supervise(cluster.clone(), port, child, stopped));
        Ok(Self {
            cluster,
            port,
            stop: Some(stop),
            supervisor,
            _lock: lock,
        })
    }

    /// URL of `database` for the superuser. For bootstrap, migrations and tests, never for serving. `database` must
    /// need no escaping in a URL.
    pub fn admin_url(&self, database: &str) -> SecretString {
        admin_url(self.cluster.password(), self.port, database)
    }

    /// The port on 127.0.0.1.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// Ends all sessions, writes everything out and returns once Postgres is gone.
    pub async fn stop(mut self) {
        self.stop.take();
        if let Err(error) = (&mut self.supervisor).await {
            tracing::error!(%error, "the supervisor of Postgres failed");
        }
    }

    /// The superuser's URL of a Postgres that another process runs on `data` right now, as in [`Self::admin_url`].
    pub fn find_running(install: &Path, data: &Path, database: &str) -> Result<Option<SecretString>> {
        if !data.exists() {
            return Ok(None);
        }
        let home = Placement::find(install, data)?.home;
        let cluster = home.join(CLUSTER);
        if !PidFile::read(&cluster)
            .is_some_and(|file| file.ready && leftover::processes_in(&cluster).contains(&file.pid))
        {
            return Ok(None);
        }
        let path = home.join("password");
        let password = fs::read_to_string(&path).with_context(|| format!("reading {}", path.display()))?;
        let port = port::saved(&home).context("a running Postgres has no saved port")?;
        Ok(Some(admin_url(&password.into(), port, database)))
    }

    /// Removes the database in `data` for good, ending a Postgres that a killed owner left on it.
    ///
    /// Fails when a living process owns it.
    pub async fn remove(install: &Path, data: &Path) -> Result<()> {
        if !data.exists() {
            return Ok(());
        }
        let _lock = lock(data)?;
        let place = Placement::find(install, data)?;
        place.prepare_install(install)?;
        remove_home(place).await?;
        if data.exists() {
            fs::remove_dir_all(data).with_context(|| format!("removing {}", data.display()))?;
        }
        Ok(())
    }
}

impl Drop for EmbeddedPostgres {
    fn drop(&mut self) {
        if self.supervisor.is_finished() {
            return;
        }
        // The supervisor sees this first and does not start Postgres again; but it may never get to run.
        self.stop.take();
        if let Err(error) = self.cluster.stop_command("fast").status() {
            tracing::warn!(%error, "could not stop Postgres");
        }
    }
}

fn admin_url(password: &SecretString, port: u16, database: &str) -> SecretString {
    // The password is alphanumeric. This Postgres has no TLS to negotiate.
    format!(
        "postgres://postgres:{}@127.0.0.1:{port}/{database}?sslmode=disable",
        password.expose_secret()
    )
    .into()
}

/// The data folder, for as long as the returned file is open.
fn lock(data: &Path) -> Result<File> {
    let path = data.join("lock");
    let opening = || format!("opening {}", path.display());
    let file = File::options()
        .create(true)
        .truncate(false)
        .write(true)
        .open(&path)
        .with_context(opening)?;
    match file.try_lock() {
        Ok(()) => Ok(file),
        Err(TryLockError::WouldBlock) => bail!(
            "{} is in use by another running Insula: stop that one, or choose another data folder",
            data.display()
        ),
        Err(TryLockError::Error(error)) => Err(error).with_context(|| format!("locking {}", path.display())),
    }
}

/// Finds and makes the folders of a database.
async fn place(install: &Path, data: &Path) -> Result<Placement> {
    let place = Placement::find(install, data)?;
    place.prepare_install(install)?;
    if place.is_orphaned(data)? {
        tracing::info!(database = %place.home.display(), "its data folder was deleted: starting afresh");
        remove_home(place).await?;
    }
    // Found again: the account may follow from the owner of what was just removed.
    let place = Placement::find(install, data)?;
    place.prepare_home(data)?;
    Ok(place)
}

async fn remove_home(place: Placement) -> Result<()> {
    if !place.home.join(CLUSTER).exists() {
        return place.remove_home();
    }
    let cluster = Cluster::open(place, false).await?;
    leftover::clear(&cluster).await?;
    cluster.place().remove_home()
}

/// Starts a server on the wanted port, or on one of our choice.
async fn launch(cluster: &Cluster, wanted: Option<u16>) -> Result<(Child, u16)> {
    let home = &cluster.place().home;
    let mut attempt = 1;
    loop {
        let port = match wanted {
            Some(port) => {
                port::save(home, port)?;
                port
            }
            None => port::choose(home)?,
        };
        let error = match cluster.launch(port).await {
            Ok(child) => return Ok((child, port)),
            Err(error) => error,
        };
        // Somebody may take the port between our looking and Postgres' binding it; and sessions of a killed server
        // that nobody could find hold its memory until they notice its death.
        let was_taken = wanted.is_none() && !port::is_free(port);
        let is_haunted = error.to_string().contains("is still in use");
        if attempt == ATTEMPTS || !(was_taken || is_haunted) {
            return Err(error);
        }
        attempt += 1;
        sleep(ATTEMPT_PAUSE).await;
    }
}

/// Keeps Postgres running until told to stop, or until the owner is gone.
async fn supervise(cluster: Arc<Cluster>, port: u16, mut child: Child, mut stop: oneshot::Receiver<()>) {
    let mut pause = RESTART_PAUSE;
    loop {
        let started = Instant::now();
        tokio::select! {
            biased;
            _ = &mut stop => return cluster.stop(&mut child).await,
            status = child.wait() => tracing::error!(?status, "Postgres died; starting it again"),
        }
        if started.elapsed() > LONGEST_PAUSE {
            pause = RESTART_PAUSE;
        }
        child = loop {
            tokio::select! {
                biased;
                _ = &mut stop => return,
                () = sleep(pause) => pause = LONGEST_PAUSE.min(pause * 2),
            }
            match restart(&cluster, port).await {
                Ok(child) => break child,
                Err(error) => tracing::error!(error = format!("{error:#}"), "Postgres does not start"),
            }
        };
    }
}

async fn restart(cluster: &Cluster, port: u16) -> Result<Child> {
    leftover::clear(cluster).await?;
    cluster.launch(port).await
}
