//! Clients as they are used, and OpenAI's own schemas, against the server: one table of endpoints and clients.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use futures::{StreamExt, stream};
use insula::config::ServeArgs;
use insula_tests::{Client, FakeProvider, Setup, TestApp, assert_invariants, runtime, workspace};
use serde::Deserialize;
use tempfile::TempDir;
use tokio::process::Command;

/// The models of the provider that the scripts ask.
const MODELS: [&str; 10] = [
    "ok",
    "tools",
    "agent",
    "obliging",
    "odd",
    "cut",
    "short",
    "usage-each",
    "bad-400",
    "limit-429",
];

/// The scripts, the slowest first, and the packages below `sdk` that they need.
const SCRIPTS: [(&str, &str); 11] = [
    ("fuzz.py", "frameworks"),
    ("llamaindex.py", "frameworks"),
    ("langchain_openai_checks.py", "frameworks"),
    ("agents_checks.py", "frameworks"),
    ("pydantic_ai_checks.py", "frameworks"),
    ("instructor_checks.py", "frameworks"),
    ("openai_python.py", "python"),
    ("openai_python.py", "frameworks"),
    ("raw.py", "frameworks"),
    ("ai_sdk.mjs", "node"),
    ("openai_node.mjs", "node"),
];

/// Of a browser app that the server lets in.
const ORIGIN: &str = "https://app.example";

/// Scripts at once.
const AT_ONCE: usize = 3;

/// Where tiktoken looks for the vocabulary, which is the name that it gives to what it would have downloaded.
const VOCABULARY: &str = "9b5ad71b2ce5302211f9c61530b329a4922fc6a4";

/// One line of a script.
#[derive(Debug, Deserialize)]
struct Check {
    client: String,
    endpoint: String,
    check: String,
    ok: bool,
    error: Option<String>,
}

/// A folder with the vocabulary of `cl100k_base`, which lies in the sources of a crate that the server is built with.
async fn vocabulary() -> TempDir {
    #[derive(Deserialize)]
    struct Metadata {
        packages: Vec<Package>,
    }
    #[derive(Deserialize)]
    struct Package {
        name: String,
        manifest_path: PathBuf,
    }
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(["metadata", "--format-version=1", "--locked", "--offline"])
        .current_dir(workspace())
        .output()
        .await
        .expect("running cargo");
    let metadata: Metadata = serde_json::from_slice(&output.stdout).expect("cargo's metadata");
    let found = metadata
        .packages
        .iter()
        .find(|package| package.name == "tiktoken-rs");
    let manifest = &found.expect("tiktoken-rs").manifest_path;
    let folder = tempfile::tempdir().expect("a temporary folder");
    let assets = manifest.with_file_name("assets").join("cl100k_base.tiktoken");
    std::fs::copy(assets, folder.path().join(VOCABULARY)).expect("copying the vocabulary");
    folder
}

/// How a script is run, with its packages and the keys of two tenants.
fn program(script: &str, packages: &Path, tiktoken: &Path, ada: &Client, bob: &Client) -> Command {
    let shared = std::env::var_os("INSULA_SHARED_DATA")
        .map_or_else(|| workspace().join("../shared/data"), PathBuf::from);
    let mut command = Command::new(if script.ends_with(".mjs") {
        "node"
    } else {
        "python3"
    });
    command
        .arg(
            Path::new(env!("CARGO_MANIFEST_DIR"))
                .join("sdk/conformance")
                .join(script),
        )
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("INSULA_NODE", packages)
        .env("INSULA_SHARED_DATA", shared)
        .env("INSULA_BASE_URL", ada.url("/v1"))
        .env("INSULA_API_KEY", ada.key())
        .env("INSULA_OTHER_API_KEY", bob.key())
        .env("INSULA_ORIGIN", ORIGIN)
        .env("TIKTOKEN_CACHE_DIR", tiktoken)
        .env("NO_PROXY", "127.0.0.1")
        // Nobody is told about these runs.
        .env("OPENAI_AGENTS_DISABLE_TRACING", "1")
        .env("LANGSMITH_TRACING", "false")
        .stdin(Stdio::null())
        .kill_on_drop(true);
    command
}

