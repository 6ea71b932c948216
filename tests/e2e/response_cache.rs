//! Answers that were given before.

use insula_tests::{Answer, Client, FakeProvider, Setup, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

async fn start() -> (FakeProvider, TestApp) {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let routes = provider.routes(&["ok", "cut", "tools"], "");
    let app = TestApp::with(Setup {
        routes: Some(routes),
        ..Setup::default()
    })
    .await;
    (provider, app)
}

fn ask(text: &str) -> Value {
    json!({"model": "fake/ok", "messages": [{"role": "user", "content": text}]})
}

async fn post(client: &Client, body: &Value, cache: &str) -> Answer {
    let request = client.request(Method::POST, "/v1/chat/completions").json(body);
    client.send(request.header("x-insula-cache", cache)).await
}

#[tokio::test]
async fn an_answer_is_given_again_to_its_own_tenant_only() {
    let (provider, app) = start().await;
    let (ada, bob) = app.two_tenants().await;
    let first = post(&ada, &ask("Hello?"), "ttl=60").await;
    assert_eq!(first.header("x-insula-cache"), Some("miss"));
    let again = post(&ada, &ask("Hello?"), "ttl=60").await;
    assert_eq!(again.header("x-insula-cache"), Some("hit"));
    assert_eq!(provider.count("ok").await.requests, 1);
    let (first, again) = (first.ok(), again.ok());
    assert_eq!(
        (&first["choices"], &first["usage"]),
        (&again["choices"], &again["usage"])
    );
    assert_ne!(first["id"], again["id"]);

    for (client, body, cache, said) in [
        (&bob, ask("Hello?"), "ttl=60", Some("miss")),
        (&ada, ask("Hello!"), "ttl=60", Some("miss")),
        (&ada, ask("Hello?"), "no-store", None),
    ] {
        let before = provider.count("ok").await.requests;
        assert_eq!(
            post(client, &body, cache).await.header("x-insula-cache"),
            said,
            "{body} {cache}"
        );
        assert_eq!(provider.count("ok").await.requests, before + 1, "{body} {cache}");
    }
    let unasked = ada.post("/v1/chat/completions", ask("Hello?")).await;
    assert_eq!(unasked.header("x-insula-cache"), None);

    assert!(
        app.services
            .meter
            .settled(std::time::Duration::from_secs(10))
            .await
    );
    let hits: Vec<(i64, i64)> = sqlx::query_as("select cost, input_tokens from usage_events where cache_hit")
        .fetch_all(app.owner())
        .await
        .unwrap();
    assert_eq!(hits, [(0, 0)], "one hit, that read nothing");
    let refused = post(&ada, &ask("Hello?"), "please").await;
    assert_eq!(refused.refused(400)["param"], "x-insula-cache");
}

#[tokio::test]
async fn streams_are_kept_when_whole_and_served_as_streams() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let mut body = ask("Hello?");
    body["stream"] = json!(true);
    body["insula_cache"] = json!({"ttl_seconds": 60});
    let mut texts = Vec::new();
    for said in ["miss", "hit"] {
        let stream = ada.stream("/v1/chat/completions", body.clone()).await;
        assert_eq!(stream.headers()["x-insula-cache"], said);
        let events = stream.rest().await;
        assert_eq!(events.last().unwrap(), "[DONE]");
        let text: String = events
            .iter()
            .filter_map(|event| serde_json::from_str::<Value>(event).ok())
            .filter_map(|chunk| {
                chunk["choices"][0]["delta"]["content"]
                    .as_str()
                    .map(str::to_owned)
            })
            .collect();
        texts.push(text);
    }
    assert_eq!(texts[0], texts[1]);
    // What a stream has left there is good for an answer in one piece.
    body["stream"] = json!(false);
    let whole = ada.post("/v1/chat/completions", body.clone()).await;
    assert_eq!(whole.header("x-insula-cache"), Some("hit"));
    assert_eq!(whole.ok()["choices"][0]["message"]["content"], texts[0]);
    assert_eq!(provider.count("ok").await.requests, 1);

    body["model"] = json!("fake/cut");
    body["stream"] = json!(true);
    for _ in 0..2 {
        let stream = ada.stream("/v1/chat/completions", body.clone()).await;
        assert_eq!(
            stream.headers()["x-insula-cache"],
            "miss",
            "half an answer was kept"
        );
        stream.rest().await;
    }
}
