//! Every route, on one page. A route is here or it does not exist: the OpenAPI document is made of the same lines.

use std::collections::HashMap;
use std::sync::Arc;

use axum::Router;
use axum::extract::DefaultBodyLimit;
use axum::middleware::from_fn_with_state;
use http::Method;
use utoipa::openapi::OpenApi;
use utoipa_axum::router::OpenApiRouter;
use utoipa_axum::routes;

use crate::app::App;
use crate::config::ServeArgs;
use crate::dashboard;
use crate::docs;
use crate::http::OperationId;
use crate::http::layers::{self, JSON_LIMIT, LARGE_JSON_LIMIT, Operations, deadline};
use crate::routes::account::{self, session};
use crate::routes::{
    accesses, api_keys as own_keys, assistants, batches, budgets, chat, chunks, completions, conversations,
    embeddings, export, file_batches, files, guardrails, health, jobs, mcp, migrations, model_routes, models,
    moderations, operator,
    operator::tenants,
    organization::{
        admin_api_keys, api_keys, audit_logs, invites, model_permissions, projects, rate_limits, reports,
        service_accounts, spend, users,
    },
    predictions, provider_keys, registry, request_logs, rerank, responses, scoped_tokens, search,
    search_analytics, sources, storage_usage, uploads, usage, vector_store_files, vector_stores, webhooks,
};

/// A multipart body is a little larger than the file in it.
const MULTIPART_OVERHEAD: usize = 1024 * 1024;

/// The service: all routes with their limits, documentation, and the layers around them.
pub fn router(app: App, args: &ServeArgs) -> Router {
    let secure = app.site.is_secure();
    all(args, secure).with_state(app)
}

fn all(args: &ServeArgs, secure: bool) -> Router<App> {
    let (router, document) = documented(args).split_for_parts();
    let router = router
        .route_layer(from_fn_with_state(operations(&document), layers::name_operation))
        .merge(docs::router(docs::finish(document)))
        .merge(mcp::router(args))
        .merge(account::oidc::router())
        .merge(dashboard::router());
    layers::wrap(router, args, secure)
}

/// The ids of the documented operations, by method and path.
fn operations(document: &OpenApi) -> Operations {
    let mut operations = HashMap::new();
    for (path, item) in &document.paths.paths {
        let methods = [
            (Method::GET, &item.get),
            (Method::PUT, &item.put),
            (Method::POST, &item.post),
            (Method::DELETE, &item.delete),
        ];
        for (method, operation) in methods {
            if let Some(id) = operation
                .as_ref()
                .and_then(|operation| operation.operation_id.as_deref())
            {
                operations.insert((method, path.clone()), OperationId(id.into()));
            }
        }
    }
    Arc::new(operations)
}

/// The OpenAPI document.
pub fn openapi() -> OpenApi {
    docs::finish(documented(&ServeArgs::default()).into_openapi())
}

/// The OpenAPI document as it is committed and served.
///
/// # Errors
/// When it cannot be written as JSON, which no document of ours is.
pub fn openapi_json() -> serde_json::Result<String> {
    openapi().to_pretty_json().map(|json| json + "\n")
}

