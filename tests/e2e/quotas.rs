//! What a tenant may store at most.

use insula_tenancy::quota::{self, Quotas};
use insula_tests::{Client, TestApp, assert_invariants, eventually, insula_binary};
use serde_json::{Value, json};

async fn limit(app: &TestApp, tenant: &Client, quotas: Quotas) {
    let mut tx = app.services.db.operator().await.unwrap();
    quota::set(&mut tx, tenant.tenant_id(), quotas).await.unwrap();
    tx.commit().await.unwrap();
}

async fn usage(client: &Client) -> Value {
    client.get("/v1/insula/usage/storage").await.ok()
}

#[tokio::test]
async fn above_a_quota_of_files_the_next_one_is_refused_until_there_is_room() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let first = ada.upload("a.txt", "Apples.").await;
    ada.upload("b.txt", "Pears.").await;
    let quotas = Quotas {
        files: Some(2),
        ..Quotas::default()
    };
    limit(&app, &ada, quotas).await;
    let fields = [("purpose", "assistants")];
    let refused = ada.upload_with("c.txt", b"Plums.", &fields).await;
    let error = refused.refused(429);
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("insufficient_quota"), &json!("storage_quota_exceeded"))
    );
    let message = error["message"].as_str().unwrap();
    assert!(
        message.contains("2 files") && message.contains("operator"),
        "{message}"
    );
    assert_eq!(refused.header("x-should-retry"), Some("false"));
    let new = json!({"filename": "c.txt", "purpose": "assistants", "bytes": 1, "mime_type": "text/plain"});
    ada.post("/v1/uploads", new).await.refused(429);

    for name in ["a.txt", "b.txt", "c.txt"] {
        bob.upload(name, "Bob's.").await;
    }
    let expected = json!({
        "object": "insula.storage_usage", "files": {"used": 2, "quota": 2}, "bytes": {"used": 13, "quota": null},
        "chunks": {"used": 0, "quota": null},
    });
    assert_eq!(usage(&ada).await, expected);
    assert_eq!(usage(&bob).await["files"], json!({"used": 3, "quota": null}));

    ada.delete(&format!("/v1/files/{first}")).await.ok();
    ada.upload("c.txt", "Plums.").await;
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn of_many_uploads_at_once_exactly_as_many_succeed_as_there_is_room_for() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let quotas = Quotas {
        bytes: Some(10_500),
        ..Quotas::default()
    };
    limit(&app, &ada, quotas).await;
    let content = vec![7; 1000];
    let upload = |client: Client| {
        let content = &content;
        async move {
            client
                .upload_with("a.bin", content, &[("purpose", "batch")])
                .await
                .status
        }
    };
    let (adas, bobs) = futures::future::join(
        futures::future::join_all((0..30).map(|_| upload(ada.clone()))),
        futures::future::join_all((0..12).map(|_| upload(bob.clone()))),
    )
    .await;
    assert_eq!(
        adas.iter().filter(|status| **status == 200).count(),
        10,
        "{adas:?}"
    );
    assert_eq!(
        adas.iter().filter(|status| **status == 429).count(),
        20,
        "{adas:?}"
    );
    assert!(bobs.iter().all(|status| *status == 200), "{bobs:?}");
    assert_eq!(
        usage(&ada).await["bytes"],
        json!({"used": 10_000, "quota": 10_500})
    );
    eventually("what was refused is removed", async || {
        (app.blob_names().len() == 22).then_some(())
    })
    .await;
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn an_upload_that_cannot_fit_is_refused_before_it_is_sent() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let upload =
        json!({"filename": "a", "purpose": "assistants", "bytes": 90_000, "mime_type": "text/plain"});
    let upload = ada.post("/v1/uploads", upload).await.ok();
    let quotas = Quotas {
        bytes: Some(100_000),
        ..Quotas::default()
    };
    limit(&app, &ada, quotas).await;
    let parts = format!("/v1/uploads/{}/parts", upload["id"].as_str().unwrap());
    for path in ["/v1/files", &parts] {
        let head = format!(
            "POST {path} HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {}\r\n\
             content-type: multipart/form-data; boundary=b\r\ncontent-length: 1000000\r\nconnection: close\r\n\r\n",
            ada.key()
        );
        let mut connection = ada.raw().await;
        connection.write(&head).await;
        let answer = connection.read_to_end().await;
        assert!(
            answer.starts_with("HTTP/1.1 429 ") && answer.contains("storage_quota_exceeded"),
            "{answer}"
        );
    }
    let larger =
        json!({"filename": "a", "purpose": "assistants", "bytes": 100_001, "mime_type": "text/plain"});
    ada.post("/v1/uploads", larger).await.refused(429);
}

