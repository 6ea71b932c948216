//! Runs a command beside a Postgres made for it, and takes that Postgres away afterwards.
//!
//! ```sh
//! test-cluster -- cargo nextest run --workspace
//! ```
//!
//! The command finds the superuser's URL in `INSULA_TEST_CLUSTER`, the bootstrapped folder in `INSULA_RUNTIME` and the
//! path of `insula`, built before anything else, in `INSULA_TEST_BINARY`.
//! The cluster is new, and careless about crashes (`fsync=off`), which no test in it may depend on. Exits as the
//! command does.

use std::ffi::OsString;
use std::os::unix::fs::MetadataExt;
use std::os::unix::process::ExitStatusExt;
use std::path::{Path, PathBuf};
use std::process::{ExitCode, ExitStatus};

use anyhow::{Context, Result, bail};
use insula::dev::postgres::{EmbeddedPostgres, PostgresOptions};
use insula_tests::{BINARY_VARIABLE, build_insula};
use secrecy::ExposeSecret;
use tokio::process::{Child, Command};
use tokio::signal::unix::{SignalKind, signal};

#[tokio::main]
async fn main() -> ExitCode {
    match run().await {
        Ok(code) => ExitCode::from(code),
        Err(error) => {
            eprintln!("test-cluster: {error:#}");
            ExitCode::FAILURE
        }
    }
}

async fn run() -> Result<u8> {
    let command: Vec<OsString> = std::env::args_os()
        .skip_while(|argument| argument != "--")
        .skip(1)
        .collect();
    let Some((program, arguments)) = command.split_first() else {
        bail!("usage: test-cluster -- COMMAND [ARGUMENT …]");
    };
    let runtime = std::env::var_os("INSULA_RUNTIME").map_or_else(
        || Path::new(env!("CARGO_MANIFEST_DIR")).join("../.runtime"),
        PathBuf::from,
    );
    let runtime = runtime
        .canonicalize()
        .with_context(|| format!("no {}: run `make bootstrap`", runtime.display()))?;
    let binary = tokio::task::spawn_blocking(|| {
        let cluster = std::env::current_exe().context("the path of this program")?;
        // <target>/<profile>/test-cluster
        anyhow::Ok(build_insula(
            cluster.parent().context("a program lies in a folder")?,
        ))
    })
    .await??;
    let install = runtime.join("postgres");
    let clusters = clusters_folder()?;
    sweep(&install, &clusters).await?;

    // Listened to before anything is started, so that nothing started is left behind.
    let mut signals = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let data = clusters.join(std::process::id().to_string());
    let options = PostgresOptions {
        install: install.clone(),
        data: data.clone(),
        port: None,
        durable: false,
    };
    let postgres = EmbeddedPostgres::start(options).await?;
    let started = Command::new(program)
        .args(arguments)
        .env(
            "INSULA_TEST_CLUSTER",
            postgres.admin_url("postgres").expose_secret(),
        )
        .env("INSULA_RUNTIME", &runtime)
        .env(BINARY_VARIABLE, &binary)
        .spawn()
        .with_context(|| format!("starting {}", program.display()));
    let status = match started {
        Ok(mut child) => wait(&mut child, &mut signals.0, &mut signals.1).await,
        Err(error) => Err(error),
    };
    postgres.stop().await;
    EmbeddedPostgres::remove(&install, &data).await?;
    Ok(exit_code(status?))
}

type Signal = tokio::signal::unix::Signal;

/// Waits for the command. The terminal sends Ctrl-C to it as well; what only we are sent is passed on.
async fn wait(child: &mut Child, interrupt: &mut Signal, terminate: &mut Signal) -> Result<ExitStatus> {
    loop {
        tokio::select! {
            status = child.wait() => return status.context("waiting for the command"),
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {
                if let Some(pid) = child.id() {
                    Command::new("sh").args(["-c", "kill -TERM \"$0\"", &pid.to_string()]).status().await?;
                }
            }
        }
    }
}

/// As a shell says it: 128 and the signal for a command that a signal ended.
fn exit_code(status: ExitStatus) -> u8 {
    let code = status
        .code()
        .unwrap_or_else(|| 128 + status.signal().unwrap_or(0));
    u8::try_from(code).unwrap_or(1)
}

/// Where this user's clusters lie, each under the process id of its owner.
fn clusters_folder() -> Result<PathBuf> {
    let user = std::fs::metadata("/proc/self")
        .context("reading /proc/self")?
        .uid();
    let folder = std::env::temp_dir().join(format!("insula-test-clusters-{user}"));
    std::fs::create_dir_all(&folder).with_context(|| format!("making {}", folder.display()))?;
    if std::fs::symlink_metadata(&folder)?.uid() != user {
        bail!("{} belongs to somebody else", folder.display());
    }
    Ok(folder)
}

/// Takes away the clusters of runs that were killed.
async fn sweep(install: &Path, clusters: &Path) -> Result<()> {
    for entry in std::fs::read_dir(clusters).with_context(|| format!("reading {}", clusters.display()))? {
        let entry = entry?;
        if !Path::new("/proc").join(entry.file_name()).exists()
            && let Err(error) = EmbeddedPostgres::remove(install, &entry.path()).await
        {
            eprintln!(
                "test-cluster: cannot remove {}: {error:#}",
                entry.path().display()
            );
        }
    }
    Ok(())
}
