//! The pages of `docs/`: their code is run as it is printed, and prints what they say.
//!
//! A block with a name (` ```python rag.py `) is that file, a block `sh` is run, and a block `text` is what the last one said.
//! Lines that install packages, start servers or say where the server is are done by the test instead.

use std::net::SocketAddr;
use std::path::Path;
use std::process::Stdio;

use insula::config::ServeArgs;
use insula_tests::{Client, Setup, TestApp, eventually, free_address, runtime, workspace};
use tempfile::TempDir;
use tokio::process::Command;

/// What runs the page's script where there is no browser: a page of one element, and addresses as a browser takes them.
const NO_BROWSER: &str = r#"
const page = { textContent: "" };
globalThis.document = { querySelector: () => page };
const real = fetch;
globalThis.fetch = (url, options) => real(new URL(url, process.argv[1]), options);
await import(`${process.cwd()}/app.mjs`);
process.stdout.write(page.textContent);
"#;

struct Block {
    language: String,
    name: Option<String>,
    text: String,
}

fn blocks(page: &str) -> Vec<Block> {
    let text = std::fs::read_to_string(workspace().join("docs").join(page)).expect("the page");
    let mut parts = text.split("```");
    parts.next();
    let mut found = Vec::new();
    while let Some(block) = parts.next() {
        let (info, text) = block.split_once('\n').expect("a block");
        let (language, name) = match info.split_once(' ') {
            Some((language, name)) => (language, Some(name.to_owned())),
            None => (info, None),
        };
        found.push(Block {
            language: language.into(),
            name,
            text: text.into(),
        });
        parts.next();
    }
    assert!(!found.is_empty(), "{page} has no code");
    found
}

/// Whether the test does what a line says.
fn by_the_test(line: &str) -> bool {
    let begins = ["pip install ", "export ", "insula dev ", "node backend.mjs"];
    begins.iter().any(|begin| line.starts_with(begin))
}

/// A program in the page's folder that knows the server.
fn command(program: &str, folder: &Path, packages: &Path, ada: &Client) -> Command {
    let mut command = Command::new(program);
    command
        .current_dir(folder)
        .env("PYTHONPATH", packages)
        .env("PYTHONDONTWRITEBYTECODE", "1")
        .env("INSULA_URL", ada.url(""))
        .env("INSULA_API_KEY", ada.key())
        .env("NO_PROXY", "127.0.0.1,localhost")
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true);
    command
}

async fn said(mut command: Command) -> String {
    let output = command.output().await.expect("running it");
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{errors}");
    String::from_utf8(output.stdout).expect("text")
}

/// Runs a page. `opened` says what somebody sees who opens the page's app.
async fn follow(page: &str, packages: &str, ada: &Client, opened: Option<SocketAddr>) {
    let packages = runtime().join("sdk").join(packages);
    let folder = tempfile::tempdir().expect("a temporary folder");
    let mut last: Option<String> = None;
    let mut compared = 0;
    let mut backend = None;
    for Block { language, name, text } in blocks(page) {
        match (language.as_str(), name) {
            (_, Some(name)) => std::fs::write(folder.path().join(name), text).expect("writing a file"),
            ("sh", None) => {
                if text.starts_with("node backend.mjs") {
                    let address = opened.expect("where the app listens");
                    backend = Some(serve(&folder, &packages, ada, address).await);
                    last = Some(look(&folder, &packages, ada, address).await);
                    continue;
                }
                let lines: Vec<&str> = text.lines().filter(|line| !by_the_test(line)).collect();
                let mut shell = command("bash", folder.path(), &packages, ada);
                shell.args(["-euc", &lines.join("\n")]);
                last = Some(said(shell).await);
            }
            ("text", None) => {
                assert_eq!(last.take().expect("something was run"), text, "{page}");
                compared += 1;
            }
            (other, None) => panic!("{page}: a block of {other} without a name"),
        }
    }
    assert!(compared > 0, "{page} does not show what it prints");
    drop(backend);
}

/// Starts the backend of the browser app.
async fn serve(
    folder: &TempDir,
    packages: &Path,
    ada: &Client,
    address: SocketAddr,
) -> tokio::process::Child {
    let mut node = command("node", folder.path(), packages, ada);
    node.arg("backend.mjs").env("PORT", address.port().to_string());
    let child = node.spawn().expect("starting the backend");
    eventually("the backend listens", async || {
        tokio::net::TcpStream::connect(("localhost", address.port()))
            .await
            .ok()
    })
    .await;
    child
}

/// What the app shows: in Chromium if there is one.
async fn look(folder: &TempDir, packages: &Path, ada: &Client, address: SocketAddr) -> String {
    let url = format!("http://localhost:{}/", address.port());
    let mut chromium = command("chromium", folder.path(), packages, ada);
    chromium
        .args([
            "--headless",
            "--no-sandbox",
            "--disable-gpu",
            "--virtual-time-budget=20000",
            "--dump-dom",
        ])
        .arg(format!(
            "--user-data-dir={}",
            folder.path().join("browser").display()
        ))
        .arg(&url);
    if Command::new("chromium").arg("--version").output().await.is_err() {
        eprintln!("skipped: the browser, for there is no chromium; the page's script runs in Node");
        let mut node = command("node", folder.path(), packages, ada);
        node.args(["--input-type=module", "--eval", NO_BROWSER, &url]);
        return said(node).await;
    }
    let dom = said(chromium).await;
    let (_, rest) = dom
        .split_once("<pre>")
        .unwrap_or_else(|| panic!("no page: {dom}"));
    rest.split_once("</pre>").expect("its end").0.to_owned()
}

/// Whether the packages of a page are there. Says so if not.
fn has(packages: &str) -> bool {
    let there = runtime().join("sdk").join(packages).exists();
    if !there {
        eprintln!("skipped: sdk/{packages} is not installed; `make test` does it where it can");
    }
    there
}

#[tokio::test]
async fn answers_from_documents_as_documented() {
    if !has("python") {
        return;
    }
    let app = TestApp::start().await;
    follow("rag.md", "python", &app.tenant("ada").await, None).await;
}

#[tokio::test]
async fn models_of_ones_own_as_documented() {
    let app = TestApp::without_worker().await;
    // What the bootstrap exports its own model with.
    follow("models.md", "../python", &app.tenant("ada").await, None).await;
}

#[tokio::test]
async fn an_agent_as_documented() {
    if !has("frameworks") {
        return;
    }
    let app = TestApp::start().await;
    follow("agent.md", "frameworks", &app.tenant("ada").await, None).await;
}

#[tokio::test]
async fn a_browser_app_as_documented() {
    if !has("node") {
        return;
    }
    let address = free_address();
    let origin = format!("http://localhost:{}", address.port());
    let app = TestApp::with(Setup {
        serve: ServeArgs {
            cors_origins: vec![origin.parse().expect("an origin")],
            ..ServeArgs::default()
        },
        ..Setup::default()
    })
    .await;
    follow("browser.md", "node", &app.tenant("ada").await, Some(address)).await;
}
