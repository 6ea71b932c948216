//! Streamed answers, chunk by chunk, as strict clients read them.

use insula_tests::TestApp;
use serde_json::{Value, json};

use crate::chat::{assert_cited, grounded, plain};
use crate::library::FACTS;

/// The chunks of a stream that ended well, checked against the rules that all of them keep.
fn chunks(events: &[String], include_usage: bool) -> Vec<Value> {
    let (done, chunks) = events.split_last().unwrap();
    assert_eq!(done, "[DONE]");
    let chunks: Vec<Value> = chunks
        .iter()
        .map(|chunk| serde_json::from_str(chunk).unwrap())
        .collect();
    let head = |chunk: &Value| {
        (
            chunk["id"].clone(),
            chunk["created"].clone(),
            chunk["model"].clone(),
        )
    };
    for chunk in &chunks {
        assert_eq!(chunk["object"], "chat.completion.chunk");
        assert_eq!(head(chunk), head(&chunks[0]), "the same in all chunks");
        for choice in chunk["choices"].as_array().unwrap() {
            assert_eq!(choice["index"], 0);
            let delta = choice["delta"].as_object().unwrap();
            assert!(
                delta.values().all(|value| !value.is_null()),
                "a key without a value: {chunk}"
            );
            assert_ne!(delta.get("tool_calls"), Some(&json!([])), "{chunk}");
        }
    }
    assert!(chunks[0]["id"].as_str().unwrap().starts_with("chatcmpl-"));
    assert_eq!(
        chunks[0]["choices"][0]["delta"],
        json!({"role": "assistant", "content": ""})
    );
    let roles = chunks
        .iter()
        .filter(|chunk| chunk["choices"][0]["delta"].get("role").is_some())
        .count();
    assert_eq!(roles, 1, "the role is in the first chunk only");
    let (with_choice, usage): (Vec<&Value>, Vec<&Value>) = chunks
        .iter()
        .partition(|chunk| !chunk["choices"].as_array().unwrap().is_empty());
    let finished: Vec<usize> = (0..with_choice.len())
        .filter(|n| !with_choice[*n]["choices"][0]["finish_reason"].is_null())
        .collect();
    assert_eq!(finished, [with_choice.len() - 1], "finished once, at the end");
    assert_eq!(with_choice[finished[0]]["choices"][0]["delta"], json!({}));
    assert_eq!(usage.len(), usize::from(include_usage));
    if include_usage {
        assert!(std::ptr::eq(usage[0], chunks.last().unwrap()), "usage comes last");
        assert!(usage[0]["usage"]["total_tokens"].as_u64().unwrap() > 0);
    }
    assert!(
        with_choice.iter().all(|chunk| chunk["usage"].is_null()),
        "usage only in its own chunk"
    );
    chunks
}

/// What the deltas add up to.
fn text(chunks: &[Value]) -> String {
    chunks
        .iter()
        .filter_map(|chunk| chunk["choices"][0]["delta"]["content"].as_str())
        .collect()
}

#[tokio::test]
async fn a_streamed_answer_is_the_whole_answer_in_pieces() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let mut body = grounded(&store, "How do honeybees show the direction of flowers?");
    let whole = ada.post("/v1/chat/completions", body.clone()).await.ok();
    for include_usage in [false, true] {
        body["stream"] = json!(true);
        body["stream_options"] = json!({"include_usage": include_usage, "include_obfuscation": true});
        let stream = ada.stream("/v1/chat/completions", body.clone()).await;
        assert!(
            stream.headers()["x-request-id"]
                .to_str()
                .unwrap()
                .starts_with("req_")
        );
        let chunks = chunks(&stream.rest().await, include_usage);
        let message = &whole["choices"][0]["message"];
        assert_eq!(text(&chunks), message["content"].as_str().unwrap());
        assert!(chunks.len() > 5, "one piece is no stream");
        let annotations: Vec<&Value> = chunks
            .iter()
            .filter_map(|chunk| chunk["choices"][0]["delta"].get("annotations"))
            .collect();
        assert_eq!(annotations, [&message["annotations"]]);
        assert_cited(&text(&chunks), annotations[0], plain);
        if include_usage {
            assert_eq!(chunks.last().unwrap()["usage"], whole["usage"]);
        }
    }
}

#[tokio::test]
async fn a_refusal_to_answer_streams_too() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let mut body = grounded(&store, "Who won the football world cup in 1994?");
    body["stream"] = json!(true);
    let chunks = chunks(
        &ada.stream("/v1/chat/completions", body).await.rest().await,
        false,
    );
    assert_eq!(
        text(&chunks),
        "I could not find an answer to this in the documents."
    );
}

#[tokio::test]
async fn stream_false_is_no_stream() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let body = json!({
        "model": "insula/extractive", "stream": false, "stream_options": {"include_usage": true},
        "messages": [{"role": "user", "content": "Hello?"}],
    });
    let answer = ada.post("/v1/chat/completions", body).await;
    assert!(
        answer
            .header("content-type")
            .unwrap()
            .starts_with("application/json")
    );
    assert_eq!(answer.ok()["object"], "chat.completion");
}
