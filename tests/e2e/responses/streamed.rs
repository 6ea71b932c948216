//! The events of a response, in their order.

use insula_tests::{Client, TestApp, assert_invariants};
use reqwest::Method;
use serde_json::{Value, json};

use super::{kinds, searched};
use crate::ledger::{events_once, priced};
use crate::library::FACTS;

/// All events: their names, and their data.
pub(super) async fn streamed(client: &Client, mut body: Value) -> Vec<(String, Value)> {
    body["stream"] = json!(true);
    let mut stream = client.stream("/v1/responses", body).await;
    let mut events = Vec::new();
    while let Some((name, data)) = stream.next_named().await {
        let data: Value = serde_json::from_str(&data).unwrap();
        assert_eq!(data["type"], name, "{data}");
        assert_eq!(data["sequence_number"], events.len(), "{data}");
        events.push((name, data));
    }
    events
}

/// The names, each once where it comes several times in a row.
fn names(events: &[(String, Value)]) -> Vec<&str> {
    let mut names: Vec<&str> = events.iter().map(|(name, _)| name.as_str()).collect();
    names.dedup();
    names
}

#[tokio::test]
async fn a_search_and_an_answer_come_piece_by_piece() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let events = streamed(
        &ada,
        searched(&store, "How do honeybees show the direction of flowers?"),
    )
    .await;
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.file_search_call.in_progress",
        "response.file_search_call.searching",
        "response.file_search_call.completed",
        "response.output_item.done",
        "response.output_item.added",
        "response.content_part.added",
        "response.output_text.delta",
        "response.output_text.annotation.added",
        "response.output_text.done",
        "response.content_part.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(names(&events), expected);
    for head in &events[..2] {
        let response = &head.1["response"];
        assert_eq!(
            (&response["status"], &response["output"]),
            (&json!("in_progress"), &json!([]))
        );
        assert!(response.get("usage").is_none(), "{response}");
    }
    let whole = &events.last().unwrap().1["response"];
    assert_eq!(kinds(whole), ["file_search_call", "message"]);
    let text: String = events
        .iter()
        .filter(|(name, _)| name == "response.output_text.delta")
        .map(|(_, data)| {
            assert_eq!(
                (&data["output_index"], &data["content_index"]),
                (&json!(1), &json!(0))
            );
            assert_eq!(data["item_id"], whole["output"][1]["id"]);
            data["delta"].as_str().unwrap()
        })
        .collect();
    assert_eq!(text, super::text(whole));
    let annotations = events
        .iter()
        .filter(|(name, _)| name.ends_with("annotation.added"));
    for (n, (_, data)) in annotations.enumerate() {
        assert_eq!(data["annotation_index"], n);
        assert_eq!(
            data["annotation"],
            whole["output"][1]["content"][0]["annotations"][n]
        );
    }
    // It can be read by the time that its last event is there.
    let path = format!("/v1/responses/{}", whole["id"].as_str().unwrap());
    assert_eq!(&ada.get(&path).await.ok(), whole);
}

#[tokio::test]
async fn function_calls_come_piece_by_piece() {
    let (_provider, app) = priced(&["tools"]).await;
    let ada = app.tenant("ada").await;
    let body = json!({
        "model": "fake/tools", "input": "How is the weather in Basra?",
        "tools": [{"type": "function", "name": "weather", "parameters": {"type": "object"}}],
    });
    let events = streamed(&ada, body).await;
    let expected = [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
        "response.function_call_arguments.delta",
        "response.function_call_arguments.done",
        "response.output_item.done",
        "response.completed",
    ];
    assert_eq!(names(&events), expected);
    assert_eq!(events[2].1["item"]["arguments"], "");
    let done = &events
        .iter()
        .find(|(name, _)| name.ends_with("arguments.done"))
        .unwrap()
        .1;
    assert_eq!(
        (&done["name"], &done["arguments"]),
        (&json!("weather"), &json!(r#"{"city":"Basra"}"#))
    );
    let call = &events.last().unwrap().1["response"]["output"][0];
    assert_eq!(
        (&call["type"], &call["call_id"], &call["status"]),
        (&json!("function_call"), &json!("call_1"), &json!("completed"))
    );
}

#[tokio::test]
async fn what_breaks_off_ends_as_failed_and_is_charged() {
    let (_provider, app) = priced(&["cut", "short", "ok"]).await;
    let ada = app.tenant("ada").await;
    for model in ["cut", "short"] {
        let events = streamed(&ada, json!({"model": format!("fake/{model}"), "input": "Hello?"})).await;
        let (name, last) = events.last().unwrap();
        assert_eq!(name, "response.failed", "{model}");
        let response = &last["response"];
        assert_eq!(
            (&response["status"], &response["error"]["code"]),
            (&json!("failed"), &json!("server_error"))
        );
        assert_eq!(response["output"][0]["status"], "incomplete");
        let stored = ada
            .get(&format!("/v1/responses/{}", response["id"].as_str().unwrap()))
            .await
            .ok();
        assert_eq!(&stored, response);
    }
    let charged = events_once(&app, &ada, 2).await;
    assert!(
        charged
            .iter()
            .all(|event| event.outcome == "failed" && event.output > 0),
        "{charged:?}"
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn with_a_key_a_stream_is_given_again() {
    let (provider, app) = priced(&["ok"]).await;
    let ada = app.tenant("ada").await;
    let body = json!({"model": "fake/ok", "input": "Hello?", "stream": true});
    let send = async || {
        let request = ada.request(Method::POST, "/v1/responses").json(&body);
        ada.send(request.header("idempotency-key", "k")).await
    };
    let (first, again) = (send().await, send().await);
    assert_eq!((first.status, again.status), (200, 200));
    assert_eq!(again.header("idempotent-replayed"), Some("true"));
    assert_eq!(first.bytes, again.bytes);
    assert_eq!(provider.count("ok").await.requests, 1);
}

#[tokio::test]
async fn a_client_that_leaves_is_charged_and_nothing_is_kept() {
    let (provider, app) = priced(&["slow"]).await;
    let ada = app.tenant("ada").await;
    let body = json!({"model": "fake/slow", "input": "Hello?", "stream": true});
    let mut stream = ada.stream("/v1/responses", body).await;
    let (_, head) = stream.next_named().await.unwrap();
    let head: Value = serde_json::from_str(&head).unwrap();
    for _ in 0..6 {
        stream.next_named().await.unwrap();
    }
    drop(stream);
    let charged = events_once(&app, &ada, 1).await;
    assert_eq!(
        (charged[0].outcome.as_str(), charged[0].output > 0),
        ("cancelled", true)
    );
    assert_eq!(provider.count("slow").await.aborted, 1);
    let id = head["response"]["id"].as_str().unwrap();
    ada.get(&format!("/v1/responses/{id}")).await.refused(404);
    assert_invariants(app.owner()).await;
}
