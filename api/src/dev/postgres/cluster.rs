//! One Postgres cluster on disk: making it, starting a server on it, stopping that server.

use std::fs::{self, File};
use std::io::{Read, Seek, SeekFrom, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};
use rand::distr::{Alphanumeric, SampleString};
use secrecy::{ExposeSecret, SecretString};
use tokio::process::{Child, Command};
use tokio::time::{Instant, sleep, timeout};

use super::pid_file::PidFile;
use super::placement::Placement;

/// Long enough for the crash recovery of a large database.
const READY_WITHIN: Duration = Duration::from_secs(300);
const POLL: Duration = Duration::from_millis(20);
/// A log larger than this is put aside at the next start.
const LOG_LIMIT: u64 = 8 << 20;

/// A cluster with what is needed to act on it.
#[derive(Debug)]
pub(super) struct Cluster {
    place: Placement,
    password: SecretString,
    durable: bool,
}

impl Cluster {
    /// The cluster of `place`, made now if there is none.
    pub(super) async fn open(place: Placement, durable: bool) -> Result<Self> {
        let password = password(&place.home)?;
        let cluster = Self {
            place,
            password,
            durable,
        };
        if !cluster.data().exists() {
            cluster.initialise().await?;
        }
        Ok(cluster)
    }

    /// What Postgres calls its data directory.
    pub(super) fn data(&self) -> PathBuf {
        self.place.home.join(super::CLUSTER)
    }

    /// Password of the superuser `postgres`.
    pub(super) fn password(&self) -> &SecretString {
        &self.password
    }

    /// Where it lies and whom it runs as.
    pub(super) fn place(&self) -> &Placement {
        &self.place
    }

    /// One of Postgres' own programs, run as the right account, out of reach of the terminal's Ctrl-C and of the
    /// caller's `PG…` variables.
    pub(super) fn tool(&self, name: &str) -> std::process::Command {
        let mut command = std::process::Command::new(self.place.install.join("bin").join(name));
        command
            .env_clear()
            .env("LC_ALL", "C")
            .env("PATH", "/usr/bin:/bin");
        command.env("LD_LIBRARY_PATH", self.place.install.join("lib"));
        command.current_dir("/").stdin(Stdio::null()).process_group(0);
        if let Some(account) = self.place.account {
            command.uid(account.uid).gid(account.gid);
        }
        command
    }

    /// Makes the cluster under another name first, so that an interrupted run leaves none that is half made.
    async fn initialise(&self) -> Result<()> {
        let fresh = self.place.home.join("cluster.new");
        if fresh.exists() {
            fs::remove_dir_all(&fresh).context("removing an unfinished cluster")?;
        }
        fs::DirBuilder::new()
            .mode(0o700)
            .create(&fresh)
            .with_context(|| format!("making {}", fresh.display()))?;
        let password_file = fresh.with_extension("password");
        write_private(&password_file, self.password.expose_secret())?;
        if let Some(account) = self.place.account {
            for path in [&fresh, &password_file] {
                chown(path, Some(account.uid), Some(account.gid))
                    .with_context(|| format!("giving {} to uid {}", path.display(), account.uid))?;
            }
        }
        let mut initdb = self.tool("initdb");
        initdb
            .arg("--pgdata")
            .arg(&fresh)
            .arg("--pwfile")
            .arg(&password_file);
        initdb.args([
            "--username=postgres",
            "--auth=scram-sha-256",
            "--data-checksums",
            "--no-instructions",
        ]);
        // Postgres' own C.UTF-8, which sorts the same on every machine and needs no locale of the system.
        initdb.args([
            "--encoding=UTF8",
            "--locale=C",
            "--locale-provider=builtin",
            "--builtin-locale=C.UTF-8",
        ]);
        if !self.durable {
            initdb.arg("--no-sync");
        }
        let done = Command::from(initdb).output().await.context("running initdb");
        fs::remove_file(&password_file).context("removing the password file of initdb")?;
        let done = done?;
        if !done.status.success() {
            bail!("initdb failed: {}", String::from_utf8_lossy(&done.stderr).trim());
        }
        fs::rename(&fresh, self.data()).context("putting the new cluster in place")
    }

