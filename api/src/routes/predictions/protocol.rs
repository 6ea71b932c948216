//! Requests and answers of the Open Inference Protocol, with its extension for binary tensors: the JSON comes first, as long as a
//! header says, and the tensors that are not in it follow in their order.

use axum::body::Body;
use axum::response::{IntoResponse, Response};
use bytes::Bytes;
use http::{HeaderMap, HeaderName, HeaderValue, header};
use insula_core::Error;
use insula_core::prediction::json::{from_flat, to_flat};
use insula_core::prediction::{Datatype, Tensor};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::parse_json;

/// How long the JSON is, where tensors follow it.
const JSON_LENGTH: HeaderName = HeaderName::from_static("inference-header-content-length");

/// Tensors for a model.
#[derive(Debug, Deserialize, ToSchema)]
pub struct InferenceRequest {
    /// Comes back with the answer.
    pub id: Option<String>,
    /// `binary_data_output`: whether all outputs come binary.
    pub parameters: Option<InferenceParameters>,
    /// The model's inputs.
    pub inputs: Vec<InferenceInput>,
    /// Which outputs are wanted. Absent: all.
    pub outputs: Option<Vec<InferenceOutputWanted>>,
}

/// What is said of a request or a tensor besides.
#[derive(Debug, Clone, Default, Deserialize, Serialize, ToSchema)]
pub struct InferenceParameters {
    /// Bytes of the tensor behind the JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_data_size: Option<u64>,
    /// Whether this output comes binary.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_data: Option<bool>,
    /// Whether all outputs come binary that say nothing.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub binary_data_output: Option<bool>,
    /// Not supported: classes are what `/v1/insula/predict` tells.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub classification: Option<u64>,
    /// Not supported: no memory is shared with clients.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(ignore)]
    pub shared_memory_region: Option<String>,
}

/// A tensor for a model.
#[derive(Debug, Deserialize, ToSchema)]
pub struct InferenceInput {
    /// The input's name.
    pub name: String,
    /// How long each dimension is.
    pub shape: Vec<usize>,
    /// `FP32`, `INT64`, `BYTES` and the like.
    #[schema(example = "FP32")]
    pub datatype: String,
    /// `binary_data_size`, if the elements are behind the JSON.
    pub parameters: Option<InferenceParameters>,
    /// The elements in row-major order, flat or nested.
    #[schema(value_type = Option<Vec<f64>>)]
    pub data: Option<Value>,
}

/// An output that is wanted.
#[derive(Debug, Deserialize, ToSchema)]
pub struct InferenceOutputWanted {
    /// The output's name.
    pub name: String,
    /// `binary_data`: whether it comes behind the JSON.
    pub parameters: Option<InferenceParameters>,
}

/// What a model gave.
#[derive(Debug, Serialize, ToSchema)]
pub struct InferenceResponse {
    /// The model.
    pub model_name: String,
    /// The version that answered.
    pub model_version: String,
    /// That of the request.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub id: Option<String>,
    /// The model's outputs.
    pub outputs: Vec<InferenceOutput>,
}

/// A tensor that a model gave.
#[derive(Debug, Serialize, ToSchema)]
pub struct InferenceOutput {
    /// The output's name.
    pub name: String,
    /// `FP32`, `INT64`, `BYTES` and the like.
    #[schema(value_type = String)]
    pub datatype: &'static str,
    /// How long each dimension is.
    pub shape: Vec<usize>,
    /// `binary_data_size`, if the elements are behind the JSON.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub parameters: Option<InferenceParameters>,
    /// The elements in row-major order.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(value_type = Option<Vec<f64>>)]
    pub data: Option<Vec<Value>>,
}

/// A request, read.
pub(super) struct Inference {
    pub(super) id: Option<String>,
    pub(super) tensors: Vec<Tensor>,
    wanted: Option<Vec<(String, Option<bool>)>>,
    all_binary: bool,
}

fn unsupported(param: &str) -> Error {
    Error::invalid(param, format!("'{param}' is not supported by this server."))
}

