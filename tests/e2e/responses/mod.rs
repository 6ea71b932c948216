//! `/v1/responses`: its story and its refusals.

mod continued;
mod streamed;
mod tools;

use insula_tests::{Client, TestApp};
use serde_json::{Value, json};

use crate::library::FACTS;

pub(crate) async fn respond(client: &Client, body: Value) -> Value {
    client.post("/v1/responses", body).await.ok()
}

/// A question that the search over a store answers, without a language model.
pub(crate) fn searched(store: &str, question: &str) -> Value {
    json!({
        "model": "insula/extractive", "input": question,
        "tools": [{"type": "file_search", "vector_store_ids": [store]}],
    })
}

/// The kinds of the output's items.
pub(crate) fn kinds(response: &Value) -> Vec<&str> {
    let output = response["output"].as_array().unwrap();
    output.iter().map(|item| item["type"].as_str().unwrap()).collect()
}

/// The text of the last message.
pub(crate) fn text(response: &Value) -> &str {
    let output = response["output"].as_array().unwrap();
    output.last().unwrap()["content"][0]["text"].as_str().unwrap()
}

#[tokio::test]
async fn a_question_is_searched_for_and_answered_with_citations() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, files) = ada.library(&FACTS).await;
    let question = "How do honeybees show the direction of flowers?";
    let response = respond(&ada, searched(&store, question)).await;

    assert_eq!(kinds(&response), ["file_search_call", "message"]);
    let (search, message) = (&response["output"][0], &response["output"][1]);
    assert_eq!(
        (&search["status"], &search["queries"], &search["results"]),
        (&json!("completed"), &json!([question]), &json!(null))
    );
    assert_eq!(
        (&message["role"], &message["status"]),
        (&json!("assistant"), &json!("completed"))
    );
    let part = &message["content"][0];
    assert_eq!(
        (&part["type"], &part["logprobs"]),
        (&json!("output_text"), &json!([]))
    );
    assert!(
        text(&response).contains("The angle of the waggle dance"),
        "{response}"
    );
    let citation = &part["annotations"][0];
    assert_eq!(
        (&citation["type"], &citation["file_id"], &citation["filename"]),
        (&json!("file_citation"), &json!(files[2]), &json!("bees.txt"))
    );
    let index = citation["index"].as_u64().unwrap() as usize;
    assert_eq!(text(&response).chars().nth(index), Some('['));
    let (start, end) = (
        citation["start"].as_u64().unwrap() as usize,
        citation["end"].as_u64().unwrap() as usize,
    );
    assert_eq!(citation["quote"].as_str().unwrap(), &FACTS[2].1[start..end]);

    // Every key that strict clients want, also where there is nothing to tell.
    for key in [
        "id",
        "object",
        "created_at",
        "completed_at",
        "model",
        "status",
        "output",
        "error",
        "incomplete_details",
        "instructions",
        "metadata",
        "tools",
        "tool_choice",
        "temperature",
        "top_p",
        "parallel_tool_calls",
        "usage",
        "previous_response_id",
        "conversation",
        "max_output_tokens",
        "text",
        "truncation",
        "reasoning",
        "store",
    ] {
        assert!(response.get(key).is_some(), "{key} is missing: {response}");
    }
    assert_eq!(
        (&response["object"], &response["status"]),
        (&json!("response"), &json!("completed"))
    );
    assert_eq!(response["tools"][0]["max_num_results"], 20);
    let usage = &response["usage"];
    let sum = usage["input_tokens"].as_u64().unwrap() + usage["output_tokens"].as_u64().unwrap();
    assert_eq!(usage["total_tokens"], sum);
    assert_eq!(
        usage["input_tokens_details"],
        json!({"cached_tokens": 0, "cache_write_tokens": 0})
    );

    // It is kept, and tells what was found to whoever asks for it.
    let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
    assert_eq!(ada.get(&path).await.ok(), response);
    let with_results = ada
        .get(&format!("{path}?include[]=file_search_call.results"))
        .await
        .ok();
    let found = with_results["output"][0]["results"].as_array().unwrap().clone();
    assert_eq!(found[0]["file_id"], json!(files[2]));
    assert!(
        found[0]["score"].is_number() && found[0]["attributes"].is_object(),
        "{found:?}"
    );
    let mut asked = searched(&store, question);
    asked["include"] = json!(["file_search_call.results"]);
    assert_eq!(
        respond(&ada, asked).await["output"][0]["results"][0]["file_id"],
        json!(files[2])
    );

    // Another tenant learns nothing, and cannot use the store.
    let foreign = bob.post("/v1/responses", searched(&store, question)).await;
    assert_eq!(foreign.refused(404)["param"], "tools[0].vector_store_ids[0]");
    for path in [path.clone(), format!("{path}/input_items")] {
        bob.get(&path).await.refused(404);
    }
    bob.delete(&path).await.refused(404);
    let items = ada.get(&format!("{path}/input_items")).await.ok();
    assert_eq!(
        items["data"][0]["content"],
        json!([{"type": "input_text", "text": question}])
    );
    assert_eq!(
        (items["data"].as_array().unwrap().len(), &items["has_more"]),
        (1, &json!(false))
    );

    let deleted = ada.delete(&path).await.ok();
    assert_eq!(
        (&deleted["object"], &deleted["deleted"]),
        (&json!("response"), &json!(true))
    );
    ada.get(&path).await.refused(404);
}

