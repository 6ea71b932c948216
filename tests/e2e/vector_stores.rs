//! `/v1/vector_stores`

use insula_tests::TestApp;
use serde_json::{Value, json};

#[tokio::test]
async fn an_empty_body_makes_a_store_with_every_key_that_clients_read() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let store = ada.post("/v1/vector_stores", json!({})).await.ok();
    let (id, created_at) = (
        store["id"].as_str().unwrap(),
        store["created_at"].as_i64().unwrap(),
    );
    assert!(id.starts_with("vs_"));
    let expected = json!({
        "id": id, "object": "vector_store", "created_at": created_at, "name": "", "usage_bytes": 0,
        "file_counts": {"in_progress": 0, "completed": 0, "failed": 0, "cancelled": 0, "total": 0},
        "status": "completed", "last_active_at": created_at, "metadata": {}, "embedding_model": "all-MiniLM-L6-v2",
    });
    assert_eq!(store, expected);
    let path = format!("/v1/vector_stores/{id}");
    assert_eq!(ada.get(&path).await.ok(), store);
    bob.get(&path).await.refused(404);
    bob.post(&path, json!({"name": "mine now"})).await.refused(404);
    bob.delete(&path).await.refused(404);
    assert_eq!(ada.get(&path).await.ok(), store, "untouched");
    assert_eq!(
        ada.delete(&path).await.ok(),
        json!({"id": id, "object": "vector_store.deleted", "deleted": true})
    );
    ada.get(&path).await.refused(404);
}

#[tokio::test]
async fn an_update_changes_what_it_names_and_null_clears() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let new = json!({
        "name": "Handbook", "description": "Rules", "metadata": {"team": "a", "year": "2026"},
        "expires_after": {"anchor": "last_active_at", "days": 7},
    });
    let store = ada.post("/v1/vector_stores", new).await.ok();
    let path = format!("/v1/vector_stores/{}", store["id"].as_str().unwrap());
    assert_eq!(
        store["expires_after"],
        json!({"anchor": "last_active_at", "days": 7})
    );
    let week = 7 * 24 * 3600;
    assert_eq!(
        store["expires_at"].as_i64().unwrap(),
        store["last_active_at"].as_i64().unwrap() + week
    );

    let updated = ada.post(&path, json!({"metadata": {"team": "b"}})).await.ok();
    assert_eq!(
        updated["metadata"],
        json!({"team": "b"}),
        "the whole map is replaced"
    );
    assert_eq!(
        (&updated["name"], &updated["description"]),
        (&json!("Handbook"), &json!("Rules"))
    );
    let cleared = json!({"name": null, "metadata": null, "expires_after": null, "description": null});
    let cleared = ada.post(&path, cleared).await.ok();
    assert_eq!((&cleared["name"], &cleared["metadata"]), (&json!(""), &json!({})));
    for gone in ["expires_after", "expires_at", "description"] {
        assert_eq!(cleared.get(gone), None, "{gone}");
    }
    assert_eq!(ada.get(&path).await.ok(), cleared);
}

