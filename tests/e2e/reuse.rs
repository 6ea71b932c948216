//! Nothing is done twice: files that are read already, texts that are embedded already, work of a worker that died.

use insula_tests::{Client, ServerProcess, TestApp, assert_invariants, eventually, insula_binary};
use serde_json::json;

const TEXT: &str = "The ferry to the island leaves at noon.\n\nIt does not sail in a storm.";

/// Marks a vector so that it is recognised where it was taken over.
const MARK: &str =
    "update embeddings_384 set embedding = array_fill(0.051, array[384])::real[]::vector::halfvec(384)";

async fn count(app: &TestApp, query: &'static str) -> i64 {
    sqlx::query_scalar(query).fetch_one(app.owner()).await.unwrap()
}

async fn marked(app: &TestApp) -> i64 {
    count(
        app,
        "select count(*) from embeddings_384
         where embedding = array_fill(0.051, array[384])::real[]::vector::halfvec(384)",
    )
    .await
}

async fn attach(client: &Client, store: &str, file: &str, body: serde_json::Value) {
    let mut body = body;
    body["file_id"] = json!(file);
    client
        .post(&format!("/v1/vector_stores/{store}/files"), body)
        .await
        .ok();
}

#[tokio::test]
async fn the_same_bytes_in_the_same_store_are_not_read_again() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let first = ada.upload("a.txt", TEXT).await;
    let store = ada.store("ferries", &[&first]).await;
    app.run_jobs().await;

    let second = ada.upload("b.txt", TEXT).await;
    let bobs = bob.upload("b.txt", TEXT).await;
    // What is on disk now would give other passages.
    for name in app.blob_names() {
        std::fs::write(app.blobs().join(name), "Something else entirely.").unwrap();
    }
    attach(&ada, &store, &second, json!({})).await;
    let bobs_store = bob.store("ferries", &[&bobs]).await;
    app.run_jobs().await;
    let content = |file: &str| format!("/v1/vector_stores/{store}/files/{file}/content");
    let texts = ada.get(&content(&second)).await.ok()["data"].clone();
    assert_eq!(texts, ada.get(&content(&first)).await.ok()["data"]);
    assert!(texts.to_string().contains("leaves at noon"));
    let files = ada.get(&format!("/v1/vector_stores/{store}/files")).await.ok();
    assert_eq!(files["data"][0]["usage_bytes"], files["data"][1]["usage_bytes"]);
    assert_invariants(app.owner()).await;

    // Another tenant's copy was read, and another way of cutting is another reading.
    let path = format!("/v1/vector_stores/{bobs_store}/files/{bobs}/content");
    assert!(
        bob.get(&path).await.ok()["data"]
            .to_string()
            .contains("Something else")
    );
    let third = ada.upload("c.txt", TEXT).await;
    for name in app.blob_names() {
        std::fs::write(app.blobs().join(name), "Something else entirely.").unwrap();
    }
    let strategy =
        json!({"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}});
    attach(&ada, &store, &third, json!({"chunking_strategy": strategy})).await;
    app.run_jobs().await;
    let texts = ada.get(&content(&third)).await.ok()["data"].clone();
    assert!(texts.to_string().contains("Something else"), "{texts}");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn the_same_text_is_embedded_once_per_tenant_and_never_across_tenants() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let first = ada.upload("a.txt", TEXT).await;
    ada.store("one", &[&first]).await;
    app.run_jobs().await;
    let done = sqlx::query(MARK).execute(app.owner()).await.unwrap();
    assert_eq!(done.rows_affected(), 1);

    // Another store, and a name that makes it another reading.
    let second = ada.upload("a.md", TEXT).await;
    ada.store("two", &[&second]).await;
    app.run_jobs().await;
    assert_eq!(
        (
            marked(&app).await,
            count(&app, "select count(*) from chunks").await
        ),
        (2, 2)
    );

    let bobs = bob.upload("a.txt", TEXT).await;
    bob.store("three", &[&bobs]).await;
    app.run_jobs().await;
    assert_eq!(
        (
            marked(&app).await,
            count(&app, "select count(*) from chunks").await
        ),
        (2, 3)
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn what_a_worker_embedded_before_it_died_is_not_embedded_again() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let log: String = (0..1000)
        .map(|n| {
            format!(
                "Entry {n}: the keeper of light {} notes wind {} and sea {}. ",
                n % 7,
                n * 31,
                n * 17
            )
        })
        .collect();
    let file = ada.upload("log.txt", log).await;
    let store = ada.store("log", &[]).await;
    let strategy =
        json!({"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}});
    attach(&ada, &store, &file, json!({"chunking_strategy": strategy})).await;
    let binary = insula_binary().await;
    let url = app.database.app_url();
    let start = || ServerProcess::start(&binary, "worker", &[], url.as_str(), &app.blobs());

    let worker = start();
    let staged = "select count(*) from staged_embeddings";
    eventually("a batch is staged", async || {
        (count(&app, staged).await > 0).then_some(())
    })
    .await;
    worker.kill().await;
    assert_eq!(count(&app, "select count(*) from chunks").await, 0);
    sqlx::query("update staged_embeddings set embedding = array_fill(0.051, array[384])::real[]::vector::halfvec(384)")
        .execute(app.owner())
        .await
        .unwrap();
    let kept = count(&app, staged).await;
    sqlx::query("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
        .execute(app.owner())
        .await
        .unwrap();
    app.run_jobs().await;
    assert_eq!(ada.ready(&store).await["file_counts"]["completed"], 1);
    assert_eq!(marked(&app).await, kept, "all that was staged was used");
    assert!(count(&app, "select count(*) from chunks").await > kept);
    assert_eq!(count(&app, staged).await, 0);
    assert_invariants(app.owner()).await;
}