fn documented(args: &ServeArgs) -> OpenApiRouter<App> {
    let quick = from_fn_with_state(args.request_timeout, deadline);
    let long = from_fn_with_state(args.long_request_timeout, deadline);

    let resources = OpenApiRouter::with_openapi(docs::base())
        .routes(routes!(health::get_liveness))
        .routes(routes!(health::get_readiness))
        .routes(routes!(models::list_models))
        .routes(routes!(models::get_model))
        .routes(routes!(model_routes::list_routes))
        .routes(routes!(
            model_routes::set_route_override,
            model_routes::delete_route_override
        ))
        .routes(routes!(files::list_files))
        .routes(routes!(files::get_file, files::delete_file))
        .routes(routes!(uploads::create_upload))
        .routes(routes!(uploads::cancel_upload))
        .routes(routes!(storage_usage::get_storage_usage))
        .routes(routes!(batches::create_batch, batches::list_batches))
        .routes(routes!(batches::get_batch))
        .routes(routes!(batches::cancel_batch))
        .routes(routes!(
            vector_stores::create_vector_store,
            vector_stores::list_vector_stores
        ))
        .routes(routes!(
            vector_stores::get_vector_store,
            vector_stores::update_vector_store,
            vector_stores::delete_vector_store
        ))
        .routes(routes!(responses::get_response, responses::delete_response))
        .routes(routes!(responses::cancel_response))
        .routes(routes!(responses::list_response_input_items))
        .routes(routes!(
            conversations::create_conversation,
            conversations::list_conversations
        ))
        .routes(routes!(
            conversations::get_conversation,
            conversations::update_conversation,
            conversations::delete_conversation
        ))
        .routes(routes!(
            conversations::create_conversation_items,
            conversations::list_conversation_items
        ))
        .routes(routes!(
            conversations::get_conversation_item,
            conversations::delete_conversation_item
        ))
        .routes(routes!(
            conversations::get_conversation_retention,
            conversations::put_conversation_retention
        ))
        .routes(routes!(search::search_vector_store))
        .routes(routes!(search::search_vector_stores))
        .routes(routes!(search::index::get_vector_store_index))
        .routes(routes!(
            vector_store_files::create_vector_store_file,
            vector_store_files::list_vector_store_files
        ))
        .routes(routes!(
            vector_store_files::get_vector_store_file,
            vector_store_files::update_vector_store_file,
            vector_store_files::delete_vector_store_file
        ))
        .routes(routes!(vector_store_files::get_vector_store_file_content))
        .routes(routes!(file_batches::get_vector_store_file_batch))
        .routes(routes!(file_batches::cancel_vector_store_file_batch))
        .routes(routes!(file_batches::list_vector_store_file_batch_files))
        .routes(routes!(chunks::list_vector_store_file_chunks))
        .routes(routes!(
            chunks::get_vector_store_chunk,
            chunks::update_vector_store_chunk
        ))
        .routes(routes!(sources::create_source, sources::list_sources))
        .routes(routes!(sources::get_source, sources::delete_source))
        .routes(routes!(sources::list_source_pages))
        .routes(routes!(sources::refresh_source))
        .routes(routes!(webhooks::create_webhook, webhooks::list_webhooks))
        .routes(routes!(
            webhooks::get_webhook,
            webhooks::update_webhook,
            webhooks::delete_webhook
        ))
        .routes(routes!(webhooks::rotate_webhook_secret))
        .routes(routes!(webhooks::test_webhook))
        .routes(routes!(webhooks::list_webhook_deliveries))
        .routes(routes!(guardrails::get_guardrails, guardrails::update_guardrails))
        .routes(routes!(
            request_logs::get_request_logging,
            request_logs::update_request_logging
        ))
        .routes(routes!(request_logs::list_request_logs))
        .routes(routes!(request_logs::get_request_log))
        .routes(routes!(search_analytics::get_search_analytics))
        .routes(routes!(
            search_analytics::get_search_analytics_settings,
            search_analytics::update_search_analytics_settings
        ))
        .routes(routes!(migrations::migrate_vector_store))
        .routes(routes!(migrations::list_vector_store_migrations))
        .routes(routes!(migrations::get_vector_store_migration))
        .routes(routes!(migrations::cancel_vector_store_migration))
        .routes(routes!(migrations::switch_vector_store_migration))
        .routes(routes!(migrations::roll_back_vector_store_migration))
        .routes(routes!(migrations::finish_vector_store_migration))
        .routes(routes!(assistants::create_assistant, assistants::list_assistants))
        .routes(routes!(
            assistants::get_assistant,
            assistants::update_assistant,
            assistants::delete_assistant
        ))
        .routes(routes!(
            registry::create_registered_model,
            registry::list_registered_models
        ))
        .routes(routes!(
            registry::get_registered_model,
            registry::update_registered_model,
            registry::delete_registered_model
        ))
        .routes(routes!(registry::versions::list_model_versions))
        .routes(routes!(
            registry::versions::get_model_version,
            registry::versions::delete_model_version
        ))
        .routes(routes!(registry::aliases::roll_back_model))
        .routes(routes!(registry::aliases::end_model_canary))
        .routes(routes!(registry::aliases::list_model_activations))
        .routes(routes!(predictions::inference::get_inference_server))
        .routes(routes!(predictions::inference::get_inference_liveness))
        .routes(routes!(predictions::inference::get_inference_readiness))
        .routes(routes!(predictions::inference::get_inference_model))
        .routes(routes!(predictions::inference::get_inference_model_readiness))
        .routes(routes!(predictions::inference::get_inference_model_version))
        .routes(routes!(
            predictions::inference::get_inference_model_version_readiness
        ))
        .routes(routes!(own_keys::create_api_key, own_keys::list_api_keys))
        .routes(routes!(
            own_keys::get_api_key,
            own_keys::update_api_key,
            own_keys::delete_api_key
        ))
        .routes(routes!(own_keys::rotate_api_key))
        .routes(routes!(scoped_tokens::mint_scoped_token))
        .routes(routes!(
            provider_keys::create_provider_key,
            provider_keys::list_provider_keys
        ))
        .routes(routes!(provider_keys::delete_provider_key))
        .routes(routes!(operator::routes::list_operator_routes))
        .routes(routes!(operator::routes::reload_routes))
        .routes(routes!(operator::prices::list_prices))
        .routes(routes!(tenants::list_tenants, tenants::create_tenant))
        .routes(routes!(tenants::get_tenant))
        .routes(routes!(tenants::suspend_tenant))
        .routes(routes!(tenants::resume_tenant))
        .routes(routes!(operator::accesses::open_tenant_access))
        .routes(routes!(operator::accesses::list_operator_accesses))
        .routes(routes!(operator::accesses::end_operator_access))
        .routes(routes!(operator::erasures::erase_tenant))
        .routes(routes!(operator::erasures::list_erasures))
        .routes(routes!(operator::erasures::get_erasure))
        .routes(routes!(operator::people::reset_password))
        .routes(routes!(operator::health::get_install_health))
        .routes(routes!(operator::jobs::list_operator_jobs))
        .routes(routes!(operator::jobs::retry_operator_jobs))
        .routes(routes!(operator::limits::list_plans))
        .routes(routes!(operator::limits::put_plan, operator::limits::delete_plan))
        .routes(routes!(
            operator::limits::get_tenant_limits,
            operator::limits::put_tenant_limits
        ))
        .routes(routes!(
            operator::budgets::get_tenant_budgets,
            operator::budgets::put_tenant_budgets
        ))
        .routes(routes!(projects::list_projects, projects::create_project))
        .routes(routes!(projects::get_project, projects::update_project))
        .routes(routes!(projects::archive_project))
        .routes(routes!(
            admin_api_keys::list_admin_api_keys,
            admin_api_keys::create_admin_api_key
        ))
        .routes(routes!(
            admin_api_keys::get_admin_api_key,
            admin_api_keys::delete_admin_api_key
        ))
        .routes(routes!(api_keys::list_project_api_keys))
        .routes(routes!(
            api_keys::get_project_api_key,
            api_keys::update_project_api_key,
            api_keys::delete_project_api_key
        ))
        .routes(routes!(
            service_accounts::list_project_service_accounts,
            service_accounts::create_project_service_account
        ))
        .routes(routes!(
            service_accounts::get_project_service_account,
            service_accounts::update_project_service_account,
            service_accounts::delete_project_service_account
        ))
        .routes(routes!(service_accounts::create_project_service_account_api_key))
        .routes(routes!(rate_limits::list_project_rate_limits))
        .routes(routes!(rate_limits::update_project_rate_limit))
        .routes(routes!(
            model_permissions::get_project_model_permissions,
            model_permissions::update_project_model_permissions,
            model_permissions::delete_project_model_permissions
        ))
        .routes(routes!(
            spend::get_project_spend_limit,
            spend::update_project_spend_limit,
            spend::delete_project_spend_limit
        ))
        .routes(routes!(
            spend::list_project_spend_alerts,
            spend::create_project_spend_alert
        ))
        .routes(routes!(
            spend::get_project_spend_alert,
            spend::update_project_spend_alert,
            spend::delete_project_spend_alert
        ))
        .routes(routes!(users::list_project_users, users::create_project_user))
        .routes(routes!(
            users::get_project_user,
            users::update_project_user,
            users::delete_project_user
        ))
        .routes(routes!(users::list_users))
        .routes(routes!(users::get_user, users::update_user, users::delete_user))
        .routes(routes!(invites::list_invites, invites::create_invite))
        .routes(routes!(invites::get_invite, invites::delete_invite))
        .routes(routes!(reports::get_usage_completions))
        .routes(routes!(reports::get_usage_embeddings))
        .routes(routes!(reports::get_usage_moderations))
        .routes(routes!(reports::get_usage_vector_stores))
        .routes(routes!(reports::get_usage_file_search_calls))
        .routes(routes!(reports::get_costs))
        .routes(routes!(audit_logs::list_audit_logs))
        .routes(routes!(accesses::list_accesses))
        .routes(routes!(accesses::end_access))
        .routes(routes!(account::oidc::get_sign_in_options))
        .routes(routes!(session::sign_in, session::get_session, session::sign_out))
        .routes(routes!(session::choose_tenant))
        .routes(routes!(session::change_password))
        .routes(routes!(session::update_profile))
        .routes(routes!(account::sessions::list_sessions))
        .routes(routes!(account::sessions::delete_session))
        .routes(routes!(account::invitations::preview_invitation))
        .routes(routes!(account::invitations::accept_invitation))
        .routes(routes!(account::password_resets::preview_password_reset))
        .routes(routes!(account::password_resets::accept_password_reset))
        .routes(routes!(account::members::list_members))
        .routes(routes!(
            account::members::update_member,
            account::members::delete_member
        ))
        .routes(routes!(
            account::invites::invite_member,
            account::invites::list_member_invites
        ))
        .routes(routes!(account::invites::delete_member_invite))
        .routes(routes!(budgets::create_budget, budgets::list_budgets))
        .routes(routes!(
            budgets::get_budget,
            budgets::update_budget,
            budgets::delete_budget
        ))
        .routes(routes!(usage::list_usage))
        .routes(routes!(usage::list_usage_events))
        .routes(routes!(usage::get_usage_event))
        .routes(routes!(usage::get_usage_retention, usage::put_usage_retention))
        .routes(routes!(jobs::list_jobs))
        .routes(routes!(jobs::retry_jobs))
        .routes(routes!(jobs::get_job))
        .routes(routes!(jobs::cancel_job))
        .routes(routes!(jobs::retry_job))
        .routes(routes!(jobs::get_job_events))
        .route_layer(DefaultBodyLimit::max(JSON_LIMIT))
        .route_layer(quick);

    // Large bodies, and answers that take their time.
    let inference = OpenApiRouter::new()
        .routes(routes!(chat::create_chat_completion))
        .routes(routes!(completions::create_completion))
        .routes(routes!(responses::create_response))
        .routes(routes!(embeddings::create_embedding))
        .routes(routes!(rerank::create_rerank))
        .routes(routes!(moderations::create_moderation))
        .routes(routes!(file_batches::create_vector_store_file_batch))
        .routes(routes!(chunks::create_vector_store_chunks))
        .route_layer(DefaultBodyLimit::max(LARGE_JSON_LIMIT))
        .route_layer(long.clone());

    let predictions = OpenApiRouter::new()
        .routes(routes!(predictions::predict))
        .routes(routes!(predictions::inference::infer))
        .routes(routes!(predictions::inference::infer_by_version))
        .routes(routes!(registry::aliases::activate_model_version))
        .route_layer(DefaultBodyLimit::max(
            args.max_prediction_bytes.saturating_add(MULTIPART_OVERHEAD),
        ))
        .route_layer(long.clone());

    let models = OpenApiRouter::new()
        .routes(routes!(registry::versions::create_model_version))
        .route_layer(DefaultBodyLimit::max(
            args.max_model_bytes.saturating_add(MULTIPART_OVERHEAD),
        ))
        .route_layer(long.clone());

    let transfers = OpenApiRouter::new()
        .routes(routes!(files::create_file))
        .routes(routes!(files::get_file_content))
        .routes(routes!(export::download_export))
        .route_layer(DefaultBodyLimit::max(
            args.max_upload_bytes.saturating_add(MULTIPART_OVERHEAD),
        ))
        .route_layer(long.clone());

    let parts = OpenApiRouter::new()
        .routes(routes!(uploads::create_upload_part))
        .route_layer(DefaultBodyLimit::max(uploads::PART_BODY_LIMIT))
        .route_layer(long.clone());

    let assembly = OpenApiRouter::new()
        .routes(routes!(uploads::complete_upload))
        .route_layer(DefaultBodyLimit::max(JSON_LIMIT))
        .route_layer(long);

    let transfers = transfers
        .merge(parts)
        .merge(assembly)
        .merge(models)
        .merge(predictions);
    resources.merge(inference).merge(transfers)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::Value;

    fn document() -> Value {
        serde_json::from_str(&openapi_json().unwrap()).unwrap()
    }

    fn operations(document: &Value) -> Vec<(String, &Value)> {
        let paths = document["paths"].as_object().unwrap();
        let operations = paths.iter().flat_map(|(path, item)| {
            item.as_object()
                .unwrap()
                .iter()
                .map(move |(method, operation)| (format!("{method} {path}"), operation))
        });
        operations.collect()
    }

    #[test]
    fn routes_do_not_overlap() {
        // axum panics on a conflict.
        let _: Router<App> = all(&ServeArgs::default(), false);
    }

    #[test]
    fn the_document_is_the_same_every_time() {
        assert_eq!(openapi_json().unwrap(), openapi_json().unwrap());
    }

    #[test]
    fn every_operation_is_named_described_and_says_how_it_fails() {
        let document = document();
        let mut ids = std::collections::BTreeSet::new();
        for (name, operation) in operations(&document) {
            assert!(
                ids.insert(operation["operationId"].as_str().unwrap()),
                "{name}: its id is taken"
            );
            assert!(
                operation["summary"]
                    .as_str()
                    .is_some_and(|text| text.ends_with('.')),
                "{name} has no summary"
            );
            assert_eq!(operation["tags"].as_array().unwrap().len(), 1, "{name}");
            let probe = name.contains("/health/");
            for response in operation["responses"].as_object().unwrap().values() {
                assert!(
                    response.get("description").is_some_and(|text| text != "")
                        || response.get("$ref").is_some()
                );
            }
            let path = name.split(' ').next_back().unwrap();
            let error = format!("#/components/responses/{}", docs::error_at(path));
            for status in ["4XX", "5XX"] {
                let error = operation["responses"][status]["$ref"] == error.as_str();
                assert!(error || probe, "{name} does not document {status}");
            }
            let id = operation["operationId"].as_str().unwrap();
            let public = probe || docs::OF_STRANGERS.contains(&id);
            let security = match (public, docs::Door::at(path)) {
                (true, _) => Some(serde_json::json!([{}])),
                (_, docs::Door::Person) => Some(serde_json::json!([{"session": []}])),
                (_, docs::Door::Operator) => Some(serde_json::json!([{"operator_key": []}])),
                (_, docs::Door::Both) => Some(serde_json::json!([{"api_key": []}, {"operator_key": []}])),
                (_, docs::Door::Tenant) => None,
            };
            assert_eq!(
                operation.get("security"),
                security.as_ref(),
                "{name}: all but the probes and signing in need a key"
            );
        }
        assert_eq!(document["security"][0]["api_key"], serde_json::json!([]));
        assert_eq!(
            document["components"]["securitySchemes"]["api_key"]["scheme"],
            "bearer"
        );
        assert_eq!(
            document["components"]["securitySchemes"]["operator_key"]["scheme"],
            "bearer"
        );
    }

    #[test]
    fn every_reference_leads_somewhere() {
        fn references<'a>(value: &'a Value, found: &mut Vec<&'a str>) {
            match value {
                Value::Object(object) => {
                    found.extend(object.get("$ref").and_then(Value::as_str));
                    object.values().for_each(|value| references(value, found));
                }
                Value::Array(items) => items.iter().for_each(|value| references(value, found)),
                _ => {}
            }
        }
        let document = document();
        let mut found = Vec::new();
        references(&document, &mut found);
        assert!(!found.is_empty());
        for reference in found {
            assert!(document.pointer(&reference[1..]).is_some(), "{reference}");
        }
    }
}
