//! `POST /v1/embeddings`

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use insula_tests::{Client, TestApp};
use serde_json::{Value, json};

const MODEL: &str = "all-MiniLM-L6-v2";

async fn embed(client: &Client, input: Value, more: Value) -> Value {
    let mut body = json!({"model": MODEL, "input": input});
    body.as_object_mut()
        .unwrap()
        .extend(more.as_object().unwrap().clone());
    client.post("/v1/embeddings", body).await.ok()
}

fn floats(value: &Value) -> Vec<f32> {
    match value {
        Value::String(text) => {
            let bytes = BASE64_STANDARD.decode(text).unwrap();
            bytes
                .chunks_exact(4)
                .map(|four| f32::from_le_bytes(four.try_into().unwrap()))
                .collect()
        }
        list => list
            .as_array()
            .unwrap()
            .iter()
            .map(|x| x.as_f64().unwrap() as f32)
            .collect(),
    }
}

fn vector(answer: &Value, index: usize) -> Vec<f32> {
    let item = &answer["data"][index];
    assert_eq!(
        (&item["object"], &item["index"]),
        (&json!("embedding"), &json!(index))
    );
    floats(&item["embedding"])
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| a.iter().zip(b).map(|(a, b)| a * b).sum::<f32>();
    dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()
}

#[tokio::test]
async fn texts_become_unit_vectors_that_mean_something() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let texts = json!([
        "A cat sleeps on the sofa.",
        "A kitten naps on the couch.",
        "The stock market fell."
    ]);
    let answer = embed(&ada, texts, json!({})).await;
    assert_eq!(
        (&answer["object"], &answer["model"]),
        (&json!("list"), &json!(MODEL))
    );
    let vectors: Vec<Vec<f32>> = (0..3).map(|index| vector(&answer, index)).collect();
    for vector in &vectors {
        assert_eq!(vector.len(), 384);
        assert!((vector.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-3);
    }
    assert!(cosine(&vectors[0], &vectors[1]) > 0.5 && cosine(&vectors[0], &vectors[2]) < 0.3);
    let tokens = answer["usage"]["prompt_tokens"].as_u64().unwrap();
    assert!((20..40).contains(&tokens), "{tokens}");
    assert_eq!(answer["usage"]["total_tokens"], tokens);
}

#[tokio::test]
async fn every_form_of_input_gives_the_same_vector() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let plain = vector(&embed(&ada, json!("hello world"), json!({})).await, 0);
    // cl100k_base of "hello world".
    for input in [
        json!(["hello world"]),
        json!([15339, 1917]),
        json!([[15339, 1917]]),
    ] {
        let same = vector(&embed(&ada, input.clone(), json!({})).await, 0);
        assert!(cosine(&plain, &same) > 0.999_99, "{input}");
    }
    let packed = embed(&ada, json!("hello world"), json!({"encoding_format": "base64"})).await;
    assert!(packed["data"][0]["embedding"].is_string());
    assert!(cosine(&plain, &vector(&packed, 0)) > 0.999_99);
    let explicit = json!({"encoding_format": "float", "dimensions": 384, "user": "someone", "unknown": [1]});
    assert!(
        cosine(
            &plain,
            &vector(&embed(&ada, json!("hello world"), explicit).await, 0)
        ) > 0.999_99
    );
}

#[tokio::test]
async fn many_texts_keep_their_order() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    // Lengths that a batcher would like to sort.
    let texts: Vec<String> = (0..40)
        .map(|n| format!("item {n} {}", "word ".repeat((n * 7) % 30)))
        .collect();
    let together = embed(&ada, json!(texts), json!({})).await;
    for index in [0, 7, 21, 39] {
        let alone = vector(&embed(&ada, json!(texts[index]), json!({})).await, 0);
        assert!(cosine(&alone, &vector(&together, index)) > 0.999, "{index}");
    }
}

#[tokio::test]
async fn fewer_dimensions_are_the_first_ones_at_unit_length() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let whole = vector(&embed(&ada, json!("hello"), json!({})).await, 0);
    let short = vector(&embed(&ada, json!("hello"), json!({"dimensions": 64})).await, 0);
    assert_eq!(short.len(), 64);
    assert!((short.iter().map(|x| x * x).sum::<f32>() - 1.0).abs() < 1e-3);
    assert!(cosine(&short, &whole[..64]) > 0.999_99);
}

#[tokio::test]
async fn refusals_name_their_field() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let base = json!({"model": MODEL, "input": "x"});
    for (patch, status, param) in [
        (json!({"input": ""}), 400, "input"),
        (json!({"input": []}), 400, "input"),
        (json!({"input": null}), 400, "input"),
        (json!({"input": ["a", ""]}), 400, "input[1]"),
        (json!({"input": ["a", 1]}), 400, "input"),
        (json!({"input": [[]]}), 400, "input[0]"),
        (json!({"input": [-1]}), 400, "input[0]"),
        (json!({"input": [999_999_999]}), 400, "input"),
        (json!({"input": {"text": "x"}}), 400, "input"),
        (json!({"input": vec!["x"; 2049]}), 400, "input"),
        (json!({"dimensions": 0}), 400, "dimensions"),
        (json!({"dimensions": 385}), 400, "dimensions"),
        (json!({"encoding_format": "hex"}), 400, "encoding_format"),
        (json!({"model": "no-such-model"}), 404, "model"),
        (json!({"model": "insula/extractive"}), 404, "model"),
        (json!({"model": null}), 400, "model"),
    ] {
        let mut body = base.clone();
        body.as_object_mut()
            .unwrap()
            .extend(patch.as_object().unwrap().clone());
        let error = ada.post("/v1/embeddings", body).await.refused(status);
        let shown: String = patch.to_string().chars().take(80).collect();
        assert!(
            error["param"]
                .as_str()
                .is_some_and(|given| given.starts_with(param)),
            "{shown}: {error}"
        );
    }
    let error = ada
        .post("/v1/embeddings", json!({"model": "no-such-model", "input": "x"}))
        .await
        .refused(404);
    assert_eq!(error["code"], "model_not_found");
}

#[tokio::test]
async fn a_text_that_the_model_cannot_read_whole_is_refused_and_never_cut() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let fits = "word ".repeat(250);
    embed(&ada, json!(fits), json!({})).await;
    let body = json!({"model": MODEL, "input": ["fine", "word ".repeat(300)]});
    let error = ada.post("/v1/embeddings", body).await.refused(400);
    assert!(error["param"].as_str().unwrap().starts_with("input"), "{error}");
    assert!(
        error["message"].as_str().unwrap().contains("256"),
        "it does not say how much would fit: {error}"
    );
}

#[tokio::test]
async fn an_end_user_is_one_that_the_ledger_can_hold() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for user in ["a\u{0}b".to_owned(), "x".repeat(513)] {
        let body = json!({"model": MODEL, "input": "x", "user": user});
        assert_eq!(
            ada.post("/v1/embeddings", body).await.refused(400)["param"],
            "user"
        );
    }
}

#[tokio::test]
async fn texts_of_any_language_and_none_are_embedded() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let texts = json!([
        "مرحبا بالعالم",
        "你好世界",
        "👩‍👩‍👧‍👦",
        "\u{202e}reversed",
        " ",
        "a\u{0000}b"
    ]);
    let answer = embed(&ada, texts, json!({})).await;
    for index in 0..6 {
        assert!(vector(&answer, index).iter().all(|x| x.is_finite()), "{index}");
    }
}
