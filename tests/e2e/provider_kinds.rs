//! Providers of several kinds: Azure's addresses, servers on this machine, and what each of them does not know.

use insula_tests::{FakeProvider, Setup, TestApp};
use serde_json::{Value, json};

const BINARY: &str = env!("CARGO_BIN_EXE_fake-provider");

async fn app(routes: String) -> TestApp {
    TestApp::with(Setup {
        routes: Some(routes),
        ..Setup::default()
    })
    .await
}

fn ask(model: &str) -> Value {
    json!({"model": format!("fake/{model}"), "messages": [{"role": "user", "content": "Hello?"}]})
}

#[tokio::test]
async fn azure_is_asked_at_its_deployments() {
    let provider = FakeProvider::start(BINARY).await;
    // The key is whatever this variable holds.
    let azure = format!(
        "kind = \"openai_compatible\"\nflavour = \"azure\"\nbase_url = \"http://{}\"\n\
         query = {{ api-version = \"2024-10-21\" }}\napi_key_env = \"CARGO_PKG_NAME\"",
        provider.address()
    );
    let app = app(FakeProvider::routes_of(&azure, &["ok", "no/slash"])).await;
    let ada = app.tenant("ada").await;
    let mut body = ask("ok");
    body["max_tokens"] = json!(9);
    let completion = ada.post("/v1/chat/completions", body.clone()).await.ok();
    assert_eq!(
        completion["choices"][0]["message"]["content"],
        "Hello from the provider [1]."
    );
    let sent = provider.count("ok").await;
    assert_eq!(
        sent.path,
        "/openai/deployments/ok/chat/completions?api-version=2024-10-21"
    );
    assert_eq!(
        (sent.api_key.as_deref(), sent.authorization),
        (Some("insula-tests"), None)
    );
    assert_eq!(sent.body["max_completion_tokens"], 9);
    body["stream"] = json!(true);
    let events = ada.stream("/v1/chat/completions", body).await.rest().await;
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
    ada.post("/v1/chat/completions", ask("no/slash")).await.ok();
    let sent = provider.count("no/slash").await;
    assert!(
        sent.path.starts_with("/openai/deployments/no%2Fslash/"),
        "{}",
        sent.path
    );
}

#[tokio::test]
async fn a_server_on_a_socket_is_a_local_model() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("llama.sock");
    let provider = FakeProvider::start_on(BINARY, &socket).await;
    let local = format!(
        "kind = \"local\"\nflavour = \"llama_server\"\nsocket = \"{}\"",
        socket.display()
    );
    let app = app(FakeProvider::routes_of(&local, &["ok", "cut"])).await;
    let ada = app.tenant("ada").await;
    let completion = ada.post("/v1/chat/completions", ask("ok")).await.ok();
    assert_eq!(completion["usage"]["total_tokens"], 16);
    let mut body = ask("ok");
    body["stream"] = json!(true);
    let events = ada.stream("/v1/chat/completions", body).await.rest().await;
    assert_eq!(events.last().map(String::as_str), Some("[DONE]"));
    assert_eq!(provider.count("ok").await.requests, 2);
    drop(provider);
    let error = ada.post("/v1/chat/completions", ask("ok")).await.refused(502);
    assert!(!error.to_string().contains("llama.sock"), "{error}");
}

#[tokio::test]
async fn what_a_server_does_not_know_is_not_sent() {
    let provider = FakeProvider::start(BINARY).await;
    let more = "flavour = \"tgi\"\nunsupported = [\"seed\"]\nstream_usage = false\nsystem_role = \"developer\"\n\
                extra_body = { chat_template_kwargs = { enable_thinking = false } }";
    let app = app(provider.routes(&["ok"], more)).await;
    let ada = app.tenant("ada").await;
    let mut body = ask("ok");
    body["messages"] =
        json!([{"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello?"}]);
    body["seed"] = json!(1);
    body["top_p"] = json!(1);
    body["temperature"] = json!(0.5);
    body["stream"] = json!(true);
    ada.stream("/v1/chat/completions", body).await.rest().await;
    let sent = provider.count("ok").await.body;
    for absent in ["seed", "top_p", "stream_options"] {
        assert!(sent.get(absent).is_none(), "{absent} was sent: {sent}");
    }
    assert_eq!(
        (&sent["temperature"], &sent["messages"][0]["role"]),
        (&json!(0.5), &json!("developer"))
    );
    assert_eq!(sent["chat_template_kwargs"], json!({"enable_thinking": false}));
}