#[tokio::test]
async fn a_creation_that_used_the_quota_up_can_be_repeated() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let quotas = Quotas {
        files: Some(1),
        ..Quotas::default()
    };
    limit(&app, &ada, quotas).await;
    let create = |key: &'static str| {
        let body = "--b\r\ncontent-disposition: form-data; name=\"purpose\"\r\n\r\nassistants\r\n--b\r\n\
                    content-disposition: form-data; name=\"file\"; filename=\"a.txt\"\r\n\r\nx\r\n--b--\r\n";
        let request = ada
            .request(reqwest::Method::POST, "/v1/files")
            .header("content-type", "multipart/form-data; boundary=b")
            .header("idempotency-key", key);
        ada.send(request.body(body))
    };
    let first = create("k").await.ok();
    assert_eq!(create("k").await.ok(), first);
    create("another").await.refused(429);
    eventually("what was refused is removed", async || {
        (app.blob_names().len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn parts_count_by_their_bytes_until_they_are_a_file_or_given_up() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let quotas = Quotas {
        files: Some(1),
        bytes: Some(1000),
        ..Quotas::default()
    };
    limit(&app, &ada, quotas).await;
    let begin = async || {
        let new = json!({"filename": "a", "purpose": "assistants", "bytes": 800, "mime_type": "text/plain"});
        let upload = ada.post("/v1/uploads", new).await;
        upload.ok()["id"].as_str().unwrap().to_owned()
    };
    let (first, second) = (begin().await, begin().await);
    let part = ada.upload_part(&first, &[7; 800]).await.ok();
    assert_eq!(usage(&ada).await["bytes"]["used"], 800);
    ada.upload_part(&second, &[7; 800]).await.refused(429);
    ada.upload_part(&second, &[7; 200]).await.ok();
    ada.post(&format!("/v1/uploads/{second}/cancel"), json!({}))
        .await
        .ok();
    assert_eq!(usage(&ada).await["bytes"]["used"], 800);
    // Although parts and file are there together for a moment.
    let path = format!("/v1/uploads/{first}/complete");
    ada.post(&path, json!({"part_ids": [part["id"]]})).await.ok();
    let used = usage(&ada).await;
    assert_eq!(
        (&used["bytes"]["used"], &used["files"]["used"]),
        (&json!(800), &json!(1))
    );
    app.run_jobs().await;
    assert_eq!(app.blob_names().len(), 1);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_file_above_the_quota_of_chunks_fails_with_the_reason() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let quotas = Quotas {
        chunks: Some(3),
        ..Quotas::default()
    };
    limit(&app, &ada, quotas).await;
    // Each into a store of its own and all at once: one chunk each.
    let mut stores = Vec::new();
    for n in 0..6 {
        let file = ada
            .upload(&format!("{n}.txt"), format!("Sentence number {n}."))
            .await;
        stores.push(ada.store("s", &[&file]).await);
    }
    let (mut completed, mut failed) = (0, Vec::new());
    for store in &stores {
        let counts = ada.ready(store).await["file_counts"].clone();
        completed += counts["completed"].as_i64().unwrap();
        if counts["failed"] == 1 {
            let files = ada.get(&format!("/v1/vector_stores/{store}/files")).await.ok();
            failed.push(files["data"][0]["last_error"].clone());
        }
    }
    assert_eq!((completed, failed.len()), (3, 3));
    for error in failed {
        let message = error["message"].as_str().unwrap();
        assert!(message.contains("quota of 3 chunks"), "{message}");
    }
    assert_eq!(usage(&ada).await["chunks"], json!({"used": 3, "quota": 3}));
    bob.library(&[
        ("a.txt", "Apples."),
        ("b.txt", "Pears."),
        ("c.txt", "Plums."),
        ("d.txt", "Figs."),
    ])
    .await;
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn the_operator_sets_and_sees_quotas_on_the_command_line() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    ada.upload("a.txt", "Apples.").await;
    let binary = insula_binary().await;
    let insula = async |arguments: &str| {
        let output = tokio::process::Command::new(&binary)
            .args(arguments.split(' '))
            .env("DATABASE_URL", app.database.app_url().as_str())
            .output()
            .await
            .unwrap();
        (output.status.success(), String::from_utf8(output.stdout).unwrap())
    };
    let (_, set) = insula("tenant quota ada --files 10 --bytes 5KiB --json").await;
    let set: Value = serde_json::from_str(&set).unwrap();
    assert_eq!(set["quota"], json!({"files": 10, "bytes": 5120, "chunks": null}));
    assert_eq!(set["used"], json!({"files": 1, "bytes": 7}));
    let (_, kept) = insula("tenant quota ada --bytes unlimited").await;
    assert_eq!(kept, "ada: 1 files of 10, 7 B\n");
    let (_, listed) = insula("tenant list").await;
    assert!(listed.contains("1 files of 10"), "{listed}");
    assert_eq!(usage(&ada).await["files"], json!({"used": 1, "quota": 10}));
    assert!(!insula("tenant quota nobody --files 1").await.0);
}
