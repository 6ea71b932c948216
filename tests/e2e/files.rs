//! `/v1/files`

use insula_tests::{Setup, TestApp, eventually};
use serde_json::{Value, json};

#[tokio::test]
async fn a_file_is_uploaded_listed_read_back_and_deleted() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let bytes: Vec<u8> = (0..=255).cycle().take(100_000).collect();
    let file = ada
        .upload_with("data.bin", &bytes, &[("purpose", "user_data")])
        .await
        .ok();
    let (id, created_at) = (file["id"].as_str().unwrap(), file["created_at"].as_i64().unwrap());
    assert!(id.starts_with("file-"));
    assert!(
        (chrono::Local::now().timestamp() - created_at).abs() < 60,
        "not Unix seconds of now: {created_at}"
    );
    let expected = json!({
        "id": id, "object": "file", "bytes": 100_000, "created_at": created_at, "filename": "data.bin",
        "purpose": "user_data", "status": "processed",
    });
    assert_eq!(file, expected);

    let path = format!("/v1/files/{id}");
    assert_eq!(ada.get(&path).await.ok(), file);
    assert_eq!(ada.get("/v1/files").await.ok()["data"], json!([file]));
    let content = ada.get(&format!("{path}/content")).await;
    assert_eq!((content.status, &content.bytes[..]), (200, &bytes[..]));
    assert_eq!(
        content.header("content-disposition"),
        Some("attachment"),
        "a browser must not show it"
    );

    assert_eq!(bob.get("/v1/files").await.ok()["data"], json!([]));
    for answer in [
        bob.get(&path).await,
        bob.get(&format!("{path}/content")).await,
        bob.delete(&path).await,
    ] {
        answer.refused(404);
    }
    assert_eq!(
        ada.delete(&path).await.ok(),
        json!({"id": id, "object": "file", "deleted": true})
    );
    ada.get(&path).await.refused(404);
    ada.delete(&path).await.refused(404);
    let blobs = app.blob_names();
    assert_eq!(blobs.len(), 1, "the bytes go in the background");
    assert!(
        blobs[0].starts_with(&format!("{}/", ada.tenant_id())),
        "{blobs:?}"
    );
    app.run_jobs().await;
    assert!(app.blob_names().is_empty());
}

#[tokio::test]
async fn names_keep_their_letters_and_lose_their_folders() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for (sent, kept) in [
        ("تقرير ٢٠٢٦.md", "تقرير ٢٠٢٦.md"),
        ("../../etc/passwd", "passwd"),
        ("C:\\\\Users\\\\ada\\\\notes.txt", "notes.txt"),
        ("a'; drop table files; --.txt", "a'; drop table files; --.txt"),
    ] {
        let file = ada
            .upload_with(sent, b"x", &[("purpose", "assistants")])
            .await
            .ok();
        assert_eq!(file["filename"], kept, "{sent}");
    }
}

