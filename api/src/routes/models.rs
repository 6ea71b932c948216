//! `/v1/models`

use axum::extract::{RawPathParams, State};
use insula_core::page::Page;
use insula_core::route::{RouteKind, tenant};
use insula_core::{Error, assistant};
use insula_tenancy::TenantContext;
use insula_tenancy::scope_types::ModelsRead;
use serde::Serialize;
use utoipa::ToSchema;

use super::wire::seconds;
use crate::app::App;
use crate::http::{AnyCaller, ApiResult, Json};

/// A name that can be sent as `model`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Model)]
pub struct ModelObject {
    /// The name.
    pub id: String,
    /// `model`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// Unix seconds; 0 for models of the server, which have no date.
    pub created: i64,
    /// Who serves it; `assistant` for the tenant's own assistants.
    pub owned_by: String,
}

/// All models.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListModelsResponse)]
pub struct ModelList {
    /// `list`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The models: chat, embeddings, assistants.
    pub data: Vec<ModelObject>,
}

impl ModelObject {
    fn of_server(id: &str, owned_by: &str) -> Self {
        Self {
            id: id.to_owned(),
            object: "model",
            created: 0,
            owned_by: owned_by.to_owned(),
        }
    }
}

impl From<assistant::Assistant> for ModelObject {
    fn from(assistant: assistant::Assistant) -> Self {
        Self {
            id: assistant.name,
            object: "model",
            created: seconds(assistant.created_at),
            owned_by: "assistant".into(),
        }
    }
}

/// More assistants than a picker can show.
const MAX_ASSISTANTS: i64 = 1000;

/// Lists the models of the server and the tenant's assistants.
#[utoipa::path(
    get, path = "/v1/models", operation_id = "list_models", tag = "models",
    responses((status = OK, body = ModelList))
)]
pub async fn list_models(
    caller: AnyCaller<ModelsRead>,
    State(app): State<App>,
) -> ApiResult<Json<ModelList>> {
    let mut data = of_server(&app, &caller).await?;
    let mut tx = app.services.db.tenant(&caller).await?;
    let assistants = assistant::list(&mut tx, Page::first(MAX_ASSISTANTS)).await?;
    let visible = assistants
        .data
        .into_iter()
        .filter_map(|assistant| assistant::within(&caller, assistant));
    data.extend(visible.map(ModelObject::from));
    Ok(Json(ModelList { object: "list", data }))
}

/// Describes a model.
// A wildcard, because not every client encodes the slash of a name.
#[utoipa::path(
    get, path = "/v1/models/{*model}", operation_id = "get_model", tag = "models",
    params(("model" = String, Path, description = "Its name; a slash in it may be encoded or not")),
    responses((status = OK, body = ModelObject))
)]
pub async fn get_model(
    caller: AnyCaller<ModelsRead>,
    State(app): State<App>,
    path: RawPathParams,
) -> ApiResult<Json<ModelObject>> {
    let name = path.iter().next().map(|(_, name)| name).unwrap_or_default();
    if let Some(model) = of_server(&app, &caller)
        .await?
        .into_iter()
        .find(|model| model.id == name)
    {
        return Ok(Json(model));
    }
    // The database would stumble over a NUL, and no assistant has one in its name.
    if !name.contains('\0') {
        let mut tx = app.services.db.tenant(&caller).await?;
        let found = assistant::find_by_name(&mut tx, name).await?;
        if let Some(assistant) = found.and_then(|found| assistant::within(&caller, found)) {
            return Ok(Json(assistant.into()));
        }
    }
    let shown: String = name.chars().filter(|c| !c.is_control()).take(100).collect();
    Err(Error::model_not_found(&shown).into())
}

/// What the operator serves, as it is for the caller's tenant.
async fn of_server(app: &App, cx: &TenantContext) -> Result<Vec<ModelObject>, Error> {
    let routes = tenant::list(&app.services, cx).await?;
    let routed = routes
        .iter()
        // Embedding models are registered, and among the embedders.
        .filter(|effective| !matches!(effective.choice.route.kind, RouteKind::Embeddings(_)))
        .map(|effective| ModelObject::of_server(&effective.model, &effective.choice.route.owned_by));
    let mut models: Vec<ModelObject> = routed.collect();
    let embedders = app.services.models.embedders();
    let embedders = embedders.map(|(name, model)| (name, &model.embedder.card().owned_by));
    let judges = app.services.models.judges();
    let judges = judges.map(|card| (card.id.as_str(), &card.owned_by));
    for (name, owned_by) in embedders.chain(judges) {
        if tenant::permits(&app.services, cx, name).await? {
            models.push(ModelObject::of_server(name, owned_by));
        }
    }
    Ok(models)
}
