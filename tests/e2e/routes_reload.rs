//! Reading `routes.toml` again, in the binary that is shipped.

use std::path::PathBuf;

use insula_tests::{
    Client, FakeProvider, ServerProcess, Setup, TestApp, eventually, free_address, insula_binary,
};
use serde_json::{Value, json};

/// A server process whose routes are in a file that a test changes.
struct Served {
    provider: FakeProvider,
    file: PathBuf,
    server: ServerProcess,
    ada: Client,
    _app: TestApp,
    _folder: tempfile::TempDir,
}

impl Served {
    async fn start(models: &[&str]) -> Self {
        let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
        let app = TestApp::with(Setup {
            worker: false,
            ..Setup::default()
        })
        .await;
        let ada = app.tenant("ada").await;
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("routes.toml");
        std::fs::write(&file, provider.routes(models, "")).unwrap();
        let address = free_address();
        let listen = address.to_string();
        let arguments = [
            "--listen",
            &*listen,
            "--worker",
            "false",
            "--routes",
            file.to_str().unwrap(),
        ];
        let url = app.database.app_url();
        let server = ServerProcess::start(
            &insula_binary().await,
            "serve",
            &arguments,
            url.as_str(),
            &app.blobs(),
        );
        let ada = Client::at(address, &ada);
        server.ready(&ada).await;
        Self {
            provider,
            file,
            server,
            ada,
            _app: app,
            _folder: folder,
        }
    }

    /// Writes the file and sends SIGHUP.
    async fn change(&self, text: &str) {
        std::fs::write(&self.file, text).unwrap();
        self.server.signal("HUP").await;
    }

    async fn status(&self, model: &str) -> u16 {
        let body = json!({"model": model, "messages": [{"role": "user", "content": "Hello?"}]});
        self.ada.post("/v1/chat/completions", body).await.status
    }
}

#[tokio::test]
async fn a_hangup_brings_new_routes_and_a_wrong_file_keeps_the_old_ones() {
    let served = Served::start(&["ok", "slow"]).await;
    assert_eq!(
        (
            served.status("fake/ok").await,
            served.status("fake/no-done").await
        ),
        (200, 404)
    );
    // What is under way goes on, though its route is taken away.
    let body =
        json!({"model": "fake/slow", "stream": true, "messages": [{"role": "user", "content": "Hello?"}]});
    let mut stream = served.ada.stream("/v1/chat/completions", body).await;
    stream.next_json().await;
    served.change(&served.provider.routes(&["no-done"], "")).await;
    eventually("the new route serves", async || {
        (served.status("fake/no-done").await == 200).then_some(())
    })
    .await;
    assert_eq!(served.status("fake/ok").await, 404);
    for _ in 0..20 {
        let event: Value = stream.next_json().await;
        assert!(event["error"].is_null(), "{event}");
    }
    drop(stream);

    let wrong = served.provider.routes(&["ok"], "") + "[[route]]\nmodel = \"x\"\nprovider = \"nobody\"\n";
    served.change(&wrong).await;
    // A right one after it shows that the wrong one was read and changed nothing.
    assert_eq!(served.status("fake/no-done").await, 200);
    served
        .change(&served.provider.routes(&["no-done", "usage-last"], ""))
        .await;
    eventually("the next file serves", async || {
        (served.status("fake/usage-last").await == 200).then_some(())
    })
    .await;
    assert_eq!(served.status("x").await, 404);
    assert!(served.server.terminate().await.success());
}

#[tokio::test]
async fn a_file_is_checked_before_it_is_used() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("routes.toml");
    let check = async |text: &str| {
        std::fs::write(&file, text).unwrap();
        let command = tokio::process::Command::new(insula_binary().await)
            .args(["routes", "check"])
            .arg(&file)
            .output()
            .await
            .unwrap();
        let text = |bytes: Vec<u8>| String::from_utf8(bytes).unwrap();
        (
            command.status.success(),
            text(command.stdout),
            text(command.stderr),
        )
    };
    let good = "[[provider]]\nname = \"p\"\nkind = \"openai_compatible\"\nbase_url = \"http://127.0.0.1:1/v1\"\n\
        api_key_env = \"NOBODY_HAS_SET_THIS\"\n[[route]]\nmodel = \"m\"\nfallbacks = [\"insula/extractive\"]\n\
        [[route.target]]\nprovider = \"p\"\n[[route.target]]\nprovider = \"p\"\nupstream_model = \"n\"\n";
    let (success, printed, _) = check(good).await;
    assert!(success, "no key is needed to check");
    assert_eq!(
        printed,
        "insula/extractive: extractive/insula/extractive\nm: p/m > p/n; then: insula/extractive\n"
    );
    let (success, printed, error) = check(&good.replace("insula/extractive", "nobody")).await;
    assert!(!success && printed.is_empty());
    assert!(
        error.contains("line 8") && error.contains("route.fallbacks"),
        "{error}"
    );
}
