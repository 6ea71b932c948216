//! Every operation × a scoped token with all the scopes that its key has: a few let it in, all others refuse it.

use insula_tests::Client;
use serde_json::json;

use super::{Document, furnish, nobodys, two_models};

/// Operations whose every answer stays within the bounds of a token. One that is added here must do so by
/// `TenantContext::narrowing`.
const OPEN: [&str; 20] = [
    "create_chat_completion",
    "create_completion",
    "create_conversation",
    "create_conversation_items",
    "create_embedding",
    "create_response",
    "delete_conversation",
    "delete_conversation_item",
    "delete_response",
    "get_conversation",
    "get_conversation_item",
    "get_model",
    "get_response",
    "list_conversation_items",
    "list_conversations",
    "list_models",
    "list_response_input_items",
    "search_vector_store",
    "search_vector_stores",
    "update_conversation",
];

/// All that one of them needs.
const SCOPES: [&str; 6] = [
    "models.read",
    "embeddings.write",
    "chat.write",
    "responses.read",
    "responses.write",
    "vector_stores.read",
];

/// A client with a token of `client`'s key.
async fn token(client: &Client, body: serde_json::Value) -> Client {
    let minted = client.post("/v1/insula/scoped_tokens", body).await.ok();
    client.with_key(minted["token"].as_str().unwrap())
}

#[tokio::test]
async fn a_scoped_token_opens_what_heeds_its_bounds_and_nothing_else() {
    let app = two_models().await;
    let ada = app.tenant("ada").await;
    let ids = furnish(&app, &ada, "canary").await;
    let document = Document::fetch(&ada).await;
    let free = token(&ada, json!({"scopes": SCOPES, "end_user": "canary"})).await;
    let mut open = Vec::new();
    for operation in document.operations.iter().filter(|operation| !operation.public) {
        let answer = document.call(operation, &ids).send(&free).await;
        if answer.status == 403 {
            let error = answer.error();
            assert_eq!(error["type"], "permission_error", "{}", operation.id);
            assert!(
                error["message"].as_str().unwrap().contains("scoped token"),
                "{}: {error}",
                operation.id
            );
        } else {
            assert_eq!(answer.status, 200, "{}: {answer}", operation.id);
            open.push(operation.id.as_str());
        }
    }
    open.sort_unstable();
    assert_eq!(open, OPEN);
}

#[tokio::test]
async fn what_is_out_of_bounds_is_answered_like_what_never_was() {
    let app = two_models().await;
    let ada = app.tenant("ada").await;
    let (ids, nobodys) = (furnish(&app, &ada, "canary").await, nobodys());
    let other = ada.store("other", &[]).await;
    let document = Document::fetch(&ada).await;
    let narrow = token(&ada, json!({"scopes": SCOPES, "vector_store_ids": [other]})).await;
    let mut walked = 0;
    for operation in document
        .operations
        .iter()
        .filter(|operation| OPEN.contains(&operation.id.as_str()) && !document.kinds(operation).is_empty())
    {
        let mut told = Vec::new();
        for ids in [&ids, &nobodys] {
            let answer = document.call(operation, ids).send(&narrow).await;
            assert_eq!(answer.status, 404, "{}: {answer}", operation.id);
            let text = String::from_utf8_lossy(&answer.bytes).into_owned();
            told.push(ids.iter().fold(text, |text, (kind, id)| text.replace(id, kind)));
        }
        assert_eq!(told[0], told[1], "{}", operation.id);
        walked += 1;
    }
    assert!(walked >= 3, "only {walked} operations name something");
}
