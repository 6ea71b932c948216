//! `/v1/insula/assistants`: presets that appear as models.

use axum::extract::State;
use axum::response::Response;
use insula_core::assistant::{self, Assistant, AssistantSettings};
use insula_tenancy::AssistantId;
use insula_tenancy::scope_types::{AssistantsRead, AssistantsWrite};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::grounding::DEFAULT_RESULTS;
use super::ids::body_ids;
use super::wire::{Deleted, List, Patch, seconds};
use crate::app::App;
use crate::http::{ApiResult, Caller, IdempotencyHeader, Json, ListQuery, OnceJson, Path, Query};

/// An assistant to be made.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateAssistantRequest)]
pub struct CreateAssistant {
    /// The name that clients send as `model`: letters, digits, `.`, `_`, `:` and `-`. It cannot be changed later.
    #[schema(example = "support-bot", max_length = 128)]
    pub name: String,
    /// The chat model that answers.
    #[schema(example = "insula/extractive")]
    pub model: String,
    /// Put before every conversation.
    pub instructions: Option<String>,
    /// Where evidence comes from.
    pub vector_store_ids: Option<Vec<String>>,
    /// Passages per answer.
    #[schema(minimum = 1, maximum = 50, default = 8)]
    pub max_num_results: Option<i32>,
    /// Passages with a lower score are not used.
    #[schema(minimum = 0, maximum = 1, default = 0)]
    pub score_threshold: Option<f64>,
}

/// Changes of an assistant. Absent fields stay, `null` returns to the default.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = UpdateAssistantRequest)]
pub struct UpdateAssistant {
    /// The chat model that answers.
    pub model: Option<String>,
    /// Put before every conversation.
    #[serde(default)]
    #[schema(value_type = Option<String>)]
    pub instructions: Patch<String>,
    /// Where evidence comes from.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub vector_store_ids: Patch<Vec<String>>,
    /// Passages per answer.
    #[serde(default)]
    #[schema(value_type = Option<i32>, minimum = 1, maximum = 50)]
    pub max_num_results: Patch<i32>,
    /// Passages with a lower score are not used.
    #[serde(default)]
    #[schema(value_type = Option<f64>, minimum = 0, maximum = 1)]
    pub score_threshold: Patch<f64>,
}

/// A preset that appears as a model.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Assistant)]
pub struct AssistantObject {
    /// Its id, `asst_…`.
    pub id: String,
    /// `insula.assistant`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds of its making.
    pub created_at: i64,
    /// The name that clients send as `model`.
    pub name: String,
    /// The chat model that answers.
    pub model: String,
    /// Put before every conversation.
    pub instructions: String,
    /// Where evidence comes from.
    pub vector_store_ids: Vec<String>,
    /// Passages per answer.
    pub max_num_results: i32,
    /// Passages with a lower score are not used.
    pub score_threshold: f64,
}

impl From<Assistant> for AssistantObject {
    fn from(
        Assistant {
            id,
            name,
            created_at,
            settings,
        }: Assistant,
    ) -> Self {
        Self {
            id: id.to_string(),
            object: "insula.assistant",
            created_at: seconds(created_at),
            name,
            model: settings.model,
            instructions: settings.instructions,
            vector_store_ids: settings
                .vector_store_ids
                .iter()
                .map(ToString::to_string)
                .collect(),
            max_num_results: settings.max_num_results,
            score_threshold: settings.score_threshold,
        }
    }
}

const DEFAULT_MAX_RESULTS: i32 = DEFAULT_RESULTS.cast_signed();

impl UpdateAssistant {
    /// The settings after the change.
    fn apply(self, mut settings: AssistantSettings) -> ApiResult<AssistantSettings> {
        if let Some(model) = self.model {
            settings.model = model;
        }
        self.instructions.apply(&mut settings.instructions, String::new());
        let stores = self
            .vector_store_ids
            .try_map(|ids| body_ids("vector_store_ids", &ids))?;
        stores.apply(&mut settings.vector_store_ids, Vec::new());
        self.max_num_results
            .apply(&mut settings.max_num_results, DEFAULT_MAX_RESULTS);
        self.score_threshold.apply(&mut settings.score_threshold, 0.0);
        Ok(settings)
    }
}