impl Inference {
    /// Reads a body.
    ///
    /// # Errors
    /// [`Error::Invalid`] for what is no request of the protocol, or does not add up.
    pub(super) fn read(headers: &HeaderMap, body: &Bytes) -> Result<Self, Error> {
        let length = match headers.get(JSON_LENGTH) {
            None => body.len(),
            Some(value) => value
                .to_str()
                .ok()
                .and_then(|text| text.parse().ok())
                .filter(|length| *length <= body.len())
                .ok_or_else(|| {
                    let what = "Inference-Header-Content-Length is not the length of the JSON in this body.";
                    Error::invalid("Inference-Header-Content-Length", what)
                })?,
        };
        let request: InferenceRequest = parse_json(&body[..length])?;
        let mut rest = body.slice(length..);
        let mut tensors = Vec::with_capacity(request.inputs.len());
        for input in request.inputs {
            tensors.push(tensor(input, &mut rest)?);
        }
        if !rest.is_empty() {
            let what = format!("{} bytes follow that are of no input.", rest.len());
            return Err(Error::invalid("inputs", what));
        }
        let mut wanted = None;
        for output in request.outputs.into_iter().flatten() {
            let parameters = output.parameters.unwrap_or_default();
            if parameters.classification.is_some_and(|count| count > 0) {
                return Err(unsupported("classification"));
            }
            if parameters.shared_memory_region.is_some() {
                return Err(unsupported("shared_memory_region"));
            }
            wanted
                .get_or_insert_with(Vec::new)
                .push((output.name, parameters.binary_data));
        }
        let all_binary = request
            .parameters
            .and_then(|parameters| parameters.binary_data_output);
        Ok(Self {
            id: request.id,
            tensors,
            wanted,
            all_binary: all_binary.unwrap_or(false),
        })
    }

    /// The answer with these outputs.
    ///
    /// # Errors
    /// [`Error::Invalid`] if an output is wanted that there is not.
    pub(super) fn answer(self, model: String, version: i32, outputs: &[Tensor]) -> Result<Response, Error> {
        let wanted = match self.wanted {
            None => outputs.iter().map(|output| (output, self.all_binary)).collect(),
            Some(wanted) => {
                let find = |(name, binary): (String, Option<bool>)| {
                    let found = outputs.iter().find(|output| output.name == name);
                    let found = found.map(|output| (output, binary.unwrap_or(self.all_binary)));
                    found.ok_or_else(|| {
                        let shown: String = name.chars().take(100).collect();
                        Error::invalid("outputs", format!("The model has no output '{shown}'."))
                    })
                };
                wanted.into_iter().map(find).collect::<Result<Vec<_>, _>>()?
            }
        };
        let mut behind: Vec<Bytes> = Vec::new();
        let outputs = wanted.into_iter().map(|(output, binary)| {
            if binary {
                behind.push(output.data.clone());
            }
            InferenceOutput {
                name: output.name.clone(),
                datatype: output.datatype.as_str(),
                shape: output.shape.clone(),
                parameters: binary.then(|| InferenceParameters {
                    binary_data_size: Some(output.data.len() as u64),
                    ..InferenceParameters::default()
                }),
                data: (!binary).then(|| to_flat(output)),
            }
        });
        let answer = InferenceResponse {
            model_name: model,
            model_version: version.to_string(),
            id: self.id,
            outputs: outputs.collect(),
        };
        let mut body = serde_json::to_vec(&answer).map_err(Error::internal)?;
        let json = header::HeaderValue::from_static("application/json");
        if behind.is_empty() {
            return Ok(([(header::CONTENT_TYPE, json)], body).into_response());
        }
        let length = HeaderValue::from(body.len());
        behind.iter().for_each(|bytes| body.extend_from_slice(bytes));
        let mut response = Body::from(body).into_response();
        let kind = HeaderValue::from_static("application/octet-stream");
        response.headers_mut().insert(header::CONTENT_TYPE, kind);
        response.headers_mut().insert(JSON_LENGTH, length);
        Ok(response)
    }
}

