//! The OpenAPI document's frame, and the pages that show it.

use std::sync::Arc;

use axum::Router;
use axum::extract::{RawPathParams, State};
use axum::response::{IntoResponse, Redirect, Response};
use axum::routing::get;
use bytes::Bytes;
use http::{HeaderValue, Method, Uri, header};
use utoipa::OpenApi;
use utoipa::openapi::path::Operation;
use utoipa::openapi::security::{
    ApiKey, ApiKeyValue, HttpAuthScheme, HttpBuilder, SecurityRequirement, SecurityScheme,
};
use utoipa::openapi::{ContentBuilder, PathItem, Ref, RefOr, ResponseBuilder};
use utoipa_swagger_ui::{Config, SwaggerFile};

use crate::app::App;
use crate::http::{ApiError, ErrorBody, InferenceErrorBody};

/// Bodies as somebody would send them, by the operation's id.
const EXAMPLES: &str = include_str!("docs/examples.json");

#[derive(OpenApi)]
#[openapi(
    info(
        title = "Insula",
        description = "Multi-tenant semantic search and grounded chat, in OpenAI's shapes: any OpenAI SDK works with \
                       `base_url` set to this server's `/v1`. What OpenAI has no shape for is under `/v1/insula`.",
    ),
    servers((url = "/", description = "This server")),
    security(("api_key" = [])),
    tags(
        (name = "chat", description = "Answers, grounded in documents where stores are named"),
        (name = "responses", description = "Answers that can search, be kept, and be gone on from"),
        (name = "conversations", description = "Items that responses go on from and are added to"),
        (name = "embeddings", description = "Texts to vectors"),
        (name = "rerank", description = "Documents ranked by how well they answer a query"),
        (name = "moderations", description = "What should not be in a text"),
        (name = "batches", description = "Calls that are made in the background, within a day"),
        (name = "models", description = "Names that can be sent as `model`"),
        (name = "registry", description = "Models of your own: versions, what they must reach, and which of them answers"),
        (name = "predictions", description = "Models of your own, asked by rows, texts or images"),
        (name = "open inference protocol", description = "Models of your own, asked by tensors, as Triton's clients do. Errors are `{\"error\": \"…\"}`"),
        (name = "files", description = "Uploaded documents"),
        (name = "vector stores", description = "Searchable sets of files"),
        (name = "sources", description = "Web pages and sitemaps that are read into a vector store"),
        (name = "webhooks", description = "Addresses that are told about events"),
        (name = "assistants", description = "Presets that appear as models"),
        (name = "API keys", description = "Keys that a tenant makes for itself: they can do no more than whoever makes them"),
        (name = "scoped tokens", description = "Short-lived tokens that do less than the key that makes them"),
        (name = "provider keys", description = "Your own keys for the providers behind models; they are never shown again"),
        (name = "guardrails", description = "What may be sent to models, and what they may answer"),
        (name = "request logs", description = "Prompts and answers, for tenants that want them stored"),
        (name = "search analytics", description = "What was searched for and what was not found, for tenants that want queries kept"),
        (name = "jobs", description = "Background work: how far it is, why it failed; retry and cancel"),
        (name = "operator", description = "The install itself, for whoever runs it; these take the operator's keys"),
        (name = "organization", description = "The install as OpenAI's organization: projects are tenants. These take the operator's keys"),
        (name = "usage", description = "What was used and what it cost, by the ledger that enforces budgets"),
        (name = "audit logs", description = "Who changed what, when, and from where"),
        (name = "export", description = "All that a tenant has, to take away"),
        (name = "sessions", description = "Signing in to the dashboard. Its pages send a cookie in place of a key, to these operations and to all others that the person's role allows"),
        (name = "members", description = "Who works in the tenant, and whom it has invited"),
        (name = "health", description = "Probes; they need no key"),
    ),
    components(schemas(ErrorBody, InferenceErrorBody)),
)]
struct Frame;

/// Operations that need neither key nor session, because they are the way to one.
#[cfg(test)]
pub(crate) const OF_STRANGERS: [&str; 6] = [
    "accept_invitation",
    "accept_password_reset",
    "get_sign_in_options",
    "preview_invitation",
    "preview_password_reset",
    "sign_in",
];