/// What a script said of its checks. One that does not reach its end has failed as a whole.
async fn run(script: &str, mut program: Command) -> Vec<Check> {
    let output = program.output().await.expect("running a script");
    let said = String::from_utf8_lossy(&output.stdout);
    let errors = String::from_utf8_lossy(&output.stderr);
    let mut checks: Vec<Check> = said
        .lines()
        .filter_map(|line| serde_json::from_str(line).ok())
        .collect();
    if errors.contains("skipped: ") {
        eprint!("{errors}");
    } else if !output.status.success() || checks.is_empty() {
        checks.push(Check {
            client: script.into(),
            endpoint: "every endpoint".into(),
            check: "runs to its end".into(),
            ok: false,
            error: Some(format!("{}: {errors}", output.status)),
        });
    }
    checks
}

/// The table: how many checks passed of how many there are.
fn table(checks: &[Check]) -> String {
    let mut cells: BTreeMap<(&str, &str), (usize, usize)> = BTreeMap::new();
    for check in checks {
        let (passed, all) = cells.entry((&check.endpoint, &check.client)).or_default();
        *passed += usize::from(check.ok);
        *all += 1;
    }
    let clients: BTreeSet<&str> = cells.keys().map(|(_, client)| *client).collect();
    let endpoints: BTreeSet<&str> = cells.keys().map(|(endpoint, _)| *endpoint).collect();
    let mut text = String::from("| |");
    clients
        .iter()
        .for_each(|client| write!(text, " {client} |").unwrap());
    text.push_str("\n| --- |");
    clients.iter().for_each(|_| text.push_str(" --- |"));
    for endpoint in endpoints {
        write!(text, "\n| {endpoint} |").unwrap();
        for client in &clients {
            match cells.get(&(endpoint, *client)) {
                Some((passed, all)) => write!(text, " {passed}/{all} |").unwrap(),
                None => text.push_str(" |"),
            }
        }
    }
    text
}

#[tokio::test]
async fn clients_find_what_they_are_used_to() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let app = TestApp::with(Setup {
        routes: Some(provider.routes(&MODELS, "")),
        serve: ServeArgs {
            cors_origins: vec![ORIGIN.parse().expect("an origin")],
            ..ServeArgs::default()
        },
        ..Setup::default()
    })
    .await;
    let tiktoken = vocabulary().await;
    let mut runs = Vec::new();
    for (n, (script, packages)) in SCRIPTS.into_iter().enumerate() {
        let folder = runtime().join("sdk").join(packages);
        if !folder.exists() {
            eprintln!(
                "skipped: {script}, for sdk/{packages} is not installed; `make test` does it where it can"
            );
            continue;
        }
        // Tenants of their own, so that nobody's lists change while they are read.
        let (ada, bob) = (
            app.tenant(&format!("ada-{n}")).await,
            app.tenant(&format!("bob-{n}")).await,
        );
        let program = program(script, &folder, tiktoken.path(), &ada, &bob);
        runs.push(run(script, program));
    }
    let mut results = stream::iter(runs).buffer_unordered(AT_ONCE);
    let mut checks = Vec::new();
    while let Some(done) = results.next().await {
        checks.extend(done);
    }
    println!("\n{}\n", table(&checks));
    let failed: Vec<_> = checks.iter().filter(|check| !check.ok).collect();
    let passed = checks.len() - failed.len();
    println!("{passed} of {} checks passed\n", checks.len());
    for Check {
        client,
        endpoint,
        check,
        error,
        ..
    } in &failed
    {
        println!(
            "{client}, {endpoint}, {check}: {}",
            error.as_deref().unwrap_or_default()
        );
    }
    assert!(failed.is_empty(), "{} checks failed", failed.len());
    assert_invariants(app.owner()).await;
}
