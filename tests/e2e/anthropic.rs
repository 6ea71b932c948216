//! Models of Anthropic, asked and answered in OpenAI's words.

use insula_tests::{FakeProvider, Setup, TestApp, eventually};
use serde_json::{Value, json};

const MODELS: [&str; 7] = [
    "ok",
    "tools",
    "cut",
    "hang",
    "overloaded",
    "overloaded-midway",
    "limit-429",
];

async fn start() -> (FakeProvider, TestApp) {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    // The key is whatever this variable holds.
    let anthropic = format!(
        "kind = \"anthropic\"\nbase_url = \"http://{}/v1\"\napi_key_env = \"CARGO_PKG_NAME\"\n\
         timeouts = {{ first_token = 1.5, between_chunks = 4, total = 4 }}",
        provider.address()
    );
    let app = TestApp::with(Setup {
        routes: Some(FakeProvider::routes_of(&anthropic, &MODELS)),
        ..Setup::default()
    })
    .await;
    (provider, app)
}

fn ask(model: &str) -> Value {
    json!({"model": format!("fake/{model}"), "messages": [
        {"role": "system", "content": "Be short."}, {"role": "user", "content": "Hello?"}]})
}

fn streamed(mut body: Value) -> Value {
    body["stream"] = json!(true);
    body["stream_options"] = json!({"include_usage": true});
    body
}

fn parse(events: &[String]) -> Vec<Value> {
    events
        .iter()
        .map(|event| serde_json::from_str(event).unwrap_or_else(|_| json!(event)))
        .collect()
}

fn text(events: &[Value]) -> String {
    events
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect()
}

#[tokio::test]
async fn an_answer_whole_and_streamed() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let completion = ada.post("/v1/chat/completions", ask("ok")).await.ok();
    let choice = &completion["choices"][0];
    assert_eq!(
        (&choice["message"]["content"], &choice["finish_reason"]),
        (&json!("Hello from the provider [1]."), &json!("stop"))
    );
    let usage = &completion["usage"];
    assert_eq!(
        (&usage["prompt_tokens"], &usage["completion_tokens"]),
        (&json!(11), &json!(5)),
        "what the cache held is part of the prompt"
    );
    let sent = provider.count("ok").await;
    assert_eq!(sent.path, "/v1/messages");
    assert_eq!(
        (sent.api_key.as_deref(), sent.authorization),
        (Some("insula-tests"), None)
    );
    assert_eq!(sent.body["system"], "Be short.");

    let events = ada
        .stream("/v1/chat/completions", streamed(ask("ok")))
        .await
        .rest()
        .await;
    let events = parse(&events);
    assert_eq!(text(&events), "Hello from the provider [1].");
    assert_eq!(events.last(), Some(&json!("[DONE]")));
    assert_eq!(events[events.len() - 2]["usage"]["total_tokens"], 16);
}

#[tokio::test]
async fn tool_calls_both_ways() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let mut body = ask("tools");
    body["tools"] =
        json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    body["tool_choice"] = json!("required");
    let completion = ada.post("/v1/chat/completions", body.clone()).await.ok();
    let choice = completion["choices"][0].clone();
    assert_eq!(choice["finish_reason"], "tool_calls");
    let call = &choice["message"]["tool_calls"][0];
    assert_eq!(
        (
            &call["id"],
            &call["function"]["name"],
            &call["function"]["arguments"]
        ),
        (
            &json!("toolu_1"),
            &json!("weather"),
            &json!("{\"city\":\"Basra\"}")
        )
    );
    let sent = provider.count("tools").await.body;
    assert_eq!(
        (&sent["tools"][0]["input_schema"], &sent["tool_choice"]),
        (&json!({"type": "object"}), &json!({"type": "any"}))
    );

    let stream = ada.stream("/v1/chat/completions", streamed(body.clone())).await;
    let events = parse(&stream.rest().await);
    let arguments: String = events
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"][0]["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, "{\"city\": \"Basra\"}");

    let messages = body["messages"].as_array_mut().unwrap();
    messages.push(choice["message"].clone());
    messages.push(json!({"role": "tool", "tool_call_id": "toolu_1", "content": "sunny"}));
    ada.post("/v1/chat/completions", body).await.ok();
    let sent = provider.count("tools").await.body;
    assert_eq!(
        sent["messages"][2]["content"],
        json!([{"type": "tool_result", "tool_use_id": "toolu_1", "content": "sunny"}])
    );
}

#[tokio::test]
async fn failures_before_and_within_an_answer() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    for (model, status) in [("overloaded", 503), ("limit-429", 503), ("hang", 502)] {
        for body in [ask(model), streamed(ask(model))] {
            let error = ada
                .post("/v1/chat/completions", body)
                .await
                .refused(status)
                .clone();
            assert_eq!(error["type"], "server_error", "{model}: {error}");
        }
    }
    for model in ["cut", "overloaded-midway"] {
        let stream = ada.stream("/v1/chat/completions", streamed(ask(model))).await;
        let events = parse(&stream.rest().await);
        assert_eq!(text(&events), "Two words ", "{model}");
        let last = events.last().unwrap();
        assert_eq!(last["error"]["type"], "server_error", "{model}: {last}");
    }
    eventually("those that hung were told", async || {
        (provider.count("hang").await.aborted == 2).then_some(())
    })
    .await;
}