/// Whose keys an operation takes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Door {
    /// A tenant's.
    Tenant,
    /// The operator's.
    Operator,
    /// Either: the operator sees all tenants, and a tenant itself.
    Both,
    /// None: it is about the session of a person.
    Person,
}

impl Door {
    /// Of the operation at a path.
    pub(crate) fn at(path: &str) -> Self {
        let below = |prefixes: &[&str]| prefixes.iter().any(|prefix| path.starts_with(prefix));
        if below(&[
            "/v1/organization/audit_logs",
            "/v1/organization/costs",
            "/v1/organization/usage/",
        ]) {
            Self::Both
        } else if below(&["/v1/insula/operator/", "/v1/organization/"]) {
            Self::Operator
        } else if path == "/v1/insula/session" || below(&["/v1/insula/session/", "/v1/insula/sessions"]) {
            Self::Person
        } else {
            Self::Tenant
        }
    }

    /// What the document says of it; `None`: what it says of all.
    fn security(self) -> Option<Vec<SecurityRequirement>> {
        let none: [&str; 0] = [];
        let schemes: &[&str] = match self {
            Self::Tenant => return None,
            Self::Operator => &["operator_key"],
            Self::Both => &["api_key", "operator_key"],
            Self::Person => &["session"],
        };
        Some(
            schemes
                .iter()
                .map(|scheme| SecurityRequirement::new(*scheme, none))
                .collect(),
        )
    }
}

/// The document before any route is in it.
pub(crate) fn base() -> utoipa::openapi::OpenApi {
    let mut document = Frame::openapi();
    let components = document.components.get_or_insert_default();
    let bearer = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some("An API key: `Authorization: Bearer isk_…`"))
        .build();
    components
        .security_schemes
        .insert("api_key".into(), SecurityScheme::Http(bearer).into());
    let operator = HttpBuilder::new()
        .scheme(HttpAuthScheme::Bearer)
        .description(Some(
            "A key of the operator's: `Authorization: Bearer iok_…` (`insula operator-key create`)",
        ))
        .build();
    components
        .security_schemes
        .insert("operator_key".into(), SecurityScheme::Http(operator).into());
    let cookie = ApiKeyValue::with_description(
        "insula-session",
        "What signing in gives to a browser; over TLS its name is __Host-insula-session",
    );
    components.security_schemes.insert(
        "session".into(),
        SecurityScheme::ApiKey(ApiKey::Cookie(cookie)).into(),
    );
    for name in ["Error", "InferenceError"] {
        let error = ContentBuilder::new()
            .schema(Some(Ref::from_schema_name(name)))
            .build();
        let error = ResponseBuilder::new()
            .description("What went wrong")
            .content("application/json", error)
            .build();
        components.responses.insert(name.into(), error.into());
    }
    document
}

/// What answers that are no success are, at a path.
pub(crate) fn error_at(path: &str) -> &'static str {
    match path == "/v2" || path.starts_with("/v2/") {
        true => "InferenceError",
        false => "Error",
    }
}

/// The document once all routes are in it: each gets the answers that it can always give. Probes speak for
/// themselves.
pub(crate) fn finish(mut document: utoipa::openapi::OpenApi) -> utoipa::openapi::OpenApi {
    // OpenAPI knows no wildcards: `{*model}` is `{model}` there.
    let examples = serde_json::from_str(EXAMPLES).unwrap_or_default();
    let paths = std::mem::take(&mut document.paths.paths);
    document.paths.paths = paths
        .into_iter()
        .map(|(path, item)| (path.replace("{*", "{"), item))
        .collect();
    for (path, operation) in document
        .paths
        .paths
        .iter_mut()
        .flat_map(|(path, item)| operations(item).map(move |operation| (path, operation)))
    {
        illustrate(operation, &examples);
        for (status, response) in &mut operation.responses.responses {
            // OpenAPI requires one; the schema behind it says the rest.
            if let RefOr::T(response) = response
                && response.description.is_empty()
            {
                response.description = if status == "200" { "Success" } else { "Not now" }.into();
            }
        }
        if path.contains("/health/") {
            continue;
        }
        for status in ["4XX", "5XX"] {
            let error = RefOr::Ref(Ref::from_response_name(error_at(path)));
            operation
                .responses
                .responses
                .entry(status.into())
                .or_insert(error);
        }
        if operation.security.is_none() {
            operation.security = Door::at(path).security();
        }
    }
    document
}

