//! The legacy completions, over the same path as chat.

use insula_tests::{FakeProvider, Setup, TestApp};
use serde_json::{Value, json};

use crate::library::FACTS;

const PATH: &str = "/v1/completions";

async fn start() -> (FakeProvider, TestApp) {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let routes = provider.routes(&["ok", "cut", "error-500"], "");
    let app = TestApp::with(Setup {
        routes: Some(routes),
        ..Setup::default()
    })
    .await;
    (provider, app)
}

#[tokio::test]
async fn a_prompt_is_a_users_message_and_a_choice() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let answer = ada
        .post(PATH, json!({"model": "fake/ok", "prompt": "Say hello"}))
        .await
        .ok();
    assert_eq!(answer["object"], "text_completion");
    assert!(answer["id"].as_str().unwrap().starts_with("cmpl-"));
    let expected = json!({
        "text": "Hello from the provider [1].", "index": 0, "logprobs": null, "finish_reason": "stop",
    });
    assert_eq!(answer["choices"], json!([expected]));
    assert_eq!(answer["usage"]["total_tokens"], 16);
    let sent = provider.count("ok").await.body;
    assert_eq!(
        sent["messages"],
        json!([{"role": "user", "content": "Say hello"}])
    );
    assert_eq!(
        sent["max_tokens"]
            .as_i64()
            .or(sent["max_completion_tokens"].as_i64()),
        Some(16)
    );

    let body =
        json!({"model": "fake/ok", "prompt": [[15339, 1917], [15339]], "echo": true, "max_tokens": 99});
    let answer = ada.post(PATH, body).await.ok();
    let texts: Vec<&str> = answer["choices"]
        .as_array()
        .unwrap()
        .iter()
        .map(|choice| choice["text"].as_str().unwrap())
        .collect();
    assert_eq!(
        texts,
        [
            "hello worldHello from the provider [1].",
            "helloHello from the provider [1]."
        ]
    );
    assert_eq!(answer["choices"][1]["index"], 1);
    assert_eq!(answer["usage"]["total_tokens"], 32);
    assert!(
        app.services
            .meter
            .settled(std::time::Duration::from_secs(10))
            .await
    );
    let events: Vec<String> = sqlx::query_scalar("select endpoint from usage_events")
        .fetch_all(app.owner())
        .await
        .unwrap();
    assert_eq!(events, ["completions", "completions", "completions"]);
}

#[tokio::test]
async fn streams_have_chunks_of_the_same_shape() {
    let (_provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let body = json!({
        "model": "fake/ok", "prompt": ["a", "b"], "stream": true, "echo": true,
        "stream_options": {"include_usage": true},
    });
    let events = ada.stream(PATH, body).await.rest().await;
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(done, "[DONE]");
    let chunks: Vec<Value> = chunks
        .iter()
        .map(|chunk| serde_json::from_str(chunk).unwrap())
        .collect();
    let mut texts = [String::new(), String::new()];
    for chunk in &chunks {
        assert_eq!(
            (&chunk["object"], &chunk["id"]),
            (&json!("text_completion"), &chunks[0]["id"])
        );
        if let Some(choice) = chunk["choices"].get(0) {
            let index = usize::try_from(choice["index"].as_u64().unwrap()).unwrap();
            texts[index] += choice["text"].as_str().unwrap();
        }
    }
    assert_eq!(
        texts,
        ["aHello from the provider [1].", "bHello from the provider [1]."]
    );
    let ends = chunks
        .iter()
        .filter(|chunk| chunk["choices"][0]["finish_reason"] == "stop")
        .count();
    assert_eq!(ends, 2);
    let last = chunks.last().unwrap();
    assert_eq!(
        (&last["choices"], &last["usage"]["total_tokens"]),
        (&json!([]), &json!(32))
    );

    let cut = ada
        .stream(PATH, json!({"model": "fake/cut", "prompt": "a", "stream": true}))
        .await
        .rest()
        .await;
    assert!(!cut.contains(&"[DONE]".to_owned()));
    assert!(cut.last().unwrap().contains("\"error\""), "{cut:?}");
}

#[tokio::test]
async fn assistants_ground_completions_and_their_tenant_only() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, _) = ada.library(&FACTS).await;
    let assistant = json!({"name": "librarian", "model": "insula/extractive", "vector_store_ids": [store]});
    ada.post("/v1/insula/assistants", assistant).await.ok();
    let body = json!({"model": "librarian", "prompt": "What do honeybees do?", "max_tokens": 200});
    let answer = ada.post(PATH, body.clone()).await.ok();
    assert!(
        answer["choices"][0]["text"].as_str().unwrap().contains("[1]"),
        "{answer}"
    );
    assert_eq!(bob.post(PATH, body).await.refused(404)["code"], "model_not_found");
}

#[tokio::test]
async fn what_is_not_done_is_refused_at_its_place() {
    let (_provider, app) = start().await;
    let ada = app.tenant("ada").await;
    for (patch, param) in [
        (json!({"suffix": "x"}), "suffix"),
        (json!({"logprobs": 1}), "logprobs"),
        (json!({"best_of": 2}), "best_of"),
        (json!({"prompt": [[4_000_000_000u32], [1]]}), "prompt[0]"),
        (json!({"prompt": ["a", ""]}), "prompt[1]"),
    ] {
        let mut body = json!({"model": "fake/ok", "prompt": "a"});
        for (key, value) in patch.as_object().unwrap() {
            body[key] = value.clone();
        }
        assert_eq!(ada.post(PATH, body).await.refused(400)["param"], param, "{patch}");
    }
    let rules = json!({"blocked_terms": [{"name": "w", "terms": ["acme"], "action": "block"}]});
    let put = ada
        .request(reqwest::Method::PUT, "/v1/insula/guardrails")
        .json(&rules);
    ada.send(put).await.ok();
    let blocked = ada
        .post(PATH, json!({"model": "fake/ok", "prompt": ["a", "Acme"]}))
        .await;
    assert_eq!(blocked.refused(400)["param"], "prompt[1]");
    ada.post(
        PATH,
        json!({"model": "fake/error-500", "prompt": "a", "stream": true}),
    )
    .await
    .refused(502);
}
