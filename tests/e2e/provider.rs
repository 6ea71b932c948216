//! Models of an OpenAI-compatible provider, whose moods are played by a process of its own.

use insula_tests::{EventStream, FakeProvider, Setup, TestApp, eventually};
use serde_json::{Value, json};

use crate::library::FACTS;

const MODELS: [&str; 18] = [
    "ok",
    "slow",
    "cut",
    "short",
    "garbage",
    "flood",
    "html",
    "hang",
    "late-30000",
    "error-500",
    "error-503",
    "limit-429",
    "bad-400",
    "no-done",
    "tools",
    "two-choices",
    "usage-each",
    "usage-last",
];

async fn start() -> (FakeProvider, TestApp) {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let timeouts = "timeouts = { first_token = 1.5, between_chunks = 4, total = 4 }";
    let routes = provider.routes(&MODELS, timeouts);
    let app = TestApp::with(Setup {
        routes: Some(routes),
        ..Setup::default()
    })
    .await;
    (provider, app)
}

fn ask(model: &str) -> Value {
    json!({"model": format!("fake/{model}"), "messages": [{"role": "user", "content": "Hello?"}]})
}

fn ask_streamed(model: &str) -> Value {
    let mut body = ask(model);
    body["stream"] = json!(true);
    body
}

fn parse(events: &[String]) -> Vec<Value> {
    events
        .iter()
        .map(|event| serde_json::from_str(event).unwrap_or_else(|_| json!(event)))
        .collect()
}

/// A stream that failed under way: its text so far, and the error it ends in.
async fn broken(stream: EventStream) -> (String, Value) {
    let events = parse(&stream.rest().await);
    assert!(
        !events.contains(&json!("[DONE]")),
        "a clean end would be read as success: {events:?}"
    );
    let (last, chunks) = events.split_last().unwrap();
    let error = last["error"]
        .as_object()
        .unwrap_or_else(|| panic!("no error event: {events:?}"));
    assert!(
        ["code", "message", "param", "type"]
            .iter()
            .all(|key| error.contains_key(*key)),
        "{last}"
    );
    let text = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    (text, last["error"].clone())
}

#[tokio::test]
async fn an_answer_is_passed_on_under_our_name() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let mut body = ask("ok");
    let more =
        json!({"temperature": 0.3, "max_tokens": 50, "seed": 7, "stop": ["END"], "user": "end-user-1"});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    let completion = ada.post("/v1/chat/completions", body).await.ok();
    assert_eq!(completion["model"], "fake/ok");
    assert!(
        completion["id"].as_str().unwrap().starts_with("chatcmpl-")
            && completion["id"] != "chatcmpl-upstream"
    );
    assert_eq!(
        completion["choices"][0]["message"]["content"],
        "Hello from the provider [1]."
    );
    assert_eq!(completion["usage"]["total_tokens"], 16);
    let sent = provider.count("ok").await;
    assert_eq!(sent.requests, 1);
    assert_eq!(sent.body["model"], "ok", "the provider's own name");
    assert_eq!(
        (&sent.body["temperature"], &sent.body["seed"]),
        (&json!(0.3), &json!(7))
    );
    assert!(
        sent.authorization.is_none_or(|value| !value.contains("isk_")),
        "our caller's key went out"
    );
    let listed = ada.get("/v1/models").await.ok();
    assert!(
        listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|model| model["id"] == "fake/ok")
    );
}