fn tensor(input: InferenceInput, rest: &mut Bytes) -> Result<Tensor, Error> {
    let InferenceInput {
        name,
        shape,
        datatype,
        parameters,
        data,
    } = input;
    let datatype: Datatype = datatype.parse()?;
    let parameters = parameters.unwrap_or_default();
    if parameters.shared_memory_region.is_some() {
        return Err(unsupported("shared_memory_region"));
    }
    match (parameters.binary_data_size, data) {
        (Some(size), None) => {
            let size = usize::try_from(size).ok().filter(|size| *size <= rest.len());
            let size = size.ok_or_else(|| {
                Error::invalid(
                    "binary_data_size",
                    "An input says that more bytes follow than do.",
                )
            })?;
            Tensor::new(name, datatype, shape, rest.split_to(size))
        }
        (None, Some(data)) => from_flat(&name, datatype, shape, &data),
        (None, None) => Err(Error::Invalid {
            message: "An input has neither 'data' nor 'binary_data_size'.".into(),
            param: Some("data".into()),
            code: Some("missing_required_parameter"),
        }),
        (Some(_), Some(_)) => Err(Error::invalid(
            "data",
            "An input has 'data' as well as 'binary_data_size'.",
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use axum::body::to_bytes;
    use serde_json::json;

    fn read(json: &Value, behind: &[u8]) -> Result<Inference, Error> {
        let json = json.to_string().into_bytes();
        let mut headers = HeaderMap::new();
        headers.insert(JSON_LENGTH, HeaderValue::from(json.len()));
        Inference::read(&headers, &[json.as_slice(), behind].concat().into())
    }

    fn input(parameters: Value) -> Value {
        let mut input = json!({"name": "x", "shape": [1, 2], "datatype": "INT16"});
        for (name, value) in parameters.as_object().unwrap() {
            input[name] = value.clone();
        }
        json!({"id": "7", "inputs": [input], "outputs": [{"name": "x", "parameters": {"binary_data": true}}]})
    }

    #[tokio::test]
    async fn a_tensor_comes_behind_the_json_or_in_it_and_leaves_as_it_is_wanted() {
        let behind = read(
            &input(json!({"parameters": {"binary_data_size": 4}})),
            &[1, 0, 2, 0],
        )
        .unwrap();
        let within = read(&input(json!({"data": [[1, 2]]})), &[]).unwrap();
        assert_eq!(behind.tensors, within.tensors);
        let outputs = behind.tensors.clone();
        let response = behind.answer("m".into(), 3, &outputs).unwrap();
        let length: usize = response.headers()[JSON_LENGTH].to_str().unwrap().parse().unwrap();
        let body = to_bytes(response.into_body(), usize::MAX).await.unwrap();
        let told: Value = serde_json::from_slice(&body[..length]).unwrap();
        let expected = json!({
            "model_name": "m", "model_version": "3", "id": "7",
            "outputs": [{"name": "x", "datatype": "INT16", "shape": [1, 2], "parameters": {"binary_data_size": 4}}],
        });
        assert_eq!(told, expected);
        assert_eq!(&body[length..], [1, 0, 2, 0]);
    }

    #[test]
    fn what_does_not_add_up_is_refused() {
        for (parameters, behind) in [
            (json!({"parameters": {"binary_data_size": 5}}), &[0; 4][..]),
            (json!({"parameters": {"binary_data_size": 2}}), &[0; 4]),
            (
                json!({"parameters": {"binary_data_size": 4}, "data": [1, 2]}),
                &[0; 4],
            ),
            (json!({}), &[]),
            (json!({"data": [1, 2, 3]}), &[]),
            (json!({"data": [1, 2], "datatype": "INT128"}), &[]),
            (
                json!({"data": [1, 2], "parameters": {"shared_memory_region": "x"}}),
                &[],
            ),
        ] {
            assert!(read(&input(parameters.clone()), behind).is_err(), "{parameters}");
        }
        let mut headers = HeaderMap::new();
        headers.insert(JSON_LENGTH, HeaderValue::from_static("9999"));
        assert!(Inference::read(&headers, &Bytes::from_static(b"{}")).is_err());
    }
}
