//! The binary that is shipped, as a process that can be killed.

use std::path::{Path, PathBuf};
use std::process::{Command as BlockingCommand, ExitStatus, Stdio};

use tokio::process::{Child, Command};

use crate::{Client, PATIENCE, eventually, runtime, workspace};

/// Where `test-cluster` says that it has built `insula`.
pub const BINARY_VARIABLE: &str = "INSULA_TEST_BINARY";

/// Where `insula` is: as `test-cluster` says, or built now beside the running test.
///
/// # Panics
/// When it does not build.
pub async fn insula_binary() -> PathBuf {
    if let Some(built) = std::env::var_os(BINARY_VARIABLE) {
        return built.into();
    }
    tokio::task::spawn_blocking(|| {
        let test = std::env::current_exe().expect("the path of this test");
        // <target>/<profile>/deps/<test>
        build_insula(test.ancestors().nth(2).expect("a test lies in the target folder"))
    })
    .await
    .expect("building")
}

/// Builds `insula` into a folder `<target>/<profile>`, and tells where it is.
///
/// # Panics
/// When it does not build.
pub fn build_insula(folder: &Path) -> PathBuf {
    let target = folder.parent().expect("the target folder");
    let mut build = BlockingCommand::new(std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into()));
    // The whole workspace's features, and none of the variables that tests are run with: otherwise dependencies would be
    // built once more for this, and then once more for the next test run.
    build
        .current_dir(workspace())
        .args(["build", "--quiet", "--workspace", "--bin", "insula"]);
    for (name, _) in std::env::vars_os() {
        let name = name.to_string_lossy();
        if name.starts_with("CARGO_") && !["CARGO_HOME", "CARGO_TARGET_DIR"].contains(&&*name) {
            build.env_remove(&*name);
        }
    }
    build.arg("--target-dir").arg(target);
    if folder.ends_with("release") {
        build.arg("--release");
    }
    assert!(
        build.status().expect("running cargo").success(),
        "the server does not build"
    );
    folder.join("insula")
}

/// A server process.
pub struct ServerProcess {
    process: Child,
}

impl ServerProcess {
    /// Runs `insula COMMAND` on a database, with its files in `blobs`.
    pub fn start(binary: &Path, command: &str, more: &[&str], database_url: &str, blobs: &Path) -> Self {
        let process = Command::new(binary)
            .arg(command)
            .args(more)
            .env("DATABASE_URL", database_url)
            .env("INSULA_RUNTIME", runtime())
            .env("INSULA_BLOBS", blobs)
            .env("INSULA_JOURNAL", blobs.with_file_name("journal"))
            .env("INSULA_MODEL_THREADS", "1")
            .env("INSULA_LOG", "warn")
            .stdin(Stdio::null())
            .kill_on_drop(true)
            .spawn()
            .expect("starting insula");
        Self { process }
    }

    /// Its process id.
    pub fn id(&self) -> u32 {
        self.process.id().expect("the process has ended by itself")
    }

    /// `kill -9`, and waits until it is gone.
    pub async fn kill(mut self) {
        self.process.kill().await.expect("kill -9");
    }

    /// Sends a signal by its name.
    pub async fn signal(&self, name: &str) {
        let id = self.id().to_string();
        let sent = Command::new("kill")
            .args(["-s", name, &id])
            .status()
            .await
            .expect("running kill");
        assert!(sent.success(), "kill -s {name} failed");
    }

    /// Asks it to stop and waits until it has. How it ended.
    pub async fn terminate(mut self) -> ExitStatus {
        self.signal("TERM").await;
        let ended = tokio::time::timeout(PATIENCE, self.process.wait()).await;
        ended.expect("it does not stop").expect("waiting for it")
    }

    /// Waits until it answers its readiness probe.
    pub async fn ready(&self, client: &Client) {
        eventually("the server is ready", async || {
            let probe = client.request(reqwest::Method::GET, "/health/ready").send().await;
            probe.is_ok_and(|answer| answer.status() == 200).then_some(())
        })
        .await;
    }
}