#[tokio::test]
async fn values_out_of_range_are_refused_by_name() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let many: Value = (0..17)
        .map(|n| (format!("k{n}"), json!("v")))
        .collect::<serde_json::Map<_, _>>()
        .into();
    let days = |days: i32| json!({"expires_after": {"anchor": "last_active_at", "days": days}});
    for (body, param) in [
        (json!({"metadata": many}), "metadata"),
        (json!({"metadata": {"k".repeat(65): "v"}}), "metadata"),
        (json!({"metadata": {"k": "v".repeat(513)}}), "metadata"),
        (json!({"metadata": {"k": 1}}), "metadata"),
        (days(0), "expires_after.days"),
        (days(366), "expires_after.days"),
        (
            json!({"expires_after": {"anchor": "created_at", "days": 1}}),
            "expires_after.anchor",
        ),
        (json!({"file_ids": vec!["file-x"; 501]}), "file_ids"),
        (json!({"name": 7}), "name"),
        (json!({"embedding_model": "insula/extractive"}), "embedding_model"),
        (
            json!({"chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 99, "chunk_overlap_tokens": 0}}}),
            "chunking_strategy.static.max_chunk_size_tokens",
        ),
    ] {
        let answer = ada.post("/v1/vector_stores", body.clone()).await;
        assert!([400, 404].contains(&answer.status), "{body}: {answer}");
        let given = answer.error()["param"].as_str().unwrap_or_default().to_owned();
        assert!(given.starts_with(param), "{body}: {answer}");
    }
    assert_eq!(
        ada.get("/v1/vector_stores").await.ok()["data"],
        json!([]),
        "nothing was made on the way"
    );
}

#[tokio::test]
async fn files_named_at_creation_are_attached_and_an_unknown_one_makes_no_store() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let (a, b) = (
        ada.upload("a.txt", "Apples.").await,
        ada.upload("b.txt", "Bananas.").await,
    );
    let store = ada.store("fruit", &[&a, &b]).await;
    let path = format!("/v1/vector_stores/{store}");
    let waiting = ada.get(&path).await.ok();
    assert_eq!(
        (&waiting["status"], &waiting["file_counts"]["in_progress"]),
        (&json!("in_progress"), &json!(2))
    );
    app.run_jobs().await;
    let ready = ada.get(&path).await.ok();
    assert_eq!(
        (&ready["status"], &ready["file_counts"]["completed"]),
        (&json!("completed"), &json!(2))
    );
    assert!(ready["usage_bytes"].as_i64().unwrap() > 0);

    let unknown = format!("file-{}", "0".repeat(32));
    let error = ada
        .post("/v1/vector_stores", json!({"file_ids": [a, unknown]}))
        .await
        .refused(404);
    assert_eq!(error["param"], "file_ids[1]");
    assert_eq!(
        ada.get("/v1/vector_stores").await.ok()["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn deleting_a_store_keeps_its_files_and_removes_its_chunks() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, files) = ada.library(&[("a.txt", "Apples grow on trees.")]).await;
    ada.delete(&format!("/v1/vector_stores/{store}")).await.ok();
    ada.get(&format!("/v1/files/{}", files[0])).await.ok();
    ada.post(
        &format!("/v1/vector_stores/{store}/search"),
        json!({"query": "apples"}),
    )
    .await
    .refused(404);
    for table in ["chunks", "embeddings_384", "term_stats", "vector_store_files"] {
        let left: i64 = sqlx::query_scalar(sqlx::AssertSqlSafe(format!("select count(*) from {table}")))
            .fetch_one(app.owner())
            .await
            .unwrap();
        assert_eq!(left, 0, "{table}");
    }
}

#[tokio::test]
async fn a_store_deleted_while_its_files_wait_leaves_nothing_behind() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let file = ada.upload("a.txt", "Apples.").await;
    let store = ada.store("short-lived", &[&file]).await;
    ada.delete(&format!("/v1/vector_stores/{store}")).await.ok();
    app.run_jobs().await;
    let jobs: Vec<(String, Option<String>)> =
        sqlx::query_as("select state, last_error from jobs where kind = 'ingest_file'")
            .fetch_all(app.owner())
            .await
            .unwrap();
    assert_eq!(jobs, [("done".into(), None)]);
    insula_tests::assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_store_that_was_not_used_expires_and_says_so() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&[("a.txt", "Apples.")]).await;
    let path = format!("/v1/vector_stores/{store}");
    ada.post(
        &path,
        json!({"expires_after": {"anchor": "last_active_at", "days": 1}}),
    )
    .await
    .ok();
    sqlx::query("update vector_stores set last_active_at = now() - interval '25 hours'")
        .execute(app.owner())
        .await
        .unwrap();
    assert_eq!(ada.get(&path).await.ok()["status"], "expired");
    let error = ada
        .post(&format!("{path}/search"), json!({"query": "apples"}))
        .await
        .refused(400);
    assert_eq!(error["code"], "vector_store_expired");
}

#[tokio::test]
async fn using_a_store_keeps_it_alive() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&[("a.txt", "Apples.")]).await;
    sqlx::query("update vector_stores set last_active_at = now() - interval '1 hour'")
        .execute(app.owner())
        .await
        .unwrap();
    let path = format!("/v1/vector_stores/{store}");
    let before = ada.get(&path).await.ok()["last_active_at"].as_i64().unwrap();
    ada.search(&store, json!({"query": "apples"})).await;
    let after = ada.get(&path).await.ok()["last_active_at"].as_i64().unwrap();
    assert!(after >= before + 3500, "{before} {after}");
}
