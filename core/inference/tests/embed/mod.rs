//! Embedding servers against a real HTTP server that answers as it is told.

use std::time::Duration;

use insula_core::Error;
use insula_core::model::{EmbedPurpose, Embedder, EmbedderCard};
use insula_inference::endpoint::{Endpoint, Wire};
use insula_inference::openai::{Quirks, RemoteEmbedder, RemoteModel, Timeouts};
use insula_inference::tokens::Tokenizer;
use serde_json::{Value, json};

use crate::upstream::{Step, Upstream};

fn embedder(upstream: &Upstream, batch: usize) -> RemoteEmbedder {
    let card = EmbedderCard {
        id: "remote".into(),
        dimensions: 2,
        max_tokens: 10,
        languages: vec!["eng".into()],
        oversample: 400,
        owned_by: "acme".into(),
    };
    let model = RemoteModel {
        card,
        upstream_model: "m-1".into(),
        counter: Tokenizer::Cl100k.counter().expect("built in"),
        batch,
        send_dimensions: true,
    };
    let endpoint = Endpoint {
        timeouts: Timeouts {
            total: Duration::from_secs(2),
            ..Timeouts::default()
        },
        ..Endpoint::new(
            Wire::OpenAi(Quirks::default()),
            format!("{}/v1", upstream.url).parse().expect("URL"),
        )
    };
    let connection = endpoint.connect("acme", |_| None).expect("connection");
    connection.embedder(model).expect("an embedder")
}

fn texts(texts: &[&str]) -> Vec<String> {
    texts.iter().map(|&text| text.to_owned()).collect()
}

fn one(embedding: Value) -> Value {
    json!({"data": [{"index": 0, "embedding": embedding}], "usage": {"prompt_tokens": 3, "total_tokens": 3}})
}

#[tokio::test]
async fn texts_are_sent_in_batches_and_come_back_in_order() {
    // Batches of one, so that the scripted answer fits each of them.
    let upstream = Upstream::json(200, one(json!([3.0, 4.0]))).await;
    let embedder = embedder(&upstream, 1);
    let answer = embedder
        .embed(texts(&["a", "b", "c", "d", "e", "f"]), EmbedPurpose::Bulk.into())
        .await
        .expect("vectors");
    assert_eq!(answer.vectors, vec![vec![0.6, 0.8]; 6]);
    assert_eq!(answer.tokens, [3; 6], "what the server says");
    assert!(embedder.tokens_per_second().is_some_and(|speed| speed > 0.0));
    let seen = upstream.seen();
    assert_eq!(seen.path, "/v1/embeddings");
    assert_eq!(
        (
            &seen.body["model"],
            &seen.body["encoding_format"],
            &seen.body["dimensions"]
        ),
        (&json!("m-1"), &json!("base64"), &json!(2))
    );
    assert_eq!(seen.body["input"].as_array().map(Vec::len), Some(1));
}

#[tokio::test]
async fn nothing_costs_nothing() {
    let upstream = Upstream::closed().await;
    let answer = embedder(&upstream, 8)
        .embed(Vec::new(), EmbedPurpose::Interactive.into())
        .await
        .expect("nothing");
    assert!(answer.vectors.is_empty() && answer.tokens.is_empty());
}

#[tokio::test]
async fn a_text_that_is_too_long_is_named_and_not_sent() {
    let upstream = Upstream::closed().await;
    let long = "many words ".repeat(20);
    let error = embedder(&upstream, 8)
        .embed(texts(&["short", &long]), EmbedPurpose::Interactive.into())
        .await
        .expect_err("too long");
    let Error::Invalid { param, code, .. } = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (param.as_deref(), code),
        (Some("input[1]"), Some("context_length_exceeded"))
    );
}

#[tokio::test]
async fn usage_is_counted_when_it_is_missing() {
    let body = json!({"data": [{"embedding": [1.0, 0.0]}]});
    let upstream = Upstream::json(200, body).await;
    let answer = embedder(&upstream, 8)
        .embed(texts(&["tiktoken is great!"]), EmbedPurpose::Interactive.into())
        .await
        .expect("a vector");
    assert_eq!(answer.tokens, [6]);
}

#[tokio::test]
async fn wrong_answers_are_upstream_failures() {
    for (status, body, words) in [
        (200, one(json!([1.0, 2.0, 3.0])), "3 dimensions instead of 2"),
        (200, one(json!([0.0, 0.0])), "without a direction"),
        (200, json!({"data": []}), "0 vectors for 1 texts"),
        (200, json!("hello"), "not a list of vectors"),
        (200, json!({"error": {"message": "down"}}), "reported an error"),
        (200, json!({"data": "x".repeat(1_000_000)}), "too large"),
        (503, json!({"error": {"message": "loading"}}), "status 503"),
    ] {
        let upstream = Upstream::json(status, body).await;
        let answer = embedder(&upstream, 8)
            .embed(texts(&["a"]), EmbedPurpose::Interactive.into())
            .await;
        let Err(Error::Upstream { message, .. }) = answer else {
            panic!("{words}: {answer:?}")
        };
        assert!(message.contains(words), "{message}");
    }
}

#[tokio::test]
async fn a_server_that_is_silent_is_given_up() {
    let upstream = Upstream::stream(vec![Step::Hang]).await;
    let answer = embedder(&upstream, 8)
        .embed(texts(&["a"]), EmbedPurpose::Interactive.into())
        .await;
    let Err(Error::Upstream { message, .. }) = answer else {
        panic!("{answer:?}")
    };
    assert!(message.contains("too long to embed"), "{message}");
}