#[tokio::test]
async fn what_is_not_stored_is_gone_and_what_is_in_front_cannot_be_cancelled() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let body = json!({"model": "insula/extractive", "input": "Hello?", "store": false});
    let response = respond(&ada, body).await;
    assert_eq!(response["store"], false);
    let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
    ada.get(&path).await.refused(404);
    let stored = respond(&ada, json!({"model": "insula/extractive", "input": "Hello?"})).await;
    let path = format!("/v1/responses/{}/cancel", stored["id"].as_str().unwrap());
    ada.post(&path, json!({})).await.refused(400);
}

#[tokio::test]
async fn refusals_name_the_field() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let store = ada.store("empty", &[]).await;
    let hello = |patch: Value| {
        let mut body = json!({"model": "insula/extractive", "input": "Hello?"});
        body.as_object_mut()
            .unwrap()
            .extend(patch.as_object().unwrap().clone());
        body
    };
    for (patch, status, param) in [
        (json!({"model": "nothing"}), 404, "model"),
        (json!({"model": "all-MiniLM-L6-v2"}), 400, "model"),
        (json!({"input": null}), 400, "input"),
        (
            json!({"previous_response_id": insula_tenancy::ResponseId::generate()}),
            404,
            "previous_response_id",
        ),
        (
            json!({"conversation": insula_tenancy::ConversationId::generate()}),
            404,
            "conversation",
        ),
        (
            json!({"input": [{"type": "item_reference", "id": "msg_nothing"}]}),
            404,
            "input[0].id",
        ),
        (
            json!({"tools": [{"type": "function", "name": "f"}]}),
            400,
            "tools",
        ),
        (
            json!({"text": {"format": {"type": "json_object"}}}),
            400,
            "text.format",
        ),
        (
            json!({"input": [{"role": "user", "content": [
                {"type": "input_text", "text": "what?"}, {"type": "input_image", "image_url": "https://example.com/a.png"},
            ]}]}),
            400,
            "input",
        ),
        (
            json!({
                "tools": [{"type": "file_search", "vector_store_ids": [store]}],
                "input": [{"role": "assistant", "content": "a"}],
            }),
            400,
            "input",
        ),
        (
            json!({"input": [{"type": "function_call_output", "call_id": "c", "output": "x"}]}),
            400,
            "input",
        ),
        (json!({"background": true}), 400, "background"),
    ] {
        for streamed in [false, true] {
            let mut body = hello(patch.clone());
            body["stream"] = json!(streamed);
            let answer = ada.post("/v1/responses", body).await;
            assert_eq!(answer.refused(status)["param"], param, "{patch}");
        }
    }
    // Who may chat may not read stores through the answers.
    let chats = app.with_scopes(&ada, &[insula_tenancy::Scope::ChatWrite]).await;
    chats
        .post("/v1/responses", searched(&store, "What?"))
        .await
        .refused(403);
    chats.post("/v1/responses", hello(json!({}))).await.ok();
}