#[tokio::test]
async fn what_is_wrong_with_an_upload_is_named_and_nothing_is_kept() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let anchor = ("expires_after[anchor]", "created_at");
    for (filename, fields, param) in [
        ("a.txt", vec![], "purpose"),
        ("a.txt", vec![("purpose", "fun")], "purpose"),
        ("a.txt", vec![("purpose", "batch_output")], "purpose"),
        ("", vec![("purpose", "assistants")], "file"),
        (
            "a.txt",
            vec![("purpose", "assistants"), anchor],
            "expires_after.seconds",
        ),
        (
            "a.txt",
            vec![
                ("purpose", "assistants"),
                anchor,
                ("expires_after[seconds]", "3599"),
            ],
            "expires_after.seconds",
        ),
        (
            "a.txt",
            vec![
                ("purpose", "assistants"),
                anchor,
                ("expires_after[seconds]", "2592001"),
            ],
            "expires_after.seconds",
        ),
    ] {
        let error = ada.upload_with(filename, b"text", &fields).await.refused(400);
        assert_eq!(error["param"], param, "{filename:?} {fields:?}: {error}");
    }
    ada.post("/v1/files", json!({"purpose": "assistants"}))
        .await
        .refused(400);
    ada.post_bytes(
        "/v1/files",
        "multipart/form-data; boundary=x",
        "no boundary in it",
    )
    .await
    .refused(400);
    ada.post_bytes("/v1/files", "multipart/form-data", "")
        .await
        .refused(400);
    assert_eq!(ada.get("/v1/files").await.ok()["data"], json!([]));
    eventually("refused uploads are removed", async || {
        (app.blob_names().is_empty()).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_lifetime_is_told_and_kept() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let fields = [
        ("expires_after[seconds]", "3600"),
        ("expires_after[anchor]", "created_at"),
        ("purpose", "batch"),
    ];
    let file = ada.upload_with("a.jsonl", b"{}", &fields).await.ok();
    assert_eq!(
        file["expires_at"].as_i64().unwrap(),
        file["created_at"].as_i64().unwrap() + 3600
    );
    sqlx::query("update files set expires_at = now() - interval '1 second'")
        .execute(app.owner())
        .await
        .unwrap();
    let id = file["id"].as_str().unwrap();
    ada.get(&format!("/v1/files/{id}")).await.refused(404);
    ada.get(&format!("/v1/files/{id}/content")).await.refused(404);
    assert_eq!(ada.get("/v1/files").await.ok()["data"], json!([]));
}

#[tokio::test]
async fn the_list_can_be_narrowed_to_a_purpose() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for purpose in ["assistants", "batch", "fine-tune", "vision", "user_data", "evals"] {
        ada.upload_with("a.txt", b"x", &[("purpose", purpose)]).await.ok();
    }
    let purposes = |list: Value| -> Vec<String> {
        let files = list["data"].as_array().unwrap().iter();
        files
            .map(|file| file["purpose"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        purposes(ada.get("/v1/files?purpose=fine-tune").await.ok()),
        ["fine-tune"]
    );
    let all = ["evals", "user_data", "vision", "fine-tune", "batch", "assistants"];
    assert_eq!(purposes(ada.get("/v1/files").await.ok()), all);
    assert_eq!(
        ada.get("/v1/files?purpose=fun").await.refused(400)["param"],
        "purpose"
    );
}

#[tokio::test]
async fn a_file_above_the_limit_is_413_and_leaves_nothing() {
    let mut setup = Setup {
        worker: false,
        ..Setup::default()
    };
    setup.serve.max_upload_bytes = 64 * 1024;
    let app = TestApp::with(setup).await;
    let ada = app.tenant("ada").await;
    ada.upload_with("fits.bin", &vec![7; 64 * 1024], &[("purpose", "assistants")])
        .await
        .ok();
    let large = vec![7; 3 * 1024 * 1024];
    ada.upload_with("large.bin", &large, &[("purpose", "assistants")])
        .await
        .refused(413);
    eventually("its bytes are removed", async || {
        (app.blob_names().len() == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn deleting_a_file_takes_it_out_of_its_stores_and_of_search() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, files) = ada
        .library(&[
            ("a.txt", "Zebras graze at dawn."),
            ("b.txt", "Zebras sleep at noon."),
        ])
        .await;
    let found = |results: Value| -> Vec<String> {
        results["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|hit| hit["file_id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        found(ada.search(&store, json!({"query": "zebras"})).await).len(),
        2
    );
    ada.delete(&format!("/v1/files/{}", files[0])).await.ok();
    assert_eq!(
        found(ada.search(&store, json!({"query": "zebras"})).await),
        [files[1].clone()]
    );
    let counts = ada.get(&format!("/v1/vector_stores/{store}")).await.ok()["file_counts"].clone();
    assert_eq!((&counts["completed"], &counts["total"]), (&json!(1), &json!(1)));
    insula_tests::assert_invariants(app.owner()).await;
}
