//! `/v1/insula/scoped_tokens`: short-lived tokens for a tenant's own apps.

use std::time::Duration;

use axum::extract::State;
use insula_core::vector_store;
use insula_tenancy::scope_types::ScopedTokensWrite;
use insula_tenancy::token::{MAX_END_USER, MAX_LIFETIME, NewToken};
use insula_tenancy::{Scope, VectorStoreId};
use secrecy::ExposeSecret;
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::filter::FilterParam;
use super::ids::body_ids;
use crate::app::App;
use crate::http::validate::{count, name, optional_range};
use crate::http::{ApiResult, Caller, Json, PresentedKey};

/// What a token lives for unless the request says otherwise, in seconds.
const DEFAULT_LIFETIME: u64 = 3600;
/// Most vector stores of one token; it has to fit into a header.
const MAX_STORES: usize = 100;
/// Longest filter of one token, as JSON.
const MAX_FILTER_BYTES: usize = 4096;

/// A token to be made. It can do at most what the key can that makes it.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = MintScopedTokenRequest)]
pub struct MintScopedToken {
    /// What it may do.
    #[schema(min_items = 1)]
    pub scopes: Vec<TokenScope>,
    /// The only vector stores that it can reach. Absent: all.
    #[schema(max_items = 100)]
    pub vector_store_ids: Option<Vec<String>>,
    /// A filter that holds besides every search's own: `{"type": "eq", "key": "customer", "value": "c-17"}` shows that
    /// customer's files and no others.
    pub filters: Option<FilterParam>,
    /// The end user that it is for, in place of any `user` that a request names.
    #[schema(max_length = 256)]
    pub end_user: Option<String>,
    /// How long it lives, in seconds.
    #[schema(minimum = 1, maximum = 86400, default = 3600)]
    pub expires_in: Option<u64>,
}

/// A permission that a scoped token can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize, ToSchema)]
#[schema(as = ScopedTokenScope)]
pub enum TokenScope {
    /// List models.
    #[serde(rename = "models.read")]
    ModelsRead,
    /// Compute embeddings.
    #[serde(rename = "embeddings.write")]
    EmbeddingsWrite,
    /// Create chat completions.
    #[serde(rename = "chat.write")]
    ChatWrite,
    /// Read the responses and conversations of its end user.
    #[serde(rename = "responses.read")]
    ResponsesRead,
    /// Make, change and delete conversations of its end user; delete responses.
    #[serde(rename = "responses.write")]
    ResponsesWrite,
    /// Search vector stores, and answer from them.
    #[serde(rename = "vector_stores.read")]
    VectorStoresRead,
}

impl From<TokenScope> for Scope {
    fn from(scope: TokenScope) -> Self {
        match scope {
            TokenScope::ModelsRead => Self::ModelsRead,
            TokenScope::EmbeddingsWrite => Self::EmbeddingsWrite,
            TokenScope::ChatWrite => Self::ChatWrite,
            TokenScope::ResponsesRead => Self::ResponsesRead,
            TokenScope::ResponsesWrite => Self::ResponsesWrite,
            TokenScope::VectorStoresRead => Self::VectorStoresRead,
        }
    }
}

/// A token.
#[derive(Serialize, ToSchema)]
#[schema(as = ScopedToken)]
pub struct ScopedTokenObject {
    /// `insula.scoped_token`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// What is sent in place of an API key: `Authorization: Bearer …`. It is not kept here.
    pub token: String,
    /// Unix seconds of its end.
    pub expires_at: u64,
}

/// Makes a short-lived token that can do less than the key that makes it.
///
/// For a browser or an app of your own: it searches, chats and embeds within the bounds of its token, and reaches nothing
/// else. The token dies with the key. Whoever holds the key can also sign tokens without this server.
#[utoipa::path(
    post, path = "/v1/insula/scoped_tokens", operation_id = "mint_scoped_token", tag = "scoped tokens",
    request_body = MintScopedToken, responses((status = OK, body = ScopedTokenObject))
)]
pub async fn mint_scoped_token(
    caller: Caller<ScopedTokensWrite>,
    key: PresentedKey,
    State(app): State<App>,
    Json(request): Json<MintScopedToken>,
) -> ApiResult<Json<ScopedTokenObject>> {
    count("scopes", request.scopes.len(), 1..=Scope::ALL.len())?;
    let lifetime = optional_range("expires_in", request.expires_in, 1..=MAX_LIFETIME.as_secs())?;
    if let Some(end_user) = &request.end_user {
        name("end_user", end_user, MAX_END_USER)?;
    }
    let filter = request.filters.map(checked_filter).transpose()?;
    let vector_stores = match &request.vector_store_ids {
        Some(ids) => Some(known_stores(&app, &caller, ids).await?),
        None => None,
    };
    let new = NewToken {
        scopes: request.scopes.into_iter().map(Scope::from).collect(),
        vector_stores,
        filter,
        end_user: request.end_user,
        lifetime: Duration::from_secs(lifetime.unwrap_or(DEFAULT_LIFETIME)),
    };
    let made = app
        .authenticator
        .mint(key.secret(), new)
        .await
        .map_err(insula_core::Error::from)?;
    Ok(Json(ScopedTokenObject {
        object: "insula.scoped_token",
        token: made.token.expose_secret().to_owned(),
        expires_at: made.expires_at,
    }))
}

/// The filter as it goes into the token, once a search could be made with it.
fn checked_filter(filter: FilterParam) -> Result<serde_json::Value, insula_core::Error> {
    let json = serde_json::to_value(&filter).map_err(insula_core::Error::internal)?;
    filter.read("filters")?.check()?;
    if json.to_string().len() > MAX_FILTER_BYTES {
        return Err(insula_core::Error::invalid(
            "filters",
            format!("The filter of a scoped token can have at most {MAX_FILTER_BYTES} bytes."),
        ));
    }
    Ok(json)
}

/// The stores, all of which exist: a typo is found now and not by the end user.
async fn known_stores(
    app: &App,
    caller: &Caller<ScopedTokensWrite>,
    ids: &[String],
) -> ApiResult<Vec<VectorStoreId>> {
    count("vector_store_ids", ids.len(), 1..=MAX_STORES)?;
    let stores: Vec<VectorStoreId> = body_ids("vector_store_ids", ids)?;
    let mut tx = app.services.db.tenant(caller).await?;
    for (position, store) in stores.iter().enumerate() {
        let found = vector_store::get(&mut tx, *store).await;
        found.map_err(|error| error.about(format!("vector_store_ids[{position}]")))?;
    }
    Ok(stores)
}
