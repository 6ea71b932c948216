//! The official OpenAI SDK against the server.

use std::path::Path;
use std::process::Stdio;

use insula_tests::{TestApp, runtime};
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
