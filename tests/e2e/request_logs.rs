//! What was called and answered, for tenants that want it stored.

use insula_tests::{Client, FakeProvider, Setup, TestApp, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const SETTINGS: &str = "/v1/insula/settings/request_logging";
const LOGS: &str = "/v1/insula/request_logs";

async fn start() -> TestApp {
    TestApp::with(Setup {
        worker: false,
        ..Setup::default()
    })
    .await
}

async fn turn(client: &Client, settings: Value) -> Value {
    client
        .send(client.request(Method::PUT, SETTINGS).json(&settings))
        .await
        .ok()
}

fn ask(text: &str) -> Value {
    json!({"model": "insula/extractive", "messages": [{"role": "user", "content": text}]})
}

async fn logs(client: &Client, wanted: usize) -> Vec<Value> {
    eventually("the calls are logged", async || {
        let logs = client.get(LOGS).await.ok()["data"].as_array().unwrap().clone();
        (logs.len() == wanted).then_some(logs)
    })
    .await
}

#[tokio::test]
async fn nothing_is_stored_unless_a_tenant_wants_it() {
    let app = start().await;
    let (ada, bob) = app.two_tenants().await;
    assert_eq!(ada.get(SETTINGS).await.ok()["enabled"], false);
    ada.post("/v1/chat/completions", ask("Before.")).await.ok();
    let on = turn(&ada, json!({"enabled": true, "retention_days": 7})).await;
    assert_eq!((&on["retention_days"], &on["redact"]), (&json!(7), &json!(true)));

    let answer = ada
        .post("/v1/chat/completions", ask("I am ada@example.com."))
        .await;
    let request_id = answer.header("x-request-id").unwrap().to_owned();
    let answer = answer.ok();
    let mut streamed = ask("Streamed?");
    streamed["stream"] = json!(true);
    ada.stream("/v1/chat/completions", streamed).await.rest().await;
    bob.post("/v1/chat/completions", ask("Of Bob.")).await.ok();

    let logs = logs(&ada, 2).await;
    let first = &logs[1];
    assert_eq!(first["request_id"], request_id);
    assert_eq!(
        (&first["endpoint"], &first["model"]),
        (&json!("chat.completions"), &json!("insula/extractive"))
    );
    assert_eq!(first["request"]["messages"][0]["content"], "I am [EMAIL].");
    assert_eq!(
        first["response"]["content"],
        answer["choices"][0]["message"]["content"]
    );
    assert_eq!(logs[0]["response"]["finish_reason"], "stop");
    let path = format!("{LOGS}/{}", first["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await.ok(), *first);
    bob.get(&path).await.refused(404);
    let stored: i64 = sqlx::query_scalar("select count(*) from request_logs")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(stored, 2);
    let refused = ada.send(
        ada.request(Method::PUT, SETTINGS)
            .json(&json!({"enabled": true, "retention_days": 0})),
    );
    assert_eq!(refused.await.refused(400)["param"], "retention_days");
}

#[tokio::test]
async fn entries_are_removed_when_their_time_is_over() {
    let app = start().await;
    let (ada, bob) = app.two_tenants().await;
    for (client, days) in [(&ada, 7), (&bob, 30)] {
        turn(
            client,
            json!({"enabled": true, "retention_days": days, "redact": false}),
        )
        .await;
        client
            .post("/v1/chat/completions", ask("ada@example.com"))
            .await
            .ok();
        let kept = logs(client, 1).await;
        assert_eq!(kept[0]["request"]["messages"][0]["content"], "ada@example.com");
    }
    sqlx::query("update request_logs set created_at = now() - interval '8 days'")
        .execute(app.owner())
        .await
        .unwrap();
    app.bring_forward("housekeeping").await;
    app.run_jobs().await;
    logs(&ada, 0).await;
    logs(&bob, 1).await;
}

#[tokio::test]
async fn a_caller_who_leaves_is_logged_with_what_was_said() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let app = TestApp::with(Setup {
        routes: Some(provider.routes(&["slow"], "")),
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    turn(&ada, json!({"enabled": true})).await;
    let mut body = ask("Hello?");
    body["model"] = json!("fake/slow");
    body["stream"] = json!(true);
    let mut stream = ada.stream("/v1/chat/completions", body).await;
    for _ in 0..3 {
        stream.next().await.unwrap();
    }
    drop(stream);
    let logs = logs(&ada, 1).await;
    assert!(
        logs[0]["response"]["content"]
            .as_str()
            .unwrap()
            .starts_with("word ")
    );
    assert_eq!(logs[0]["response"]["finish_reason"], Value::Null);
}
