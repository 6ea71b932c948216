//! `/v1/models`

use insula_tests::TestApp;
use serde_json::json;

#[tokio::test]
async fn models_and_ones_own_assistants_are_listed_and_described() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let new = json!({"name": "helper", "model": "insula/extractive"});
    ada.post("/v1/insula/assistants", new).await.ok();
    let list = ada.get("/v1/models").await.ok();
    let mut keys: Vec<&String> = list.as_object().unwrap().keys().collect();
    keys.sort();
    assert_eq!(keys, ["data", "object"]);
    let ids = |list: &serde_json::Value| -> Vec<String> {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|model| model["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(ids(&list), ["insula/extractive", "all-MiniLM-L6-v2", "helper"]);
    assert_eq!(
        ids(&bob.get("/v1/models").await.ok()),
        ["insula/extractive", "all-MiniLM-L6-v2"]
    );
    for model in list["data"].as_array().unwrap() {
        let mut keys: Vec<&String> = model.as_object().unwrap().keys().collect();
        keys.sort();
        assert_eq!(keys, ["created", "id", "object", "owned_by"]);
        assert!(model["created"].is_i64() && model["object"] == "model");
        let id = model["id"].as_str().unwrap();
        // SDKs do not encode the slash; others do.
        for path in [id.to_owned(), id.replace('/', "%2F")] {
            assert_eq!(
                &ada.get(&format!("/v1/models/{path}")).await.ok(),
                model,
                "{path}"
            );
        }
    }
}

#[tokio::test]
async fn an_unknown_model_and_a_foreign_assistant_are_not_found() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    ada.post(
        "/v1/insula/assistants",
        json!({"name": "helper", "model": "insula/extractive"}),
    )
    .await
    .ok();
    for name in ["helper", "gpt-99", "a/b/c", "insula%2Fnothing"] {
        let error = bob.get(&format!("/v1/models/{name}")).await.refused(404);
        assert_eq!(
            (&error["code"], &error["param"]),
            (&json!("model_not_found"), &json!("model")),
            "{name}"
        );
    }
    bob.delete("/v1/models/all-MiniLM-L6-v2").await.refused(405);
}