    /// Starts a server on `port` and waits until it takes connections.
    pub(super) async fn launch(&self, port: u16) -> Result<Child> {
        let mut log = self.open_log()?;
        let log_start = log.seek(SeekFrom::End(0))?;
        let mut postgres = self.tool("postgres");
        postgres
            .arg("-D")
            .arg(self.data())
            .arg("-p")
            .arg(port.to_string());
        for setting in settings(self.durable) {
            postgres.arg("-c").arg(setting);
        }
        postgres.stdout(log.try_clone()?).stderr(log.try_clone()?);
        let mut child = Command::from(postgres).spawn().context("starting Postgres")?;
        let deadline = Instant::now() + READY_WITHIN;
        loop {
            if let Some(status) = child.try_wait()? {
                let mut reason = String::new();
                log.seek(SeekFrom::Start(log_start))?;
                log.read_to_string(&mut reason)?;
                bail!("Postgres did not start ({status}): {}", reason.trim());
            }
            let pid_file = PidFile::read(&self.data());
            if pid_file.is_some_and(|file| Some(file.pid) == child.id() && file.ready) {
                return Ok(child);
            }
            if Instant::now() > deadline {
                self.stop(&mut child).await;
                bail!(
                    "Postgres was not ready within {} s; see {}",
                    READY_WITHIN.as_secs(),
                    self.log_path().display()
                );
            }
            sleep(POLL).await;
        }
    }

    /// Stops a server of ours: it ends its sessions and writes everything out; if that takes too long, harder.
    pub(super) async fn stop(&self, child: &mut Child) {
        for (mode, patience) in [("fast", 60), ("immediate", 10)] {
            self.signal_stop(mode).await;
            if let Ok(Ok(_)) = timeout(Duration::from_secs(patience), child.wait()).await {
                return;
            }
            tracing::warn!(mode, "Postgres did not stop within {patience} s");
        }
        if let Err(error) = child.kill().await {
            tracing::error!(%error, "could not kill Postgres");
        }
    }

    /// Asks the server to stop, without waiting; says whether there was one to ask.
    pub(super) async fn signal_stop(&self, mode: &str) -> bool {
        let output = Command::from(self.stop_command(mode)).output().await;
        output.is_ok_and(|output| output.status.success())
    }

    /// The command behind [`Self::signal_stop`].
    pub(super) fn stop_command(&self, mode: &str) -> std::process::Command {
        let mut command = self.tool("pg_ctl");
        command
            .args(["stop", "--no-wait", "--silent", "--mode", mode, "--pgdata"])
            .arg(self.data());
        command.stdout(Stdio::null()).stderr(Stdio::null());
        command
    }

    fn log_path(&self) -> PathBuf {
        self.place.home.join("postgres.log")
    }

    fn open_log(&self) -> Result<File> {
        let path = self.log_path();
        if fs::metadata(&path).is_ok_and(|meta| meta.len() > LOG_LIMIT) {
            fs::rename(&path, path.with_extension("log.old")).context("putting Postgres' old log aside")?;
        }
        File::options()
            .create(true)
            .append(true)
            .read(true)
            .mode(0o600)
            .open(&path)
            .with_context(|| format!("opening {}", path.display()))
    }
}

/// Server settings of an embedded Postgres: one machine, many small tenants, little memory when idle.
fn settings(durable: bool) -> Vec<&'static str> {
    let mut settings = vec![
        "listen_addresses=127.0.0.1",
        "unix_socket_directories=",
        "shared_buffers=128MB",
        "random_page_cost=1.1",
        "timezone=UTC",
        "log_timezone=UTC",
        // Statements are tenants' data, and `create role` carries a password: neither belongs in a log.
        "log_min_error_statement=panic",
        // Compiling and forking cost more than a tenant-sized query; shared memory may be small in a container.
        "jit=off",
        "max_parallel_workers_per_gather=0",
        "max_parallel_maintenance_workers=0",
        // Nobody replicates from here: less to write, and fewer processes.
        "wal_level=minimal",
        "max_wal_senders=0",
        "max_logical_replication_workers=0",
        "io_method=sync",
    ];
    settings.extend(match durable {
        true => &["max_connections=100"][..],
        false => &[
            "max_connections=200",
            "fsync=off",
            "synchronous_commit=off",
            "full_page_writes=off",
        ],
    });
    settings
}

/// The superuser's password, made at the first call.
fn password(home: &Path) -> Result<SecretString> {
    let path = home.join("password");
    match fs::read_to_string(&path) {
        Ok(password) if !password.is_empty() => Ok(password.into()),
        Err(error) if error.kind() != std::io::ErrorKind::NotFound => {
            Err(error).with_context(|| format!("reading {}: it belongs to another user", path.display()))
        }
        _ => {
            let password = Alphanumeric.sample_string(&mut rand::rng(), 32);
            write_private(&path, &password)?;
            Ok(password.into())
        }
    }
}

/// Writes a file that only its owner may read, whole or not at all.
fn write_private(path: &Path, content: &str) -> Result<()> {
    let writing = || format!("writing {}", path.display());
    let part = path.with_extension("part");
    let mut file = File::options()
        .create(true)
        .truncate(true)
        .write(true)
        .mode(0o600)
        .open(&part)
        .with_context(writing)?;
    file.set_permissions(fs::Permissions::from_mode(0o600))
        .with_context(writing)?;
    file.write_all(content.as_bytes()).with_context(writing)?;
    file.sync_all().with_context(writing)?;
    fs::rename(&part, path).with_context(writing)
}
