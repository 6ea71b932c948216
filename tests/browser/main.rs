//! The dashboard in a real browser, against the real server: the stories of `frontend/e2e`.

use std::path::PathBuf;
use std::process::Stdio;

use insula_tenancy::member::invite;
use insula_tests::{TestApp, shared_data, workspace};
use secrecy::ExposeSecret;
use tokio::process::Command;

/// A program on the path.
fn program(names: &[&str]) -> Option<PathBuf> {
    let path = std::env::var_os("PATH")?;
    let folders: Vec<PathBuf> = std::env::split_paths(&path).collect();
    let mut found = names
        .iter()
        .flat_map(|name| folders.iter().map(move |folder| folder.join(name)));
    found.find(|file| file.is_file())
}

#[tokio::test]
async fn people_use_the_dashboard() {
    let frontend = workspace().join("frontend");
    let Some(chromium) = program(&["chromium", "chromium-browser"]) else {
        eprintln!("skipped: there is no Chromium on this machine (apt-get install chromium)");
        return;
    };
    let (Some(node), true) = (program(&["node"]), frontend.join("dist/index.html").exists()) else {
        eprintln!("skipped: the dashboard is not built; `make test` does it (make dashboard)");
        return;
    };
    let app = TestApp::start().await;
    let home = app.tenant("home").await;
    let mut tx = app.services.db.operator().await.unwrap();
    let invited = invite::bootstrap(&mut tx, "owner@localhost", "home")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let token = invited.expect("nobody runs it yet").token;
    let invitation = home.url(&format!("/accept-invitation#{}", token.expose_secret()));
    let status = Command::new(node)
        .args(["--test", "--test-reporter=spec", "e2e/stories.test.mjs"])
        .current_dir(&frontend)
        .env("INSULA_URL", home.url(""))
        .env("INSULA_INVITATION", invitation)
        .env("INSULA_API_KEY", home.key())
        .env("INSULA_DOCUMENTS", shared_data("documents").unwrap_or_default())
        .env("CHROMIUM", chromium)
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        // What it says goes where this test's output goes, so that it is there even if this is ended for taking too long.
        .status()
        .await
        .expect("running node");
    assert!(status.success(), "its reasons are above");
}
