//! Batches: calls in a file, answered in a file.

mod crash;
mod ends;
mod fairness;
mod refusals;
mod rights;
mod story;
mod waits;

use insula_tests::{Client, PATIENCE, TestApp, eventually};
use serde_json::{Value, json};

const CHAT: &str = "/v1/chat/completions";
const EMBEDDINGS: &str = "/v1/embeddings";

/// A line of a batch.
fn line(id: impl std::fmt::Display, url: &str, body: &Value) -> String {
    json!({"custom_id": id.to_string(), "method": "POST", "url": url, "body": body}).to_string()
}

/// The same call so many times, named `0`, `1`, ….
fn lines(count: usize, url: &str, body: &Value) -> String {
    (0..count).map(|n| line(n, url, body) + "\n").collect()
}

/// Uploads lines as the input of a batch. The file's id.
async fn input(client: &Client, text: &str) -> String {
    let uploaded = client
        .upload_with("calls.jsonl", text.as_bytes(), &[("purpose", "batch")])
        .await;
    uploaded.ok()["id"].as_str().unwrap().to_owned()
}

/// A batch of these lines.
async fn submit(client: &Client, endpoint: &str, text: &str) -> String {
    let new =
        json!({"input_file_id": input(client, text).await, "endpoint": endpoint, "completion_window": "24h"});
    let batch = client.post("/v1/batches", new).await.ok();
    batch["id"].as_str().unwrap().to_owned()
}

async fn get(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/batches/{id}")).await.ok()
}

/// The batch, once it has come to an end.
async fn ended(client: &Client, id: &str) -> Value {
    eventually("the batch ends", async || {
        let batch = get(client, id).await;
        let over = ["completed", "failed", "expired", "cancelled"];
        over.contains(&batch["status"].as_str().unwrap()).then_some(batch)
    })
    .await
}

/// The batch, once so many of its lines are done.
async fn has_done(client: &Client, id: &str, least: i64) -> Value {
    eventually("lines are done", async || {
        let batch = get(client, id).await;
        (batch["request_counts"]["completed"].as_i64().unwrap() >= least).then_some(batch)
    })
    .await
}

/// The lines of one of a batch's files; none if there is no file.
async fn answers(client: &Client, batch: &Value, file: &str) -> Vec<Value> {
    let Some(id) = batch[file].as_str() else {
        return Vec::new();
    };
    let content = client.get(&format!("/v1/files/{id}/content")).await;
    assert_eq!(content.status, 200);
    let text = String::from_utf8(content.bytes.to_vec()).unwrap();
    assert!(text.ends_with('\n'));
    text.lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

fn ids(answers: &[Value]) -> Vec<&str> {
    answers
        .iter()
        .map(|answer| answer["custom_id"].as_str().unwrap())
        .collect()
}

/// Every event of a tenant's: the id of its request, and its cost.
async fn ledger(app: &TestApp, of: &Client) -> Vec<(String, i64)> {
    assert!(app.services.meter.settled(PATIENCE).await);
    sqlx::query_as(
        "select 'req_' || replace(id::text, '-', ''), cost from usage_events where tenant_id = $1 order by 1",
    )
    .bind(of.tenant_id())
    .fetch_all(app.owner())
    .await
    .unwrap()
}

/// The requests of answers with what each costs, as the ledger should have them: a token read for 1,000 nano-dollars, a token
/// written for 2,000.
fn charges(answers: &[Value]) -> Vec<(String, i64)> {
    let mut charges: Vec<_> = answers
        .iter()
        .map(|answer| {
            let (response, usage) = (&answer["response"], &answer["response"]["body"]["usage"]);
            let tokens = |name: &str| usage[name].as_i64().unwrap();
            let cost = tokens("prompt_tokens") * 1_000 + tokens("completion_tokens") * 2_000;
            (response["request_id"].as_str().unwrap().to_owned(), cost)
        })
        .collect();
    charges.sort();
    charges
}