#[tokio::test]
async fn a_stream_is_passed_on_in_our_chunks() {
    let (_provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let mut body = ask_streamed("ok");
    body["stream_options"] = json!({"include_usage": true});
    let events = parse(&ada.stream("/v1/chat/completions", body).await.rest().await);
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(done, "[DONE]");
    assert!(
        chunks
            .iter()
            .all(|chunk| chunk["model"] == "fake/ok" && chunk["id"] == chunks[0]["id"])
    );
    let roles = chunks
        .iter()
        .filter(|chunk| chunk["choices"][0]["delta"].get("role").is_some())
        .count();
    assert_eq!(roles, 1);
    let text: String = chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect();
    assert_eq!(text, "Hello from the provider [1].");
    let (usage, finish) = (&chunks[chunks.len() - 1], &chunks[chunks.len() - 2]);
    assert_eq!(
        (&usage["choices"], &usage["usage"]["total_tokens"]),
        (&json!([]), &json!(16))
    );
    assert_eq!(finish["choices"][0]["finish_reason"], "stop");
}

#[tokio::test]
async fn a_grounded_call_sends_the_passages_and_cites_what_the_model_names() {
    let (provider, app) = start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, files) = ada.library(&FACTS).await;
    bob.library(&[("secret.txt", "Bob's canary sentence about honeybees.")])
        .await;
    let mut body = ask("ok");
    body["messages"][0]["content"] = json!("How do honeybees show the direction of flowers?");
    body["data_sources"] = json!([{"type": "insula_vector_stores", "parameters": {"vector_store_ids": [store], "max_num_results": 2}}]);
    let completion = ada.post("/v1/chat/completions", body.clone()).await.ok();
    let message = &completion["choices"][0]["message"];
    let citation = &message["annotations"][0]["file_citation"];
    assert_eq!(
        (&citation["file_id"], &citation["index"]),
        (&json!(files[2]), &json!(24))
    );
    let sent = provider.count("ok").await.body;
    let system = sent["messages"][0].to_string();
    assert_eq!(sent["messages"][0]["role"], "system");
    assert!(
        system.contains("waggle dance") && system.contains("<passage number="),
        "{system}"
    );
    assert!(
        !sent.to_string().contains("canary"),
        "another tenant's text was sent"
    );
    assert_eq!(sent.get("data_sources"), None);

    body["stream"] = json!(true);
    let events = parse(&ada.stream("/v1/chat/completions", body).await.rest().await);
    let cited = events
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"].get("annotations"))
        .collect::<Vec<_>>();
    assert_eq!(cited, [&message["annotations"]]);
}

#[tokio::test]
async fn tool_calls_are_passed_on_both_ways() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let tools =
        json!([{"type": "function", "function": {"name": "weather", "parameters": {"type": "object"}}}]);
    let mut body = ask("tools");
    body["tools"] = tools.clone();
    body["tool_choice"] = json!("required");
    let completion = ada.post("/v1/chat/completions", body.clone()).await.ok();
    let choice = &completion["choices"][0];
    assert_eq!(
        (&choice["finish_reason"], &choice["message"]["content"]),
        (&json!("tool_calls"), &json!(null))
    );
    let call = json!({"id": "call_1", "type": "function", "function": {"name": "weather", "arguments": "{\"city\":\"Basra\"}"}});
    assert_eq!(choice["message"]["tool_calls"], json!([call]));
    let sent = provider.count("tools").await.body;
    assert_eq!(
        (&sent["tools"], &sent["tool_choice"]),
        (&tools, &json!("required"))
    );

    body["stream"] = json!(true);
    let events = parse(
        &ada.stream("/v1/chat/completions", body.clone())
            .await
            .rest()
            .await,
    );
    let deltas: Vec<&Value> = events
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["tool_calls"].as_array())
        .inspect(|calls| assert_eq!(calls.len(), 1))
        .map(|calls| &calls[0])
        .collect();
    assert!(deltas.iter().all(|delta| delta["index"] == 0));
    assert_eq!(
        (&deltas[0]["id"], &deltas[0]["function"]["name"]),
        (&json!("call_1"), &json!("weather"))
    );
    let arguments: String = deltas
        .iter()
        .filter_map(|delta| delta["function"]["arguments"].as_str())
        .collect();
    assert_eq!(arguments, "{\"city\":\"Basra\"}");

    // The result goes back with the call it answers.
    body["stream"] = json!(false);
    body["messages"] = json!([
        {"role": "user", "content": "Weather?"},
        {"role": "assistant", "content": null, "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "sunny"},
    ]);
    ada.post("/v1/chat/completions", body).await.ok();
    let sent = provider.count("tools").await.body;
    assert_eq!(sent["messages"][1]["tool_calls"][0]["id"], "call_1");
    assert_eq!(
        (&sent["messages"][2]["role"], &sent["messages"][2]["tool_call_id"]),
        (&json!("tool"), &json!("call_1"))
    );
}

#[tokio::test]
async fn a_stream_that_breaks_ends_in_an_error_and_never_cleanly() {
    let (_provider, app) = start().await;
    let ada = app.tenant("ada").await;
    for (model, text) in [
        ("cut", "Two words "),
        ("short", "Two words "),
        ("garbage", "One "),
        ("flood", "One "),
    ] {
        let stream = ada.stream("/v1/chat/completions", ask_streamed(model)).await;
        let (so_far, error) = broken(stream).await;
        assert_eq!(so_far, text, "{model}: what was delivered stays");
        assert_eq!(error["type"], "server_error", "{model}: {error}");
    }
}

