//! Tenants' own models: those of tests/models, uploaded.

use bytes::Bytes;
use serde_json::{Value, json};

use crate::client::form_of;
use crate::{Answer, Client, workspace};

/// A file of `tests/models`.
pub fn model_file(name: &str) -> Bytes {
    let path = workspace().join("tests/models").join(name);
    std::fs::read(&path)
        .unwrap_or_else(|error| panic!("{}: {error}", path.display()))
        .into()
}

impl Client {
    /// Makes a model without versions.
    pub async fn registered_model(&self, name: &str) -> Value {
        self.post("/v1/insula/models", json!({"name": name})).await.ok()
    }

    /// Uploads a file of `tests/models` as a version.
    pub async fn model_version(&self, model: &str, file: &str, spec: Value) -> Answer {
        self.model_version_of(model, &model_file(file), None, spec).await
    }

    /// Uploads bytes as a version.
    pub async fn model_version_of(
        &self,
        model: &str,
        graph: &[u8],
        tokenizer: Option<&[u8]>,
        spec: Value,
    ) -> Answer {
        let spec = spec.to_string();
        let mut parts = vec![("spec", None, spec.as_bytes()), ("model", Some("m.onnx"), graph)];
        parts.extend(tokenizer.map(|bytes| ("tokenizer", Some("tokenizer.json"), bytes)));
        let (kind, body) = form_of(&parts);
        self.post_bytes(&format!("/v1/insula/models/{model}/versions"), kind, body)
            .await
    }

    /// A model whose version 1 is a file of `tests/models`, and answers.
    pub async fn served_model(&self, name: &str, file: &str, spec: Value) {
        self.registered_model(name).await;
        self.model_version(name, file, spec).await.ok();
        self.activate(name, 1).await.ok();
    }

    /// Has a version answer.
    pub async fn activate(&self, model: &str, version: i32) -> Answer {
        let body = json!({"version": version});
        self.post(&format!("/v1/insula/models/{model}/activate"), body)
            .await
    }

    /// Asks a model.
    pub async fn predict(&self, model: &str, body: Value) -> Answer {
        self.post(&format!("/v1/insula/predict/{model}"), body).await
    }

    /// Asks a model about images.
    pub async fn predict_images(&self, model: &str, images: &[&[u8]]) -> Answer {
        let parts: Vec<_> = images
            .iter()
            .map(|image| ("image", Some("image.png"), *image))
            .collect();
        let (kind, body) = form_of(&parts);
        self.post_bytes(&format!("/v1/insula/predict/{model}"), kind, body)
            .await
    }
}
