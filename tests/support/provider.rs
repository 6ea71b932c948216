//! An OpenAI-compatible provider at the edge: a process of its own that misbehaves by model name.

use std::collections::BTreeMap;
use std::path::Path;
use std::process::Stdio;

use insula_inference::http::ClientOptions;
use serde::Deserialize;
use serde_json::Value;
use tokio::io::{AsyncBufReadExt, BufReader};
use tokio::process::{Child, Command};

/// A running `fake-provider`. Killed with the value.
pub struct FakeProvider {
    address: String,
    http: reqwest::Client,
    _process: Child,
}

/// What happened to the calls of one model.
#[derive(Debug, Clone, Default, Deserialize, PartialEq, Eq)]
pub struct ModelCount {
    /// Calls that arrived.
    pub requests: u32,
    /// Calls whose caller left before the answer was complete.
    pub aborted: u32,
    /// The last body.
    pub body: Value,
    /// Words of answers that left.
    pub tokens: u32,
    /// Path and query of the last call.
    pub path: String,
    /// The last `Authorization` header.
    pub authorization: Option<String>,
    /// The last `api-key` or `x-api-key` header.
    pub api_key: Option<String>,
}

impl FakeProvider {
    /// Starts the binary, as in `FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider"))`.
    pub async fn start(binary: impl AsRef<Path>) -> Self {
        Self::run(Command::new(binary.as_ref()), ClientOptions::default()).await
    }

    /// Starts it on a unix socket.
    pub async fn start_on(binary: impl AsRef<Path>, socket: &Path) -> Self {
        let mut command = Command::new(binary.as_ref());
        command.arg(socket);
        let options = ClientOptions {
            socket: Some(socket.to_owned()),
            ..ClientOptions::default()
        };
        Self::run(command, options).await
    }

    async fn run(mut command: Command, options: ClientOptions) -> Self {
        let on_socket = options.socket.is_some();
        let mut process = command
            .stdout(Stdio::piped())
            .kill_on_drop(true)
            .spawn()
            .expect("starting the provider");
        let mut lines = BufReader::new(process.stdout.take().expect("its output")).lines();
        let address = lines
            .next_line()
            .await
            .expect("reading its address")
            .expect("the provider ended at once");
        let http = insula_inference::http::client(options).expect("an HTTP client");
        let address = if on_socket { "localhost".into() } else { address };
        Self {
            address,
            http,
            _process: process,
        }
    }

    /// Where it listens, `127.0.0.1:PORT`; `localhost` if that is a socket.
    pub fn address(&self) -> &str {
        &self.address
    }

    /// A `routes.toml` that serves each of these of its models under the name `fake/MODEL`.
    pub fn routes(&self, models: &[&str], more: &str) -> String {
        let provider = format!(
            "kind = \"openai_compatible\"\nbase_url = \"http://{}/v1\"\n{more}",
            self.address
        );
        Self::routes_of(&provider, models)
    }

    /// The same with a provider of which only the name is given.
    pub fn routes_of(provider: &str, models: &[&str]) -> String {
        let mut text = format!("[[provider]]\nname = \"fake\"\n{provider}\n");
        for model in models {
            text += &format!(
                "[[route]]\nmodel = \"fake/{model}\"\nprovider = \"fake\"\nupstream_model = \"{model}\"\n"
            );
        }
        text
    }

    /// What happened to calls so far.
    pub async fn count(&self, model: &str) -> ModelCount {
        let url = format!("http://{}/counts", self.address);
        let response = self.http.get(url).send().await.expect("asking the provider");
        let counts: BTreeMap<String, ModelCount> = response.json().await.expect("its counts");
        counts.get(model).cloned().unwrap_or_default()
    }
}
