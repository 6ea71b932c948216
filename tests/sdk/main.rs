//! The official OpenAI SDK and other clients against the server, and what the documentation has them do by themselves.

mod conformance;
mod cookbook;

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use insula_tests::{Client, FakeProvider, Setup, TestApp, assert_invariants, eventually, runtime, workspace};
use serde_json::json;
use tokio::process::Command;

/// Runs a script against the server of `ada`; what it printed. `None`, and a line that says so, where there is no SDK.
async fn run_script(name: &str, ada: &Client, keys: &[(&str, &Client)]) -> Option<String> {
    let sdk = runtime().join("sdk/python");
    if !sdk.exists() {
        eprintln!("skipped: the SDK is not installed; `make test` does it (bootstrap --with sdk)");
        return None;
    }
    let keys = keys.iter().map(|(name, client)| (*name, client.key()));
    let output = Command::new("python3")
        .arg(Path::new(env!("CARGO_MANIFEST_DIR")).join("sdk").join(name))
        .env("PYTHONPATH", sdk)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("INSULA_BASE_URL", ada.url("/v1"))
        .env("INSULA_API_KEY", ada.key())
        .envs(keys)
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
    Some(said)
}

#[tokio::test]
async fn the_official_python_sdk_works_with_another_base_url_and_key() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    if let Some(said) = run_script("sdk.py", &ada, &[("INSULA_OTHER_API_KEY", &bob)]).await {
        assert!(said.contains("deletion: ok"), "it did not run to its end: {said}");
    }
}

#[tokio::test]
async fn tritons_client_asks_a_tenants_own_models() {
    if !runtime().join("sdk/python/tritonclient").exists() {
        eprintln!("skipped: tritonclient is not installed; `make test` does it (bootstrap --with sdk)");
        return;
    }
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    ada.served_model("m", "add-1.onnx", json!({})).await;
    ada.model_version("m", "add-2.onnx", json!({})).await.ok();
    ada.served_model("echo", "echo.onnx", json!({})).await;
    if let Some(said) = run_script("triton.py", &ada, &[("INSULA_OTHER_API_KEY", &bob)]).await {
        assert!(said.contains("refusals: ok"), "it did not run to its end: {said}");
    }
}

#[tokio::test]
async fn the_official_python_sdk_administers_the_organization() {
    let app = TestApp::without_worker().await;
    let (ada, operator) = (app.tenant("ada").await, app.operator().await);
    if let Some(said) = run_script("admin.py", &ada, &[("INSULA_OPERATOR_KEY", &operator)]).await {
        assert!(
            said.contains("admin_keys: ok"),
            "it did not run to its end: {said}"
        );
    }
}

#[tokio::test]
async fn the_official_python_sdk_works_through_the_gateway() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let models = ["ok", "tools", "late-1000", "cut", "slow"];
    let price = "price = [{ input = \"1\", output = \"2\" }]\nupstream_model =";
    let routes = provider.routes(&models, "").replace("upstream_model =", price);
    let embeddings = "[[route]]\nmodel = \"remote\"\nkind = \"embeddings\"\ndimensions = 8\nmax_tokens = 512\n\
        [[route.target]]\nprovider = \"fake\"\nupstream_model = \"embed-8\"\n";
    let app = TestApp::with(Setup {
        routes: Some(format!("{routes}\n{embeddings}")),
        worker: false,
        ..Setup::default()
    })
    .await;
    let (ada, limited, poor) = (
        app.tenant("ada").await,
        app.tenant("limited").await,
        app.tenant("poor").await,
    );
    let path = format!("/v1/insula/operator/tenants/{}/limits", limited.tenant_id());
    let limits = json!({"limits": [{"subject_kind": "tenant", "requests_per_minute": 1}]});
    app.operator().await.put(&path, limits).await.ok();
    let budget = json!({"subject_kind": "tenant", "period": "month", "amount_usd": "0"});
    poor.post("/v1/insula/budgets", budget).await.ok();
    let keys = [("INSULA_LIMITED_KEY", &limited), ("INSULA_POOR_KEY", &poor)];
    let Some(said) = run_script("gateway.py", &ada, &keys).await else {
        return;
    };
    assert!(said.contains("a budget: ok"), "it did not run to its end: {said}");
    assert_eq!(provider.count("late-1000").await.requests, 1);
    eventually("the provider is told that nobody listens", async || {
        (provider.count("slow").await.aborted == 1).then_some(())
    })
    .await;
    assert!(app.services.meter.settled(Duration::from_secs(10)).await);
    let outcomes: Vec<(String, i64)> = sqlx::query_as(
        "select outcome, count(*) from usage_events where tenant_id = $1 group by 1 order by 1",
    )
    .bind(ada.tenant_id())
    .fetch_all(app.owner())
    .await
    .unwrap();
    let expected = [("cancelled", 1), ("completed", 8), ("failed", 1)];
    assert_eq!(
        outcomes,
        expected.map(|(outcome, count)| (outcome.to_owned(), count))
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn the_official_python_sdk_works_with_batches() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let app = TestApp::with(Setup {
        routes: Some(provider.routes(&["ok"], "")),
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    if let Some(said) = run_script("batches.py", &ada, &[]).await {
        assert!(
            said.contains("batches that go wrong: ok"),
            "it did not run to its end: {said}"
        );
    }
    assert_invariants(app.owner()).await;
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
