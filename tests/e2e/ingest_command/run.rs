//! Running `insula ingest`, and what it leaves on the server.

use std::path::PathBuf;
use std::process::{Output, Stdio};

use insula_tests::{Client, PATIENCE, insula_binary};
use serde_json::Value;
use tempfile::TempDir;
use tokio::process::{Child, Command};

/// A folder with files, and whoever ingests it.
pub(super) struct Folder {
    pub(super) binary: PathBuf,
    folder: TempDir,
}

/// How a run ended.
pub(super) struct Ended {
    pub(super) code: Option<i32>,
    pub(super) stdout: String,
    pub(super) stderr: String,
}

impl From<Output> for Ended {
    fn from(output: Output) -> Self {
        Self {
            code: output.status.code(),
            stdout: String::from_utf8(output.stdout).unwrap(),
            stderr: String::from_utf8(output.stderr).unwrap(),
        }
    }
}

impl Ended {
    /// The one JSON object of a run that ended with this code.
    pub(super) fn json(&self, code: i32) -> Value {
        assert_eq!(self.code, Some(code), "{}\n{}", self.stdout, self.stderr);
        assert_eq!(self.stdout.lines().count(), 1, "{}", self.stdout);
        serde_json::from_str(&self.stdout).unwrap()
    }
}

impl Folder {
    pub(super) async fn with(files: &[(&str, &str)]) -> Self {
        let this = Self {
            binary: insula_binary().await,
            folder: tempfile::tempdir().unwrap(),
        };
        for (path, text) in files {
            this.write(path, text);
        }
        this
    }

    pub(super) fn path(&self, path: &str) -> PathBuf {
        self.folder.path().join(path)
    }

    pub(super) fn write(&self, path: &str, text: &str) {
        let path = self.path(path);
        std::fs::create_dir_all(path.parent().unwrap()).unwrap();
        std::fs::write(path, text).unwrap();
    }

    /// `insula ingest` with these arguments and no server.
    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(&self.binary);
        command
            .current_dir(self.folder.path())
            .arg("ingest")
            .args(arguments)
            .env_remove("INSULA_URL")
            .env_remove("INSULA_API_KEY")
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .kill_on_drop(true);
        command
    }

    pub(super) fn start(&self, of: &Client, arguments: &[&str]) -> Child {
        let mut command = self.command(arguments);
        command
            .env("INSULA_URL", of.url(""))
            .env("INSULA_API_KEY", of.key());
        command.spawn().unwrap()
    }

    /// Runs `insula ingest docs --store library` with more arguments.
    pub(super) async fn ingest(&self, of: &Client, more: &[&str]) -> Ended {
        let arguments = [&["docs", "--store", "library"], more].concat();
        ended(self.start(of, &arguments)).await
    }
}

pub(super) async fn ended(run: Child) -> Ended {
    let output = tokio::time::timeout(PATIENCE, run.wait_with_output()).await;
    output.expect("it does not end").unwrap().into()
}

pub(super) async fn interrupt(run: &Child) {
    let id = run.id().expect("it has ended by itself").to_string();
    assert!(
        Command::new("kill")
            .args(["-s", "INT", &id])
            .status()
            .await
            .unwrap()
            .success()
    );
}

/// The store's files by path: id and state.
pub(super) async fn files(of: &Client, store: &str) -> Vec<(String, String, String)> {
    let list = of
        .get(&format!("/v1/vector_stores/{store}/files?limit=100"))
        .await
        .ok();
    let text = |value: &Value| value.as_str().unwrap().to_owned();
    let mut files: Vec<_> = list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| {
            (
                text(&file["attributes"]["path"]),
                text(&file["id"]),
                text(&file["status"]),
            )
        })
        .collect();
    files.sort();
    files
}

pub(super) async fn paths(of: &Client, store: &str) -> Vec<String> {
    files(of, store)
        .await
        .into_iter()
        .map(|(path, ..)| path)
        .collect()
}

pub(super) async fn uploads(of: &Client) -> usize {
    of.get("/v1/files").await.ok()["data"].as_array().unwrap().len()
}
