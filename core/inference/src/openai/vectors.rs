//! Vectors as servers send them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use insula_core::Result;
use serde::Deserialize;

use super::response;
use crate::upstream::Provider;

#[derive(Deserialize)]
struct Answer {
    data: Option<Vec<Item>>,
    usage: Option<Usage>,
    error: Option<serde_json::Value>,
}

#[derive(Deserialize)]
struct Item {
    index: Option<usize>,
    embedding: Numbers,
}

/// Base64 of little-endian floats was asked for; servers that do not know it send a list.
#[derive(Deserialize)]
#[serde(untagged)]
enum Numbers {
    Packed(String),
    Listed(Vec<f32>),
}

#[derive(Deserialize)]
struct Usage {
    prompt_tokens: Option<u64>,
    total_tokens: Option<u64>,
}

/// Reads an answer to `texts` inputs: their unit vectors in order, and the tokens of all of them if it says so.
pub(super) fn read(
    provider: &Provider,
    body: &[u8],
    texts: usize,
    dimensions: usize,
) -> Result<(Vec<Vec<f32>>, Option<u64>)> {
    let answer: Answer = match serde_json::from_slice(body) {
        Ok(answer) => answer,
        Err(_) => return Err(unreadable(provider, body)),
    };
    if let Some(error) = &answer.error {
        return Err(provider.reported(error));
    }
    let items = answer.data.unwrap_or_default();
    if items.len() != texts {
        let count = items.len();
        return Err(provider.broken(&format!("sent {count} vectors for {texts} texts")));
    }
    let mut vectors = vec![Vec::new(); texts];
    for (position, item) in items.into_iter().enumerate() {
        let vector =
            numbers(item.embedding).ok_or_else(|| provider.broken("sent a vector that cannot be read"))?;
        if vector.len() != dimensions {
            let found = vector.len();
            return Err(provider.broken(&format!(
                "sent a vector of {found} dimensions instead of {dimensions}"
            )));
        }
        let place = vectors
            .get_mut(item.index.unwrap_or(position))
            .filter(|place| place.is_empty())
            .ok_or_else(|| provider.broken("numbered its vectors wrongly"))?;
        *place = unit(vector).ok_or_else(|| provider.broken("sent a vector without a direction"))?;
    }
    let tokens = answer
        .usage
        .and_then(|usage| usage.prompt_tokens.or(usage.total_tokens));
    Ok((vectors, tokens))
}

/// Whatever else it is, it may be an error object.
fn unreadable(provider: &Provider, body: &[u8]) -> insula_core::Error {
    let body: Option<serde_json::Value> = serde_json::from_slice(body).ok();
    match body.as_ref().and_then(response::error) {
        Some(error) => provider.reported(error),
        None => provider.broken("sent something that is not a list of vectors"),
    }
}

fn numbers(numbers: Numbers) -> Option<Vec<f32>> {
    match numbers {
        Numbers::Listed(numbers) => Some(numbers),
        Numbers::Packed(text) => {
            let bytes = BASE64_STANDARD.decode(text).ok()?;
            let (floats, rest) = bytes.as_chunks::<4>();
            rest.is_empty()
                .then(|| floats.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
        }
    }
}

/// The vector at length 1. `None` if it has no direction or a number that is none.
fn unit(mut vector: Vec<f32>) -> Option<Vec<f32>> {
    let length = vector
        .iter()
        .map(|&x| f64::from(x) * f64::from(x))
        .sum::<f64>()
        .sqrt();
    if !length.is_finite() || length < 1e-12 {
        return None;
    }
    for x in &mut vector {
        *x = (f64::from(*x) / length) as f32;
    }
    Some(vector)
}

#[cfg(test)]
mod tests {
    use insula_core::Error;
    use serde_json::{Value, json};

    use super::*;

    fn parse(body: &Value, texts: usize) -> Result<(Vec<Vec<f32>>, Option<u64>)> {
        let provider = Provider::new("acme".into(), Vec::new());
        read(&provider, body.to_string().as_bytes(), texts, 2)
    }

    fn packed(vector: &[f32]) -> String {
        let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
        BASE64_STANDARD.encode(bytes)
    }

    #[test]
    fn packed_and_listed_vectors_come_in_the_order_of_their_index() {
        let body = json!({
            "data": [{"index": 1, "embedding": [3.0, 4.0]}, {"index": 0, "embedding": packed(&[0.0, -2.0])}],
            "usage": {"prompt_tokens": 7, "total_tokens": 7},
        });
        let (vectors, tokens) = parse(&body, 2).expect("vectors");
        assert_eq!(vectors, [[0.0, -1.0], [0.6, 0.8]]);
        assert_eq!(tokens, Some(7));
    }

    #[test]
    fn usage_and_index_may_be_missing() {
        let (vectors, tokens) = parse(&json!({"data": [{"embedding": [1, 0]}]}), 1).expect("vectors");
        assert_eq!((vectors, tokens), (vec![vec![1.0, 0.0]], None));
    }

    #[test]
    fn anything_else_is_an_upstream_failure() {
        let one = |embedding: Value| json!({"data": [{"index": 0, "embedding": embedding}]});
        for body in [
            json!({}),
            json!({"data": []}),
            json!("hello"),
            json!({"error": {"message": "down"}}),
            json!({"error": "down"}),
            one(json!([1.0])),
            one(json!([0.0, 0.0])),
            one(json!([1e39, 0.0])),
            one(json!("?")),
            one(json!(packed(&[1.0]))),
            one(json!(packed(&[f32::NAN, 1.0]))),
            one(json!(BASE64_STANDARD.encode([1, 2, 3, 4, 5]))),
            json!({"data": [{"index": 5, "embedding": [1.0, 0.0]}]}),
        ] {
            let error = parse(&body, 1).expect_err("no vectors");
            assert!(matches!(error, Error::Upstream { .. }), "{body}: {error:?}");
        }
        let twice = json!({"data": [{"index": 0, "embedding": [1, 0]}, {"index": 0, "embedding": [1, 0]}]});
        assert!(matches!(parse(&twice, 2), Err(Error::Upstream { .. })));
    }
}
