//! `/v1/insula/assistants`

use insula_tests::TestApp;
use serde_json::json;

const PATH: &str = "/v1/insula/assistants";

#[tokio::test]
async fn an_assistant_is_made_changed_and_deleted() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let store = ada.store("s", &[]).await;
    let new = json!({"name": "helper", "model": "insula/extractive", "vector_store_ids": [store]});
    let made = ada.post(PATH, new.clone()).await.ok();
    let id = made["id"].as_str().unwrap();
    let expected = json!({
        "id": id, "object": "insula.assistant", "created_at": made["created_at"], "name": "helper",
        "model": "insula/extractive", "instructions": "", "vector_store_ids": [store], "max_num_results": 8,
        "score_threshold": 0.0,
    });
    assert_eq!(made, expected);
    let path = format!("{PATH}/{id}");
    assert_eq!(ada.get(&path).await.ok(), made);
    for answer in [
        bob.get(&path).await,
        bob.post(&path, json!({})).await,
        bob.delete(&path).await,
    ] {
        answer.refused(404);
    }

    let change = json!({"instructions": "Be brief.", "max_num_results": 3, "vector_store_ids": null});
    let changed = ada.post(&path, change).await.ok();
    assert_eq!(
        (&changed["instructions"], &changed["max_num_results"]),
        (&json!("Be brief."), &json!(3))
    );
    assert_eq!(changed["vector_store_ids"], json!([]));
    let reset = ada
        .post(&path, json!({"max_num_results": null, "instructions": null}))
        .await
        .ok();
    assert_eq!(
        (&reset["instructions"], &reset["max_num_results"]),
        (&json!(""), &json!(8))
    );

    assert_eq!(
        ada.delete(&path).await.ok(),
        json!({"id": id, "object": "insula.assistant.deleted", "deleted": true})
    );
    ada.get(&path).await.refused(404);
    ada.get(&format!("/v1/vector_stores/{store}")).await.ok();
    ada.post(PATH, new).await.ok();
}

#[tokio::test]
async fn names_are_ones_own_and_models_keep_theirs() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let named = |name: &str| json!({"name": name, "model": "insula/extractive"});
    ada.post(PATH, named("helper")).await.ok();
    bob.post(PATH, named("helper")).await.ok();
    for name in [
        "helper",
        "all-MiniLM-L6-v2",
        "insula/extractive",
        "",
        "-x",
        "a b",
        "a/b",
        &"x".repeat(129),
    ] {
        assert_eq!(
            ada.post(PATH, named(name)).await.refused(400)["param"],
            "name",
            "{name}"
        );
    }
}

#[tokio::test]
async fn settings_are_checked() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for (patch, status, param) in [
        (json!({"model": "gpt-99"}), 404, "model"),
        (json!({"model": "all-MiniLM-L6-v2"}), 404, "model"),
        (json!({"max_num_results": 0}), 400, "max_num_results"),
        (json!({"max_num_results": 51}), 400, "max_num_results"),
        (json!({"score_threshold": 1.5}), 400, "score_threshold"),
        (json!({"instructions": "x".repeat(65_537)}), 400, "instructions"),
        (json!({"instructions": "a\u{0}b"}), 400, "instructions"),
        (json!({"vector_store_ids": ["vs_x"]}), 404, "vector_store_ids[0]"),
    ] {
        let mut body = json!({"name": "helper", "model": "insula/extractive"});
        body.as_object_mut()
            .unwrap()
            .extend(patch.as_object().unwrap().clone());
        let error = ada.post(PATH, body).await.refused(status);
        assert_eq!(error["param"], param, "{error}");
    }
    assert_eq!(ada.get(PATH).await.ok()["data"], json!([]));
}

#[tokio::test]
async fn deleting_a_store_takes_it_out_of_assistants() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let (one, two) = (ada.store("one", &[]).await, ada.store("two", &[]).await);
    let new = json!({"name": "helper", "model": "insula/extractive", "vector_store_ids": [one, two]});
    let id = ada.post(PATH, new).await.ok()["id"].as_str().unwrap().to_owned();
    ada.delete(&format!("/v1/vector_stores/{one}")).await.ok();
    assert_eq!(
        ada.get(&format!("{PATH}/{id}")).await.ok()["vector_store_ids"],
        json!([two])
    );
}
