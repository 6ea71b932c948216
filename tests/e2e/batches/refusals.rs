//! What is no batch, and what is no line.

use insula_tests::{TestApp, assert_invariants};
use serde_json::{Value, json};

use super::{CHAT, EMBEDDINGS, ended, get, input, line, lines, submit};

fn embed() -> Value {
    json!({"model": "all-MiniLM-L6-v2", "input": "x"})
}

#[tokio::test]
async fn a_request_that_is_wrong_is_refused_at_once() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let file = input(&ada, &line("a", EMBEDDINGS, &embed())).await;
    let document = ada.upload("a.txt", "a").await;
    let unknown = insula_tenancy::FileId::generate().to_string();
    let good = json!({"input_file_id": file, "endpoint": EMBEDDINGS, "completion_window": "24h"});
    for (field, value, status, param) in [
        ("input_file_id", Value::Null, 400, "input_file_id"),
        ("input_file_id", json!(document), 400, "input_file_id"),
        ("input_file_id", json!(unknown), 404, "input_file_id"),
        ("input_file_id", json!("file-x"), 404, "input_file_id"),
        ("endpoint", Value::Null, 400, "endpoint"),
        ("endpoint", json!("/v1/files"), 400, "endpoint"),
        ("endpoint", json!("/v1/moderations"), 400, "endpoint"),
        ("completion_window", Value::Null, 400, "completion_window"),
        ("completion_window", json!("48h"), 400, "completion_window"),
        ("metadata", json!({"k".repeat(65): "v"}), 400, "metadata"),
        ("metadata", json!({"k": "v".repeat(513)}), 400, "metadata.k"),
        (
            "output_expires_after",
            json!({"anchor": "created_at", "seconds": 1}),
            400,
            "output_expires_after.seconds",
        ),
        (
            "output_expires_after",
            json!({"seconds": 3600}),
            400,
            "output_expires_after.anchor",
        ),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let error = ada.post("/v1/batches", bad.clone()).await.refused(status);
        assert_eq!(error["param"], param, "{bad}");
    }
    let mut nulls = good.clone();
    (nulls["metadata"], nulls["output_expires_after"]) = (Value::Null, Value::Null);
    let batch = ada.post("/v1/batches", nulls).await.ok();
    assert_eq!(batch["metadata"], Value::Null);
    for path in [
        "/v1/batches/batch_x",
        "/v1/batches?after=batch_x",
        "/v1/batches?limit=101",
    ] {
        assert!([400, 404].contains(&ada.get(path).await.status), "{path}");
    }
    assert_invariants(app.owner()).await;
}

/// The mistakes of a batch: code, field, line.
async fn mistakes(client: &insula_tests::Client, app: &TestApp, text: &str) -> Vec<(String, Value, Value)> {
    let id = submit(client, EMBEDDINGS, text).await;
    app.run_jobs().await;
    let batch = get(client, &id).await;
    assert_eq!(batch["status"], "failed", "{batch}");
    assert!(batch["failed_at"].is_i64() && batch["in_progress_at"].is_null());
    assert_eq!(
        (&batch["output_file_id"], &batch["error_file_id"]),
        (&Value::Null, &Value::Null)
    );
    assert_eq!(batch["errors"]["object"], "list");
    let errors = batch["errors"]["data"].as_array().unwrap().iter();
    let told = errors.map(|error| {
        assert!(!error["message"].as_str().unwrap().is_empty());
        (
            error["code"].as_str().unwrap().to_owned(),
            error["param"].clone(),
            error["line"].clone(),
        )
    });
    told.collect()
}

#[tokio::test]
async fn a_mistake_in_a_line_fails_the_batch_before_anything_is_called() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let good = line("good", EMBEDDINGS, &embed());
    let streamed = json!({"model": "all-MiniLM-L6-v2", "input": "x", "stream": true});
    for (bad, code, param) in [
        (
            "{\"custom_id\": \"a\"".to_owned(),
            "invalid_json_line",
            Value::Null,
        ),
        ("[]".to_owned(), "invalid_json_line", Value::Null),
        (good.clone(), "duplicate_custom_id", json!("custom_id")),
        (
            good.replace("\"good\"", "null"),
            "missing_required_parameter",
            json!("custom_id"),
        ),
        (
            good.replace("\"good\"", "7"),
            "invalid_custom_id",
            json!("custom_id"),
        ),
        (
            good.replace("good", "b").replace("POST", "GET"),
            "invalid_method",
            json!("method"),
        ),
        (line("b", CHAT, &embed()), "invalid_url", json!("url")),
        (line("b", EMBEDDINGS, &json!("x")), "invalid_body", json!("body")),
        (
            line("b", EMBEDDINGS, &json!({"input": "x"})),
            "missing_required_parameter",
            json!("body.model"),
        ),
        (
            line("b", EMBEDDINGS, &json!({"model": "nobody", "input": "x"})),
            "model_not_found",
            json!("body.model"),
        ),
        (
            line("b", EMBEDDINGS, &json!({"model": "insula/extractive"})),
            "model_not_found",
            json!("body.model"),
        ),
        (
            line("b", EMBEDDINGS, &json!({"model": "a\0b"})),
            "model_not_found",
            json!("body.model"),
        ),
        (
            line("b", EMBEDDINGS, &streamed),
            "unsupported_parameter",
            json!("body.stream"),
        ),
    ] {
        let told = mistakes(&ada, &app, &format!("{good}\n\n{bad}\n")).await;
        assert_eq!(told, [(code.to_owned(), param, json!(3))], "{bad}");
    }
    let all_wrong = "x\n".repeat(300);
    assert_eq!(
        mistakes(&ada, &app, &all_wrong).await.len(),
        100,
        "the first ones"
    );
    for empty in ["", "\n \r\n", "\u{feff}"] {
        assert_eq!(
            mistakes(&ada, &app, empty).await,
            [("empty_file".into(), Value::Null, Value::Null)]
        );
    }
    let events: i64 = sqlx::query_scalar("select count(*) from usage_events")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(events, 0);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_batch_has_an_end() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let told = mistakes(&ada, &app, &lines(50_001, EMBEDDINGS, &embed())).await;
    assert_eq!(told, [("too_many_lines".into(), Value::Null, Value::Null)]);
}

#[tokio::test]
async fn a_batch_whose_input_is_gone_fails_and_keeps_what_was_answered() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let file = input(&ada, &line("a", EMBEDDINGS, &embed())).await;
    let new = json!({"input_file_id": file, "endpoint": EMBEDDINGS, "completion_window": "24h"});
    let batch = ada.post("/v1/batches", new).await.ok();
    ada.delete(&format!("/v1/files/{file}")).await.ok();
    app.run_jobs().await;
    let batch = ended(&ada, batch["id"].as_str().unwrap()).await;
    let error = &batch["errors"]["data"][0];
    assert_eq!(
        (&error["code"], &error["param"], &error["line"]),
        (
            &json!("input_file_not_found"),
            &json!("input_file_id"),
            &Value::Null
        )
    );
    assert_invariants(app.owner()).await;
}
