//! `POST /v1/moderations`

use std::collections::BTreeMap;

use axum::extract::State;
use axum::response::{IntoResponse, Response};
use insula_core::judge::{self, Call};
use insula_core::model::{Category, Verdict};
use insula_core::{Error, metering};
use insula_tenancy::scope_types::ModerationsWrite;
use insula_tenancy::usage::Endpoint;
use insula_tenancy::{TenantContext, new_uuid};
use serde::{Deserialize, Serialize};
use serde_json::Value;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::limits::Limited;
use crate::http::validate::{count, name, unsupported};
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, OnceJson, RequestId, answer_once};

/// Most texts of one call.
const MOST_TEXTS: usize = 2048;
/// The model of a call that names none.
const DEFAULT_MODEL: &str = "omni-moderation-latest";

/// Texts to be looked through.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateModerationRequest)]
pub struct CreateModeration {
    /// The model; `omni-moderation-latest` if absent, which the operator can give to any.
    #[schema(example = "omni-moderation-latest")]
    pub model: Option<String>,
    /// A text, or up to 2,048 of them. Images are refused.
    #[schema(value_type = String)]
    pub input: Value,
}

/// What was found.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = CreateModerationResponse)]
pub struct Moderation {
    /// An id, `modr-…`.
    pub id: String,
    /// The model.
    pub model: String,
    /// One for each text.
    pub results: Vec<ModerationResult>,
}

/// What was found in a text. Each map has all thirteen categories.
#[derive(Debug, Serialize, ToSchema)]
pub struct ModerationResult {
    /// Whether anything is serious.
    pub flagged: bool,
    /// What is there.
    pub categories: BTreeMap<&'static str, bool>,
    /// How surely, 0 to 1.
    pub category_scores: BTreeMap<&'static str, f64>,
    /// What was looked at for it: `text`.
    pub category_applied_input_types: BTreeMap<&'static str, [&'static str; 1]>,
}

impl From<&Verdict> for ModerationResult {
    fn from(verdict: &Verdict) -> Self {
        let found = || {
            Category::ALL
                .iter()
                .map(|category| category.as_str())
                .zip(verdict.findings)
        };
        Self {
            flagged: verdict.flagged,
            categories: found().map(|(name, (is_there, _))| (name, is_there)).collect(),
            category_scores: found().map(|(name, (_, score))| (name, score)).collect(),
            category_applied_input_types: found().map(|(name, _)| (name, ["text"])).collect(),
        }
    }
}

/// Finds what should not be in texts.
#[utoipa::path(
    post, path = "/v1/moderations", operation_id = "create_moderation", tag = "moderations", params(IdempotencyHeader),
    request_body = CreateModeration, responses((status = OK, body = Moderation))
)]
pub async fn create_moderation(
    caller: Caller<ModerationsWrite>,
    request_id: RequestId,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateModeration>,
) -> ApiResult<Response> {
    let cx = caller.into_context();
    let answer = answer(app.clone(), cx.clone(), request_id, request);
    answer_once(once, &app, &cx, answer).await
}

async fn answer(
    app: App,
    cx: TenantContext,
    request_id: RequestId,
    request: CreateModeration,
) -> ApiResult<Response> {
    let model = request.model.unwrap_or_else(|| DEFAULT_MODEL.to_owned());
    name("model", &model, 256)?;
    let texts = texts(request.input)?;
    let metered_as = metering::Request {
        id: request_id.uuid(),
        end_user: None,
        endpoint: Endpoint::Moderations,
        streamed: false,
    };
    let call = Call {
        model: &model,
        request: &metered_as,
    };
    let (moderated, standings) = judge::moderate(&app.services, &cx, call, texts).await?;
    let moderation = Moderation {
        id: format!("modr-{}", new_uuid().simple()),
        results: moderated.verdicts.iter().map(ModerationResult::from).collect(),
        model,
    };
    Ok(Limited(standings, Json(moderation)).into_response())
}

/// The texts of an input: one, several, or parts of type `text`.
fn texts(input: Value) -> Result<Vec<String>, Error> {
    let items = match input {
        Value::String(text) => return Ok(vec![text]),
        Value::Array(items) => items,
        _ => return Err(wrong("input")),
    };
    count("input", items.len(), 1..=MOST_TEXTS)?;
    items
        .into_iter()
        .enumerate()
        .map(|(n, item)| match item {
            Value::String(text) => Ok(text),
            Value::Object(mut part) => match part.get("type").and_then(Value::as_str) {
                Some("text") => match part.remove("text") {
                    Some(Value::String(text)) => Ok(text),
                    _ => Err(wrong(&format!("input[{n}].text"))),
                },
                Some("image_url") => Err(unsupported(&format!("input[{n}].type"), "Looking through images")),
                _ => Err(wrong(&format!("input[{n}].type"))),
            },
            _ => Err(wrong(&format!("input[{n}]"))),
        })
        .collect()
}

fn wrong(param: &str) -> Error {
    Error::invalid(
        param,
        format!(
            "Invalid value for '{param}': expected a string, an array of strings, or parts of type 'text'."
        ),
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn texts_come_in_three_forms_and_images_in_none() {
        for (input, expected) in [
            (json!("a"), vec!["a"]),
            (json!(["a", "b"]), vec!["a", "b"]),
            (json!([{"type": "text", "text": "a"}]), vec!["a"]),
        ] {
            assert_eq!(texts(input).unwrap(), expected);
        }
        for (input, expected) in [
            (json!(null), "input"),
            (json!([]), "input"),
            (json!([1]), "input[0]"),
            (json!(["a", {"type": "sound"}]), "input[1].type"),
            (json!([{"type": "text"}]), "input[0].text"),
            (
                json!([{"type": "image_url", "image_url": {"url": "x"}}]),
                "input[0].type",
            ),
        ] {
            match texts(input.clone()).unwrap_err() {
                Error::Invalid { param, .. } => assert_eq!(param.as_deref(), Some(expected), "{input}"),
                other => panic!("{other:?}"),
            }
        }
    }
}
