//! Tools: searches that the model wants, functions that the client runs.

use insula_tests::{TestApp, assert_invariants, eventually};
use serde_json::{Value, json};
use sqlx::Row;

use super::streamed::streamed;
use super::{kinds, respond};
use crate::ledger::priced;
use crate::library::FACTS;

const QUESTION: &str = "How do honeybees show the direction of flowers?";

async fn endpoints(app: &TestApp) -> Vec<(String, i64, i64)> {
    let rows = sqlx::query(
        "select endpoint, input_tokens, output_tokens from usage_events
         where endpoint like 'responses%' order by started_at, id",
    )
    .fetch_all(app.owner())
    .await
    .unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

#[tokio::test]
async fn a_model_that_can_call_functions_searches_by_itself() {
    let (provider, app) = priced(&["agent"]).await;
    let ada = app.tenant("ada").await;
    let (store, files) = ada.library(&FACTS).await;
    let body = json!({
        "model": "fake/agent", "input": QUESTION, "instructions": "Be brief.",
        "tools": [
            {"type": "function", "name": "weather", "parameters": {"type": "object"}},
            {"type": "file_search", "vector_store_ids": [store], "max_num_results": 2},
        ],
        "include": ["file_search_call.results"],
    });
    let response = respond(&ada, body.clone()).await;
    assert_eq!(kinds(&response), ["file_search_call", "message"]);
    assert_eq!(response["output"][0]["queries"], json!([QUESTION]));
    assert_eq!(response["output"][0]["results"][0]["file_id"], json!(files[2]));
    // "Hello from the provider [1]." cites the best passage.
    let citation = &response["output"][1]["content"][0]["annotations"][0];
    assert_eq!(
        (&citation["file_id"], &citation["passage"]),
        (&json!(files[2]), &json!(1))
    );

    // The second call of the model had the passages, and what became of its first.
    let sent = provider.count("agent").await;
    assert_eq!(sent.requests, 2);
    let messages = sent.body["messages"].as_array().unwrap();
    let roles: Vec<&str> = messages
        .iter()
        .map(|message| message["role"].as_str().unwrap())
        .collect();
    assert_eq!(roles, ["system", "system", "user", "assistant", "tool"]);
    assert_eq!(messages[0]["content"], "Be brief.");
    assert!(messages[1]["content"].as_str().unwrap().contains("waggle dance"));
    assert_eq!(messages[4]["tool_call_id"], messages[3]["tool_calls"][0]["id"]);
    let names: Vec<&str> = sent.body["tools"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| tool["function"]["name"].as_str().unwrap())
        .collect();
    assert_eq!(names, ["weather", "file_search"]);

    // Both calls and the search are on the ledger, and the response tells their sum.
    let mut on_ledger = eventually("the calls are recorded", async || {
        let found = endpoints(&app).await;
        (found.len() >= 3).then_some(found)
    })
    .await;
    on_ledger.sort_by_key(|event| event.0 == "responses");
    let (search, calls) = on_ledger
        .split_first()
        .map(|(first, rest)| (first.clone(), rest.to_vec()))
        .unwrap();
    assert_eq!(search.0, "responses.file_search");
    assert!(
        calls.len() == 2 && calls.iter().all(|call| call.0 == "responses"),
        "{calls:?}"
    );
    let sum = |of: fn(&(String, i64, i64)) -> i64| calls.iter().map(of).sum::<i64>();
    assert_eq!(response["usage"]["input_tokens"], sum(|call| call.1));
    assert_eq!(response["usage"]["output_tokens"], sum(|call| call.2));
    assert_invariants(app.owner()).await;

    let events = streamed(&ada, body).await;
    let whole = &events.last().unwrap().1["response"];
    assert_eq!(kinds(whole), ["file_search_call", "message"]);
    assert_eq!(
        whole["output"][1]["content"][0]["annotations"][0]["file_id"],
        json!(files[2])
    );
}

#[tokio::test]
async fn searches_are_bounded() {
    let (provider, app) = priced(&["agent-again"]).await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let mut body = json!({
        "model": "fake/agent-again", "input": QUESTION, "max_tool_calls": 2,
        "tools": [{"type": "file_search", "vector_store_ids": [store]}],
    });
    let response = respond(&ada, body.clone()).await;
    assert_eq!(
        kinds(&response),
        ["file_search_call", "file_search_call", "message"]
    );
    let sent = provider.count("agent-again").await;
    assert_eq!(sent.requests, 3);
    assert!(sent.body.get("tools").is_none(), "{}", sent.body);
    // Without a bound of the client's there is one of ours.
    body.as_object_mut().unwrap().remove("max_tool_calls");
    assert_eq!(kinds(&respond(&ada, body).await).len(), 9);
}

#[tokio::test]
async fn a_forced_search_is_made_at_once_and_a_forbidden_one_never() {
    let (provider, app) = priced(&["agent"]).await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let body = |choice: Value| {
        json!({
            "model": "fake/agent", "input": QUESTION, "tool_choice": choice,
            "tools": [{"type": "file_search", "vector_store_ids": [store]}],
        })
    };
    for choice in [json!({"type": "file_search"}), json!("required")] {
        let before = provider.count("agent").await.requests;
        let response = respond(&ada, body(choice.clone())).await;
        assert_eq!(kinds(&response), ["file_search_call", "message"], "{choice}");
        assert_eq!(response["tool_choice"], choice);
        let sent = provider.count("agent").await;
        assert_eq!(sent.requests, before + 1);
        assert!(
            sent.body["messages"][0]["content"]
                .as_str()
                .unwrap()
                .contains("waggle dance")
        );
    }
    let response = respond(&ada, body(json!("none"))).await;
    assert_eq!(kinds(&response), ["message"]);
    assert!(provider.count("agent").await.body.get("tools").is_none());
}

#[tokio::test]
async fn functions_are_the_clients_to_run() {
    let (provider, app) = priced(&["tools", "ok"]).await;
    let ada = app.tenant("ada").await;
    let tools =
        json!([{"type": "function", "name": "weather", "parameters": {"type": "object"}, "strict": true}]);
    let body = json!({"model": "fake/tools", "input": "How is the weather in Basra?", "tools": tools});
    let response = respond(&ada, body).await;
    assert_eq!(kinds(&response), ["function_call"]);
    let call = response["output"][0].clone();
    assert_eq!(
        (&call["name"], &call["arguments"]),
        (&json!("weather"), &json!(r#"{"city":"Basra"}"#))
    );
    assert_eq!(response["tools"][0]["strict"], true);
    assert_eq!(
        provider.count("tools").await.body["tools"][0]["function"],
        json!({"name": "weather", "parameters": {"type": "object"}, "strict": true})
    );

    let output = json!({"type": "function_call_output", "call_id": call["call_id"], "output": "sunny"});
    let mut next = json!({"model": "fake/ok", "input": [output], "previous_response_id": response["id"], "tools": tools});
    let answered = respond(&ada, next.clone()).await;
    assert_eq!(kinds(&answered), ["message"]);
    let body = provider.count("ok").await.body;
    let messages = body["messages"].as_array().unwrap();
    assert_eq!(messages.len(), 3, "{messages:?}");
    assert_eq!(messages[1]["tool_calls"][0]["function"]["name"], "weather");
    assert_eq!(
        (&messages[2]["role"], &messages[2]["content"]),
        (&json!("tool"), &json!("sunny"))
    );

    // A call without its answer cannot be gone on from.
    next["input"] = json!("And now?");
    let refused = ada.post("/v1/responses", next).await.refused(400);
    assert!(
        refused["message"]
            .as_str()
            .unwrap()
            .contains("No tool output found"),
        "{refused}"
    );
}
