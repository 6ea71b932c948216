//! Callers who leave at any moment harm nobody.

use std::time::Duration;

use insula_tests::{Setup, TestApp, assert_invariants, eventually};
use serde_json::json;

#[tokio::test]
async fn a_request_cancelled_at_any_moment_leaves_the_one_connection_clean() {
    // One connection, and a slow way to it: every moment of a request lies on some step.
    let app = TestApp::with(Setup {
        connections: 1,
        proxy: true,
        worker: false,
        ..Setup::default()
    })
    .await;
    let (ada, bob) = app.two_tenants().await;
    let file = bob.upload("bob.txt", "x").await;
    app.proxy.as_ref().unwrap().delay(Duration::from_millis(2));
    let mut cancelled = 0;
    for step in 0..40 {
        let name = format!("s{step}");
        let request = ada
            .request(reqwest::Method::POST, "/v1/vector_stores")
            .json(&json!({"name": name}));
        let cut = tokio::time::timeout(step * Duration::from_millis(1), request.send()).await;
        cancelled += usize::from(cut.is_err());
        let list = bob.get("/v1/files").await.ok();
        assert_eq!(list["data"].as_array().unwrap().len(), 1);
        assert_eq!(list["data"][0]["id"], json!(file), "step {step}");
    }
    assert!(cancelled > 10, "only {cancelled} were cancelled");
    assert_eq!(
        bob.get("/v1/vector_stores").await.ok()["data"],
        json!([]),
        "written under the wrong tenant"
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn an_upload_that_breaks_off_leaves_nothing() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let head = format!(
        "POST /v1/files HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\
         content-type: multipart/form-data; boundary=b\r\ncontent-length: 1000000\r\n\r\n\
         --b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n\
         --b\r\ncontent-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\n",
        ada.key()
    );
    for sent in [0, 1, 100, 70_000] {
        let mut connection = ada.raw().await;
        connection.write(&head).await;
        connection.write("x".repeat(sent)).await;
        drop(connection);
    }
    eventually("what was begun is removed", async || {
        app.blob_names().is_empty().then_some(())
    })
    .await;
    assert_eq!(ada.get("/v1/files").await.ok()["data"], json!([]));
}

#[tokio::test]
async fn searches_that_nobody_waits_for_do_not_use_the_server_up() {
    let app = TestApp::with(Setup {
        connections: 2,
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&[("a.txt", "Zebras graze at dawn.")]).await;
    for step in 0..30 {
        let path = format!("/v1/vector_stores/{store}/search");
        let request = ada
            .request(reqwest::Method::POST, &path)
            .json(&json!({"query": "zebras"}));
        let _ = tokio::time::timeout(Duration::from_millis(step % 15), request.send()).await;
    }
    assert_eq!(
        ada.search(&store, json!({"query": "zebras"})).await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_invariants(app.owner()).await;
}
