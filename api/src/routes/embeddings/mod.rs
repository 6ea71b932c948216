//! `POST /v1/embeddings`

mod input;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::join;
use insula_core::guard::{self, Decisions};
use insula_core::metering::{self, Reading};
use insula_core::model::EmbedPurpose;
use insula_core::route::tenant;
use insula_core::{Error, Services};
use insula_inference::cl100k;
use insula_tenancy::TenantContext;
use insula_tenancy::scope_types::EmbeddingsWrite;
use insula_tenancy::usage::Endpoint;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

pub use self::input::Input;
use crate::app::App;
use crate::http::limits::Limited;
use crate::http::validate::text;
use crate::http::{AnyCaller, ApiResult, IdempotencyHeader, Json, OnceJson, RequestId, answer_once};

/// Most texts of a person's question.
const INTERACTIVE_ITEMS: usize = 8;

/// Texts to turn into vectors.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateEmbeddingRequest)]
pub struct CreateEmbedding {
    /// An embedding model.
    #[schema(example = "all-MiniLM-L6-v2")]
    pub model: String,
    /// What to embed. A text that the model cannot read whole is refused, never cut.
    pub input: Input,
    /// How the vectors are written.
    pub encoding_format: Option<EncodingFormat>,
    /// Length of the vectors, at most the model's own. Shorter ones are cut and brought back to unit length.
    #[schema(minimum = 1)]
    pub dimensions: Option<usize>,
    /// For whom, as the tenant calls them: budgets and usage can be told apart by it.
    pub user: Option<String>,
}

impl CreateEmbedding {
    /// Checks what the model is not needed for.
    pub(super) fn check(&self) -> Result<(), Error> {
        self.input.check()?;
        match &self.user {
            Some(user) => text("user", user, 512),
            None => Ok(()),
        }
    }
}

/// How vectors are written.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize, ToSchema)]
#[serde(rename_all = "lowercase")]
#[schema(as = EmbeddingEncodingFormat)]
pub enum EncodingFormat {
    /// As an array of numbers.
    #[default]
    Float,
    /// As base64 of packed little-endian 32-bit floats.
    Base64,
}

/// The vectors, in the order of the input.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreateEmbeddingResponse)]
pub struct EmbeddingList {
    /// `list`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The vectors.
    pub data: Vec<Embedding>,
    /// The model that made them.
    pub model: String,
    /// What it took.
    pub usage: EmbeddingUsage,
}

/// One vector.
#[derive(Debug, Serialize, ToSchema)]
pub struct Embedding {
    /// `embedding`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Position of its text in the input.
    pub index: usize,
    /// The vector, of unit length.
    pub embedding: Vector,
}

/// A vector as asked for.
#[derive(Debug, PartialEq, Serialize, ToSchema)]
#[schema(as = EmbeddingVector)]
#[serde(untagged)]
pub enum Vector {
    /// Numbers.
    Float(Vec<f32>),
    /// Base64 of packed little-endian 32-bit floats.
    Base64(String),
}

/// Tokens of the model that were read.
#[derive(Debug, Serialize, ToSchema)]
pub struct EmbeddingUsage {
    /// Tokens of all texts.
    pub prompt_tokens: usize,
    /// The same: embedding generates nothing.
    pub total_tokens: usize,
}

/// Turns texts into vectors.
#[utoipa::path(
    post, path = "/v1/embeddings", operation_id = "create_embedding", tag = "embeddings",
    params(IdempotencyHeader), request_body = CreateEmbedding,
    responses((status = OK, body = EmbeddingList))
)]
pub async fn create_embedding(
    caller: AnyCaller<EmbeddingsWrite>,
    request_id: RequestId,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateEmbedding>,
) -> ApiResult<Response> {
    request.check()?;
    // A few texts are taken for a person's question, which goes before bulk work.
    let purpose = match request.input.len() {
        ..=INTERACTIVE_ITEMS => EmbedPurpose::Interactive,
        _ => EmbedPurpose::Bulk,
    };
    let cx = caller.into_context();
    let (of_answer, caller) = (app.clone(), cx.clone());
    let answer = async move { answer(&of_answer.services, &caller, request_id, purpose, request).await };
    answer_once(once, &app, &cx, answer).await
}