#[tokio::test]
async fn a_line_of_a_hundred_megabytes_is_hung_up_on() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let stream = ada.stream("/v1/chat/completions", ask_streamed("flood")).await;
    broken(stream).await;
    eventually("the provider is told", async || {
        (provider.count("flood").await.aborted == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn usage_is_found_in_odd_places_and_other_choices_are_not_mixed_in() {
    let (_provider, app) = start().await;
    let ada = app.tenant("ada").await;
    for model in ["usage-each", "usage-last", "two-choices"] {
        let mut body = ask_streamed(model);
        body["stream_options"] = json!({"include_usage": true});
        let events = parse(&ada.stream("/v1/chat/completions", body).await.rest().await);
        let text: String = events
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
            .collect();
        assert_eq!(text, "Hello from the provider [1].", "{model}");
        let usage = &events[events.len() - 2]["usage"];
        assert_eq!(usage["total_tokens"], 16, "{model}: {events:?}");
    }
}

#[tokio::test]
async fn a_stream_without_done_is_whole_if_it_gave_its_reason() {
    let (_provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let stream = ada.stream("/v1/chat/completions", ask_streamed("no-done")).await;
    let events = parse(&stream.rest().await);
    assert_eq!(events.last(), Some(&json!("[DONE]")));
}

#[tokio::test]
async fn a_caller_who_leaves_stops_the_provider() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let mut stream = ada.stream("/v1/chat/completions", ask_streamed("slow")).await;
    for _ in 0..5 {
        stream.next_json().await;
    }
    assert_eq!(provider.count("slow").await.aborted, 0);
    drop(stream);
    let left = std::time::Instant::now();
    eventually("the provider is told", async || {
        (provider.count("slow").await.aborted == 1).then_some(())
    })
    .await;
    assert!(
        left.elapsed() < std::time::Duration::from_secs(1),
        "took {:?}",
        left.elapsed()
    );

    // And one who leaves before anything came.
    let request = ada
        .request(reqwest::Method::POST, "/v1/chat/completions")
        .json(&ask("hang"));
    let gone = tokio::time::timeout(std::time::Duration::from_millis(300), request.send()).await;
    assert!(gone.is_err());
    eventually("the provider is told", async || {
        (provider.count("hang").await.aborted == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn tokens_are_passed_on_as_they_come() {
    let (_provider, app) = start().await;
    let ada = app.tenant("ada").await;
    // The provider goes on for a minute; whoever collected it whole would not be here in time.
    let mut stream = ada.stream("/v1/chat/completions", ask_streamed("slow")).await;
    let started = std::time::Instant::now();
    for _ in 0..10 {
        stream.next_json().await;
    }
    assert!(
        started.elapsed() < std::time::Duration::from_secs(5),
        "took {:?}",
        started.elapsed()
    );
}

#[tokio::test]
async fn failures_of_the_provider_are_told_without_its_secrets() {
    let (_provider, app) = start().await;
    let ada = app.tenant("ada").await;
    for (model, status, kind) in [
        ("error-500", 502, "server_error"),
        ("error-503", 503, "server_error"),
        ("html", 502, "server_error"),
        ("late-30000", 502, "server_error"),
        ("limit-429", 503, "server_error"),
        ("bad-400", 400, "invalid_request_error"),
        ("hang", 502, "server_error"),
    ] {
        for body in [ask(model), ask_streamed(model)] {
            let answer = ada.post("/v1/chat/completions", body).await;
            let error = answer.refused(status);
            assert_eq!(error["type"], kind, "{model}: {error}");
            assert!(
                !error.to_string().contains("secret-inner-detail"),
                "{model}: {error}"
            );
            if model == "limit-429" {
                assert_eq!(answer.header("retry-after"), Some("7"));
            }
        }
    }
}

#[tokio::test]
async fn a_provider_that_is_not_there_is_a_502() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    drop(provider);
    let error = ada.post("/v1/chat/completions", ask("ok")).await.refused(502);
    assert!(
        !error.to_string().contains("127.0.0.1"),
        "it tells an address of the inside: {error}"
    );
}

#[tokio::test]
async fn an_assistant_may_stand_on_a_providers_model() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let new = json!({"name": "poet", "model": "fake/ok", "instructions": "Speak in verse."});
    ada.post("/v1/insula/assistants", new).await.ok();
    let mut body = ask("ok");
    body["model"] = json!("poet");
    assert_eq!(ada.post("/v1/chat/completions", body).await.ok()["model"], "poet");
    let sent = provider.count("ok").await.body;
    assert_eq!(sent["model"], "ok");
    assert_eq!(
        sent["messages"][0],
        json!({"role": "system", "content": "Speak in verse."})
    );
}
