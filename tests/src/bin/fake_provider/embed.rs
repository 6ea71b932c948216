//! Embeddings in OpenAI's format. A vector depends on its text alone.

use std::hash::{DefaultHasher, Hash, Hasher};

use axum::extract::State;
use axum::http::{HeaderMap, StatusCode, Uri};
use axum::response::Response;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};

use crate::counts::Counts;
use crate::{error, failure, reply};

pub(crate) async fn embed(
    State(counts): State<Counts>,
    uri: Uri,
    headers: HeaderMap,
    body: Bytes,
) -> Response {
    let Ok(body) = serde_json::from_slice::<Value>(&body) else {
        return error(StatusCode::BAD_REQUEST, "not JSON");
    };
    let model = body["model"].as_str().unwrap_or_default().to_owned();
    let texts: Vec<String> = match &body["input"] {
        Value::String(text) => vec![text.clone()],
        list => serde_json::from_value(list.clone()).unwrap_or_default(),
    };
    let packed = body["encoding_format"] == "base64";
    let mut caller = counts.arrived(&model, &uri, &headers, body);
    if model == "hang" {
        std::future::pending::<()>().await;
    }
    caller.finish();
    if let Some(failure) = failure(&model) {
        return failure;
    }
    let (kind, dimensions) = model.split_once('-').unwrap_or((&model, "8"));
    let dimensions: usize = dimensions.parse().unwrap_or(8);
    let data: Vec<_> = texts
        .iter()
        .enumerate()
        .map(|(index, text)| {
            let length = dimensions + usize::from(kind == "wrong");
            let vector = vector(text, length);
            let embedding = match packed && kind != "floats" {
                true => json!(pack(&vector)),
                false => json!(vector),
            };
            json!({"object": "embedding", "index": index, "embedding": embedding})
        })
        .collect();
    let tokens: usize = texts.iter().map(|text| text.split_whitespace().count()).sum();
    reply(
        StatusCode::OK,
        &json!({"object": "list", "model": model, "data": data,
                "usage": {"prompt_tokens": tokens, "total_tokens": tokens}}),
    )
}

/// Near for texts that share words, and of no particular length.
fn vector(text: &str, dimensions: usize) -> Vec<f32> {
    let mut vector = vec![0.01; dimensions];
    for word in text.split_whitespace() {
        let mut hasher = DefaultHasher::new();
        word.to_lowercase().hash(&mut hasher);
        if let Some(place) = vector.get_mut(hasher.finish() as usize % dimensions.max(1)) {
            *place += 1.0;
        }
    }
    vector
}

fn pack(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes)
}