/// Answers a request that was checked, wherever it comes from.
pub(super) async fn answer(
    services: &Services,
    caller: &TenantContext,
    request_id: RequestId,
    purpose: EmbedPurpose,
    request: CreateEmbedding,
) -> ApiResult<Response> {
    let found = tenant::find_embedder(services, caller, &request.model).await?;
    let embedder = found.ok_or_else(|| Error::model_not_found(&request.model))?;
    let native = embedder.card().dimensions;
    let dimensions = check_dimensions(request.dimensions, native)?;
    let mut texts = match request.input {
        Input::Text(text) => vec![text],
        Input::Texts(texts) => texts,
        Input::Tokens(tokens) => cl100k::decode_all(vec![tokens]).await?,
        Input::TokenArrays(arrays) => cl100k::decode_all(arrays).await?,
    };
    let call = metering::Request {
        id: request_id.uuid(),
        end_user: request.user,
        endpoint: Endpoint::Embeddings,
        streamed: false,
    };
    let mut entered = metering::enter(services, caller, &call, &request.model).await?;
    let settings = services.policies.of(&services.db, caller).await?;
    let decisions = Decisions::default();
    if let Some(policy) = &settings.policy {
        let guarded = guard::texts(policy, "input", &mut texts, &decisions)
            .and_then(|stays_here| guard::check_embedder(stays_here, &services.routes, &request.model));
        if let Err(error) = guarded {
            return Err(metering::refuse(&mut entered, error, decisions.to_json())
                .await
                .into());
        }
    }
    let bytes = texts.iter().map(String::len).sum();
    let mut metered = metering::begin_reading(services, &mut entered, &request.model, bytes).await?;
    let standings = metered.standings();
    let began = metered.elapsed();
    let (embeddings, durable) = join!(
        embedder.embed(texts, purpose.of(caller.tenant_id())),
        metered.durable()
    );
    metered.passed("model", began);
    let embeddings = match durable.map_err(Error::from).and(embeddings) {
        Ok(embeddings) => embeddings,
        Err(error) => {
            metering::fail(metered, &error, 1);
            return Err(error.into());
        }
    };
    let reading = Reading::of(&embeddings);
    let format = request.encoding_format.unwrap_or_default();
    let data = embeddings
        .vectors
        .into_iter()
        .enumerate()
        .map(|(index, mut vector)| {
            shorten(&mut vector, dimensions);
            Embedding {
                object: "embedding",
                index,
                embedding: write(vector, format),
            }
        });
    let tokens: usize = embeddings.tokens.iter().sum();
    metered.note(|details| details.decisions = decisions.to_json());
    metering::settle_reading(metered, &reading);
    let list = EmbeddingList {
        object: "list",
        data: data.collect(),
        model: request.model,
        usage: EmbeddingUsage {
            prompt_tokens: tokens,
            total_tokens: tokens,
        },
    };
    Ok(Limited(standings, Json(list)).into_response())
}

fn check_dimensions(asked: Option<usize>, native: usize) -> Result<usize, Error> {
    match asked {
        None => Ok(native),
        Some(asked) if (1..=native).contains(&asked) => Ok(asked),
        Some(_) => Err(Error::invalid(
            "dimensions",
            format!("Invalid value for 'dimensions': this model makes vectors of 1 to {native} dimensions."),
        )),
    }
}

/// Cuts a vector and brings it back to unit length.
fn shorten(vector: &mut Vec<f32>, dimensions: usize) {
    if dimensions >= vector.len() {
        return;
    }
    vector.truncate(dimensions);
    let length = vector.iter().map(|x| f64::from(*x).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector
            .iter_mut()
            .for_each(|x| *x = (f64::from(*x) / length) as f32);
    }
}

fn write(vector: Vec<f32>, format: EncodingFormat) -> Vector {
    match format {
        EncodingFormat::Float => Vector::Float(vector),
        EncodingFormat::Base64 => {
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            Vector::Base64(BASE64_STANDARD.encode(bytes))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dimensions_reach_from_one_to_the_models_own() {
        assert_eq!(check_dimensions(None, 384).unwrap(), 384);
        assert_eq!(check_dimensions(Some(384), 384).unwrap(), 384);
        assert_eq!(check_dimensions(Some(1), 384).unwrap(), 1);
        for bad in [0, 385] {
            let error = check_dimensions(Some(bad), 384).unwrap_err();
            assert!(matches!(error, Error::Invalid { param: Some(param), .. } if param == "dimensions"));
        }
    }

    #[test]
    fn shorter_vectors_are_of_unit_length_again() {
        let mut vector = vec![0.6, 0.0, 0.8];
        shorten(&mut vector, 2);
        assert_eq!(vector, [1.0, 0.0]);
        let mut nothing_left = vec![0.0, 1.0];
        shorten(&mut nothing_left, 1);
        assert_eq!(nothing_left, [0.0]);
    }

    #[test]
    fn base64_is_packed_little_endian_floats() {
        assert_eq!(
            write(vec![1.0, -2.5], EncodingFormat::Base64),
            Vector::Base64("AACAPwAAIMA=".into())
        );
    }
}
