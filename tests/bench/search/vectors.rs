//! The embedding model of the bench: a server that knows the vector of each question. A question is embedded once, before
//! anything is measured; from then on the server under measurement has it in its cache.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};

use anyhow::Result;
use axum::Router;
use axum::extract::State;
use axum::response::IntoResponse;
use axum::routing::post;
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use bytes::Bytes;
use serde_json::{Value, json};
use tokio::net::TcpListener;

use super::corpus::{DIMENSIONS, Question};

/// Vectors by text.
#[derive(Clone, Default)]
pub(super) struct Vectors(Arc<Mutex<HashMap<String, Vec<f32>>>>);

impl Vectors {
    pub(super) fn know(&self, questions: &[Question]) {
        let mut known = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        for question in questions {
            known.insert(question.text.clone(), question.vector.clone());
        }
    }

    /// Serves them until the bench ends.
    pub(super) async fn serve(&self) -> Result<SocketAddr> {
        let listener = TcpListener::bind(SocketAddr::from(([127, 0, 0, 1], 0))).await?;
        let address = listener.local_addr()?;
        let router = Router::new()
            .route("/v1/embeddings", post(embed))
            .with_state(self.clone());
        tokio::spawn(async move { axum::serve(listener, router).await });
        Ok(address)
    }

    fn of(&self, text: &str) -> Vec<f32> {
        let known = self.0.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        known.get(text).cloned().unwrap_or_else(|| vec![1.0; DIMENSIONS])
    }
}

async fn embed(State(vectors): State<Vectors>, asked: Bytes) -> impl IntoResponse {
    let asked: Value = serde_json::from_slice(&asked).unwrap_or_default();
    let texts: Vec<String> = match &asked["input"] {
        Value::String(text) => vec![text.clone()],
        list => serde_json::from_value(list.clone()).unwrap_or_default(),
    };
    let data = texts.iter().enumerate().map(|(index, text)| {
        let bytes: Vec<u8> = vectors.of(text).iter().flat_map(|x| x.to_le_bytes()).collect();
        json!({"object": "embedding", "index": index, "embedding": BASE64_STANDARD.encode(bytes)})
    });
    let data: Vec<Value> = data.collect();
    let answer = json!({"object": "list", "model": "bench", "data": data,
                        "usage": {"prompt_tokens": 1, "total_tokens": 1}});
    ([("content-type", "application/json")], answer.to_string())
}
