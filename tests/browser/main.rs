//! The dashboard in a real browser, against the real server: the stories of `frontend/e2e`.

use std::path::PathBuf;
use std::process::Stdio;
use std::time::Duration;

use insula::assembly::SiteOptions;
use insula::oidc::OidcOptions;
use insula_tenancy::member::invite;
use insula_tests::{IdentityProvider, Setup, TestApp, assert_invariants, shared_data, workspace};
use openidconnect::IssuerUrl;
use secrecy::ExposeSecret;
use serde_json::json;
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

/// Node, about to tell the stories of a file to a browser. `None`, with the reason printed, where this machine lacks a part.
fn stories(file: &str) -> Option<Command> {
    let frontend = workspace().join("frontend");
    let Some(chromium) = program(&["chromium", "chromium-browser"]) else {
        eprintln!("skipped: there is no Chromium on this machine (apt-get install chromium)");
        return None;
    };
    let (Some(node), true) = (program(&["node"]), frontend.join("dist/index.html").exists()) else {
        eprintln!("skipped: the dashboard is not built; `make test` does it (make dashboard)");
        return None;
    };
    let mut command = Command::new(node);
    command
        .args(["--test", "--test-reporter=spec"])
        .arg(format!("e2e/{file}"))
        .current_dir(&frontend)
        .env("CHROMIUM", chromium)
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    Some(command)
}

/// Invites the first operator, who owns the tenant `home`; the secret of the invitation.
async fn invite_the_owner(app: &TestApp) -> String {
    let mut tx = app.services.db.operator().await.unwrap();
    let invited = invite::bootstrap(&mut tx, "owner@localhost", "home")
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let token = invited.expect("nobody runs it yet").token;
    token.expose_secret().to_owned()
}

#[tokio::test]
async fn people_use_the_dashboard() {
    let Some(mut stories) = stories("stories.test.mjs") else {
        return;
    };
    let app = TestApp::start().await;
    let home = app.tenant("home").await;
    let token = invite_the_owner(&app).await;
    // What it says goes where this test's output goes, so that it is there even if this is ended for taking too long.
    let status = stories
        .env("INSULA_URL", home.url(""))
        .env(
            "INSULA_INVITATION",
            home.url(&format!("/accept-invitation#{token}")),
        )
        .env("INSULA_API_KEY", home.key())
        .env("INSULA_DOCUMENTS", shared_data("documents").unwrap_or_default())
        .status()
        .await
        .expect("running node");
    assert!(status.success(), "its reasons are above");
}

#[tokio::test]
async fn whoever_runs_an_install_signs_in_by_its_provider_and_looks_after_it() {
    let Some(mut stories) = stories("install.test.mjs") else {
        return;
    };
    let provider = IdentityProvider::start().await;
    provider.person("sub-1", "owner@localhost", true);
    let oidc = OidcOptions {
        issuer: IssuerUrl::new(provider.issuer()).unwrap(),
        client_id: IdentityProvider::CLIENT_ID.into(),
        client_secret: Some(IdentityProvider::CLIENT_SECRET.into()),
        name: "Acme".into(),
    };
    let app = TestApp::with(Setup {
        worker: false,
        site: SiteOptions {
            oidc: Some(oidc),
            ..SiteOptions::default()
        },
        ..Setup::default()
    })
    .await;
    let home = app.tenant("home").await;
    app.tenant("customer").await;
    invite_the_owner(&app).await;
    // A job that is dead for want of a blob that is there again.
    let file = home.upload("notes.txt", "The harbour opens at six.").await;
    let store = home.store("notes", &[&file]).await;
    let blob = app.blobs().join(app.blob_names().pop().unwrap());
    let aside = app.blobs().join("aside");
    std::fs::rename(&blob, &aside).unwrap();
    app.run_jobs().await;
    std::fs::rename(&aside, &blob).unwrap();

    let owner = app.owner().clone();
    let hurry = tokio::spawn(async move {
        loop {
            sqlx::query(
                "update tenant_accesses set expires_at = now() + interval '6 seconds'
                 where reason like '%briefly' and expires_at > now() + interval '1 minute'",
            )
            .execute(&owner)
            .await
            .unwrap();
            tokio::time::sleep(Duration::from_millis(100)).await;
        }
    });
    let status = stories
        .env("INSULA_URL", home.url(""))
        .status()
        .await
        .expect("running node");
    hurry.abort();
    assert!(status.success(), "its reasons are above");
    app.run_jobs().await;
    let path = format!("/v1/vector_stores/{store}/files/{file}");
    assert_eq!(home.get(&path).await.ok()["status"], json!("completed"));
    assert_invariants(app.owner()).await;
}