/// Makes an assistant.
#[utoipa::path(
    post, path = "/v1/insula/assistants", operation_id = "create_assistant", tag = "assistants",
    params(IdempotencyHeader), request_body = CreateAssistant, responses((status = OK, body = AssistantObject))
)]
pub async fn create_assistant(
    caller: Caller<AssistantsWrite>,
    State(app): State<App>,
    OnceJson(once, request): OnceJson<CreateAssistant>,
) -> ApiResult<Response> {
    let settings = AssistantSettings {
        model: request.model,
        instructions: request.instructions.unwrap_or_default(),
        vector_store_ids: body_ids("vector_store_ids", &request.vector_store_ids.unwrap_or_default())?,
        max_num_results: request.max_num_results.unwrap_or(DEFAULT_MAX_RESULTS),
        score_threshold: request.score_threshold.unwrap_or(0.0),
    };
    let mut tx = app.services.db.tenant(&caller).await?;
    if let Some(earlier) = once.earlier(&mut tx).await? {
        return Ok(earlier);
    }
    let services = &app.services;
    let assistant = assistant::create(
        &mut tx,
        &caller,
        &services.models,
        &services.routes,
        &request.name,
        settings,
    )
    .await?;
    once.answer(tx, &AssistantObject::from(assistant)).await
}

/// Lists assistants.
#[utoipa::path(
    get, path = "/v1/insula/assistants", operation_id = "list_assistants", tag = "assistants",
    params(ListQuery), responses((status = OK, body = List<AssistantObject>))
)]
pub async fn list_assistants(
    caller: Caller<AssistantsRead>,
    State(app): State<App>,
    Query(query): Query<ListQuery>,
) -> ApiResult<Json<List<AssistantObject>>> {
    let page = query.page(AssistantId::uuid)?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let listing = assistant::list(&mut tx, page).await?.map(AssistantObject::from);
    Ok(Json(List::new(listing.data, listing.has_more, |assistant| {
        assistant.id.clone()
    })))
}

/// Describes an assistant.
#[utoipa::path(
    get, path = "/v1/insula/assistants/{assistant_id}", operation_id = "get_assistant", tag = "assistants",
    params(("assistant_id" = String, Path, description = "Its id, `asst_…`")),
    responses((status = OK, body = AssistantObject))
)]
pub async fn get_assistant(
    caller: Caller<AssistantsRead>,
    State(app): State<App>,
    Path(id): Path<AssistantId>,
) -> ApiResult<Json<AssistantObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    Ok(Json(assistant::get(&mut tx, id).await?.into()))
}

/// Changes an assistant.
#[utoipa::path(
    post, path = "/v1/insula/assistants/{assistant_id}", operation_id = "update_assistant", tag = "assistants",
    params(("assistant_id" = String, Path, description = "Its id, `asst_…`")),
    request_body = UpdateAssistant, responses((status = OK, body = AssistantObject))
)]
pub async fn update_assistant(
    caller: Caller<AssistantsWrite>,
    State(app): State<App>,
    Path(id): Path<AssistantId>,
    Json(request): Json<UpdateAssistant>,
) -> ApiResult<Json<AssistantObject>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    let current = assistant::get(&mut tx, id).await?;
    tx.commit().await?;
    let settings = request.apply(current.settings)?;
    Ok(Json(
        assistant::update(&app.services, &caller, id, settings)
            .await?
            .into(),
    ))
}

/// Deletes an assistant. Its vector stores stay.
#[utoipa::path(
    delete, path = "/v1/insula/assistants/{assistant_id}", operation_id = "delete_assistant", tag = "assistants",
    params(("assistant_id" = String, Path, description = "Its id, `asst_…`")),
    responses((status = OK, body = Deleted))
)]
pub async fn delete_assistant(
    caller: Caller<AssistantsWrite>,
    State(app): State<App>,
    Path(id): Path<AssistantId>,
) -> ApiResult<Json<Deleted>> {
    let mut tx = app.services.db.tenant(&caller).await?;
    assistant::delete(&mut tx, id).await?;
    tx.commit().await?;
    Ok(Json(Deleted::new(id, "insula.assistant.deleted")))
}

#[cfg(test)]
mod tests {
    use super::*;
    use insula_tenancy::VectorStoreId;

    fn apply(body: &str) -> AssistantSettings {
        let settings = AssistantSettings {
            model: "m".into(),
            instructions: "i".into(),
            vector_store_ids: vec![VectorStoreId::generate()],
            max_num_results: 3,
            score_threshold: 0.5,
        };
        crate::http::parse_json::<UpdateAssistant>(body.as_bytes())
            .unwrap()
            .apply(settings)
            .unwrap()
    }

    #[test]
    fn an_update_changes_what_it_names_and_null_returns_to_the_default() {
        let kept = apply(r#"{"model": "n"}"#);
        assert_eq!(
            (
                kept.model.as_str(),
                kept.instructions.as_str(),
                kept.max_num_results
            ),
            ("n", "i", 3)
        );
        assert_eq!(kept.vector_store_ids.len(), 1);
        let cleared = apply(
            r#"{"model": null, "instructions": null, "vector_store_ids": null, "max_num_results": null, "score_threshold": null}"#,
        );
        let expected = AssistantSettings {
            model: "m".into(),
            instructions: String::new(),
            vector_store_ids: Vec::new(),
            max_num_results: DEFAULT_MAX_RESULTS,
            score_threshold: 0.0,
        };
        assert_eq!(cleared, expected);
    }
}
