//! The official OpenAI SDK against the server, and what the documentation has clients do by themselves.

use std::path::Path;
use std::process::Stdio;

use insula_tests::{Client, TestApp, runtime, workspace};
use serde_json::json;
use tokio::process::Command;

#[tokio::test]
async fn the_official_python_sdk_works_with_another_base_url_and_key() {
    let sdk = runtime().join("sdk/python");
    if !sdk.exists() {
        eprintln!("skipped: the SDK is not installed; `make test` does it (bootstrap --with sdk)");
        return;
    }
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let output = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk/sdk.py"))
        .env("PYTHONPATH", sdk)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("INSULA_BASE_URL", ada.url("/v1"))
        .env("INSULA_API_KEY", ada.key())
        .env("INSULA_OTHER_API_KEY", bob.key())
        .env("NO_PROXY", "127.0.0.1")
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("running python3");
    let said = format!(
        "{}{}",
        String::from_utf8_lossy(&output.stdout),
        String::from_utf8_lossy(&output.stderr)
    );
    assert!(output.status.success(), "{said}");
    assert!(said.contains("deletion: ok"), "it did not run to its end: {said}");
}

/// The block of that language in the page about scoped tokens.
fn documented(language: &str) -> String {
    let page = std::fs::read_to_string(workspace().join("api/SCOPED_TOKENS.md")).unwrap();
    let (_, rest) = page
        .split_once(&format!("```{language}\n"))
        .expect("a block of code");
    rest.split_once("```").expect("its end").0.to_owned()
}

/// Runs documented code, which prints a token for a store of `ada`'s, and uses the token.
async fn assert_mints(ada: &Client, mut program: Command) {
    let store = ada.store("minted", &[]).await;
    for customer in ["c-17", "c-18"] {
        let file = ada
            .upload(&format!("{customer}.txt"), format!("A note about {customer}."))
            .await;
        let attach = json!({"file_id": file, "attributes": {"customer": customer}});
        let path = format!("/v1/vector_stores/{store}/files");
        ada.post(&path, attach).await.ok();
    }
    ada.ready(&store).await;
    let output = program
        .env("INSULA_API_KEY", ada.key())
        .env("INSULA_VECTOR_STORE", &store)
        .stdin(Stdio::null())
        .kill_on_drop(true)
        .output()
        .await
        .expect("running it");
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{said}");
    let token = String::from_utf8(output.stdout).unwrap();
    let browser = ada.with_key(token.trim());
    let found = browser.search(&store, json!({"query": "a note"})).await;
    let names: Vec<_> = found["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|hit| &hit["filename"])
        .collect();
    assert_eq!(names, ["c-17.txt"]);
    browser.get("/v1/files").await.refused(403);
}

#[tokio::test]
async fn a_scoped_token_is_signed_in_python_as_documented() {
    let sdk = runtime().join("sdk/python");
    if !sdk.join("jwt").exists() || !sdk.join("cryptography").exists() {
        eprintln!("skipped: PyJWT is not installed; `make test` does it (bootstrap --with sdk)");
        return;
    }
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let mut python = Command::new("python3");
    python
        .args(["-c", &documented("python")])
        .env("PYTHONPATH", sdk)
        .env("PYTHONDONTWRITEBYTECODE", "1");
    assert_mints(&ada, python).await;
}

#[tokio::test]
async fn a_scoped_token_is_signed_in_typescript_as_documented() {
    let version = Command::new("node").arg("--version").output().await;
    if !version.is_ok_and(|version| version.status.success()) {
        eprintln!("skipped: there is no node on this machine");
        return;
    }
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let mut node = Command::new("node");
    // The code has no type that must be written down, so it is JavaScript as well.
    node.args(["--input-type=module", "--eval", &documented("ts")]);
    assert_mints(&ada, node).await;
}
