//! Receiving a version: its files go to the blob store as they arrive.

use std::sync::Arc;

use futures::TryStreamExt;
use insula_core::Error;
use insula_core::blob::{BlobStore, StoredBlob, Unclaimed};
use insula_core::registry::VersionSpec;
use insula_tenancy::TenantId;
use serde_json::Value;
use tokio_util::io::StreamReader;
use utoipa::ToSchema;

use crate::http::multipart::{reader_refusal, text_up_to};
use crate::http::validate::required;
use crate::http::{Multipart, parse_json};

/// Longest `spec`, in bytes: a name for each of thousands of classes.
const MAX_SPEC: usize = 4 * 1024 * 1024;

/// A version to be made.
#[derive(ToSchema)]
#[schema(as = CreateModelVersionRequest)]
#[expect(dead_code, reason = "documents a form that is read field by field")]
pub(super) struct CreateVersion {
    /// The graph, an ONNX file with its weights inside.
    #[schema(value_type = String, format = Binary)]
    model: Vec<u8>,
    /// What you say of it, as a JSON object: `description`, `metrics`, `parameters`, `dataset`, `tags`, `labels`, `columns`,
    /// `preprocessing`, `output`, `batching`; see the documentation of models.
    #[schema(value_type = Option<String>)]
    spec: String,
    /// The `tokenizer.json` of a model that reads texts.
    #[schema(value_type = Option<String>)]
    tokenizer: Vec<u8>,
}

/// A version that has arrived whole. Unless it is claimed, dropping it removes its bytes again.
pub(super) struct Received {
    pub(super) spec: VersionSpec,
    pub(super) model: StoredBlob,
    pub(super) tokenizer: Option<StoredBlob>,
    unclaimed: Vec<Unclaimed>,
    /// The spec as it came.
    text: String,
}

impl Received {
    /// What tells this version from another one.
    pub(super) fn fingerprint(&self) -> [Vec<u8>; 3] {
        let tokenizer = self.tokenizer.as_ref().map(|blob| blob.sha256);
        [
            self.text.clone().into_bytes(),
            self.model.sha256.into(),
            tokenizer.map_or(Vec::new(), Vec::from),
        ]
    }

    /// Keeps the bytes: a row knows them now.
    pub(super) fn claim(self) {
        self.unclaimed.into_iter().for_each(Unclaimed::claim);
    }
}

/// Reads all fields, storing the files on the way.
pub(super) async fn receive(
    blobs: &Arc<dyn BlobStore>,
    tenant: TenantId,
    mut multipart: Multipart,
) -> Result<Received, Error> {
    let (mut text, mut model, mut tokenizer) = (None, None, None);
    let mut unclaimed = Vec::new();
    while let Some(field) = multipart.next().await? {
        let name = field.name().unwrap_or_default().to_owned();
        let slot = match name.as_str() {
            "spec" => {
                if text.is_some() {
                    return Err(twice("spec"));
                }
                text = Some(text_up_to("spec", field, MAX_SPEC).await?);
                continue;
            }
            "model" => &mut model,
            "tokenizer" => &mut tokenizer,
            _ => continue,
        };
        if slot.is_some() {
            return Err(twice(&name));
        }
        let mut reader = StreamReader::new(field.map_err(std::io::Error::other));
        let blob = blobs.put(tenant, &mut reader).await.map_err(reader_refusal)?;
        unclaimed.push(Unclaimed::new(blobs, &blob));
        *slot = Some(blob);
    }
    let text = text.unwrap_or_else(|| "{}".into());
    let spec = spec(&text)?;
    Ok(Received {
        spec,
        model: required("model", model)?,
        tokenizer,
        unclaimed,
        text,
    })
}

fn twice(name: &str) -> Error {
    Error::invalid(name, format!("Send exactly one '{name}'."))
}

fn spec(text: &str) -> Result<VersionSpec, Error> {
    let mut value: Value = parse_json(text.as_bytes()).map_err(|error| error.within_spec())?;
    without_nulls(&mut value);
    let text = serde_json::to_vec(&value).map_err(Error::internal)?;
    let spec: VersionSpec = parse_json(&text).map_err(|error| error.within_spec())?;
    spec.check().map_err(|error| error.within("spec"))?;
    Ok(spec)
}

/// A field that is null is absent.
fn without_nulls(value: &mut Value) {
    match value {
        Value::Object(object) => {
            object.retain(|_, value| !value.is_null());
            object.values_mut().for_each(without_nulls);
        }
        Value::Array(items) => items.iter_mut().for_each(without_nulls),
        _ => {}
    }
}

/// Where a refusal is, seen from the form.
trait WithinSpec {
    fn within_spec(self) -> Error;
}

impl WithinSpec for Error {
    fn within_spec(self) -> Error {
        match self {
            Self::Invalid {
                message,
                param: None,
                code,
            } => Self::Invalid {
                message,
                param: Some("spec".into()),
                code,
            },
            other => other.within("spec"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_spec_says_where_it_is_wrong_and_null_is_absent() {
        let read =
            spec(r#"{"labels": null, "metrics": {"a": 1}, "preprocessing": {"image": {"mean": null}}}"#);
        let read = read.unwrap();
        assert_eq!((read.labels, read.metrics["a"]), (None, 1.0));
        for (text, param) in [
            ("[", "spec"),
            (r#"{"metrics": {"a": "b"}}"#, "spec.metrics.a"),
            (
                r#"{"preprocessing": {"image": {"channels": "cmyk"}}}"#,
                "spec.preprocessing.image.channels",
            ),
            (r#"{"labels": []}"#, "spec.labels"),
        ] {
            match spec(text) {
                Err(Error::Invalid {
                    param: Some(found), ..
                }) => assert_eq!(found, param),
                other => panic!("{text}: {other:?}"),
            }
        }
    }
}