/// Gives requests their examples. The file is checked by a test: it cannot fail to be read.
fn illustrate(operation: &mut Operation, examples: &serde_json::Map<String, serde_json::Value>) {
    let example = operation.operation_id.as_ref().and_then(|id| examples.get(id));
    if let (Some(example), Some(RefOr::T(body))) = (example, &mut operation.request_body) {
        for content in body.content.values_mut() {
            if let RefOr::T(content) = content {
                content.example = Some(example.clone());
            }
        }
    }
}

fn operations(item: &mut PathItem) -> impl Iterator<Item = &mut Operation> {
    [
        &mut item.get,
        &mut item.post,
        &mut item.put,
        &mut item.patch,
        &mut item.delete,
    ]
    .into_iter()
    .flatten()
}

/// `/openapi.json`, and Swagger UI at `/docs/`, whose files are in the binary.
pub(crate) fn router(document: utoipa::openapi::OpenApi) -> Router<App> {
    let document = match document.to_pretty_json() {
        Ok(json) => Bytes::from(json + "\n"),
        Err(error) => {
            tracing::error!(%error, "the OpenAPI document cannot be written");
            Bytes::new()
        }
    };
    // No badge from elsewhere: the page must work without a network, and tells nobody who reads it.
    let config = Config::new(["/openapi.json"])
        .validator_url("none")
        .persist_authorization(false);
    let swagger = Arc::new(config.display_request_duration(true));
    let json = [(header::CONTENT_TYPE, HeaderValue::from_static("application/json"))];
    Router::new()
        .route(
            "/openapi.json",
            get(move || async move { (json, document.clone()) }),
        )
        .route("/docs", get(|| async { Redirect::permanent("/docs/") }))
        .route("/docs/", get(page).with_state(Arc::clone(&swagger)))
        .route("/docs/{*file}", get(page).with_state(swagger))
}

async fn page(
    State(config): State<Arc<Config<'static>>>,
    method: Method,
    uri: Uri,
    path: RawPathParams,
) -> Response {
    let file = path
        .iter()
        .next()
        .map(|(_, file)| file.to_owned())
        .unwrap_or_default();
    match utoipa_swagger_ui::serve(&file, config) {
        Ok(Some(SwaggerFile {
            bytes, content_type, ..
        })) => ([(header::CONTENT_TYPE, content_type)], bytes.into_owned()).into_response(),
        Ok(None) => ApiError::UnknownUrl(method, uri.path().to_owned()).into_response(),
        Err(error) => ApiError::from(insula_core::Error::internal(error.to_string())).into_response(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Map, Value};

    use super::EXAMPLES;

    #[test]
    fn examples_are_of_operations_and_have_their_fields() {
        let examples: Map<String, Value> = serde_json::from_str(EXAMPLES).unwrap();
        let document: Value = serde_json::from_str(&crate::router::openapi_json().unwrap()).unwrap();
        let mut shown = 0;
        let items = document["paths"].as_object().unwrap().values();
        for operation in items.flat_map(|item| item.as_object().unwrap().values()) {
            let body = &operation["requestBody"]["content"]["application/json"];
            let id = operation["operationId"].as_str().unwrap();
            let Some(example) = examples.get(id) else { continue };
            assert_eq!(&body["example"], example, "{id}");
            let schema = document
                .pointer(&body["schema"]["$ref"].as_str().unwrap()[1..])
                .unwrap();
            for field in example.as_object().unwrap().keys() {
                assert!(schema["properties"].get(field).is_some(), "{id} has no '{field}'");
            }
            for field in schema["required"].as_array().into_iter().flatten() {
                assert!(
                    example.get(field.as_str().unwrap()).is_some(),
                    "{id} lacks {field}"
                );
            }
            shown += 1;
        }
        assert_eq!(shown, examples.len(), "an example is of no operation");
    }
}
