//! `/v1/vector_stores/{vector_store_id}/files`

use insula_tests::{TestApp, assert_invariants};
use serde_json::{Value, json};

#[tokio::test]
async fn a_file_is_attached_read_described_and_taken_out_again() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let text = "Lanterns are lit at dusk.\n\nThey burn for six hours.";
    let file = ada.upload("a.txt", text).await;
    let store = ada.store("s", &[]).await;
    let files = format!("/v1/vector_stores/{store}/files");
    let attached = ada
        .post(
            &files,
            json!({"file_id": file, "attributes": {"year": 2026, "draft": false}}),
        )
        .await;
    assert_eq!(attached.header("openai-poll-after-ms"), Some("300"));
    let attached = attached.ok();
    let expected = json!({
        "id": file, "object": "vector_store.file", "created_at": attached["created_at"], "usage_bytes": 0,
        "vector_store_id": store, "filename": "a.txt", "status": "in_progress", "last_error": null,
        "chunking_strategy":
            {"type": "static", "static": {"max_chunk_size_tokens": 800, "chunk_overlap_tokens": 400}},
        "attributes": {"year": 2026, "draft": false},
    });
    assert_eq!(attached, expected);
    app.run_jobs().await;

    let path = format!("{files}/{file}");
    let read = ada.get(&path).await;
    assert_eq!(read.header("openai-poll-after-ms"), None);
    let read = read.ok();
    assert_eq!(
        (&read["status"], &read["last_error"]),
        (&json!("completed"), &json!(null))
    );
    assert!(
        read["usage_bytes"].as_i64().unwrap() > text.len() as i64,
        "text and vectors: {read}"
    );
    let content = ada.get(&format!("{path}/content")).await.ok();
    assert_eq!(
        (&content["object"], &content["has_more"], &content["next_page"]),
        (
            &json!("vector_store.file_content.page"),
            &json!(false),
            &json!(null)
        )
    );
    let texts: Vec<&str> = content["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|part| part["text"].as_str().unwrap())
        .collect();
    assert!(texts.join(" ").contains("burn for six hours"), "{texts:?}");

    for answer in [
        bob.get(&path).await,
        bob.get(&format!("{path}/content")).await,
        bob.get(&files).await,
    ] {
        answer.refused(404);
    }
    let detached = ada.delete(&path).await.ok();
    assert_eq!(
        detached,
        json!({"id": file, "object": "vector_store.file.deleted", "deleted": true})
    );
    ada.get(&path).await.refused(404);
    ada.get(&format!("/v1/files/{file}")).await.ok();
    assert_eq!(
        ada.search(&store, json!({"query": "lanterns"})).await["data"],
        json!([])
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn attributes_are_strings_numbers_and_booleans_and_are_replaced_whole() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let file = ada.upload("a.txt", "Text.").await;
    let store = ada.store("s", &[&file]).await;
    let path = format!("/v1/vector_stores/{store}/files/{file}");
    let attributes = json!({"price": 9.99, "count": 3, "ok": true, "name": "ab"});
    let updated = ada.post(&path, json!({"attributes": attributes})).await.ok();
    assert_eq!(updated["attributes"], attributes);
    let updated = ada
        .post(&path, json!({"attributes": {"only": "this"}}))
        .await
        .ok();
    assert_eq!(updated["attributes"], json!({"only": "this"}));
    let many: Value = (0..17)
        .map(|n| (format!("k{n}"), json!(n)))
        .collect::<serde_json::Map<_, _>>()
        .into();
    for bad in [
        many,
        json!({"k": [1]}),
        json!({"k": {}}),
        json!({"k": "v".repeat(513)}),
        json!({"k".repeat(65): 1}),
    ] {
        let error = ada.post(&path, json!({"attributes": bad})).await.refused(400);
        assert!(
            error["param"].as_str().unwrap().starts_with("attributes"),
            "{error}"
        );
    }
    assert_eq!(ada.get(&path).await.ok()["attributes"], json!({"only": "this"}));
    let cleared = ada.post(&path, json!({"attributes": null})).await.ok();
    assert_eq!(cleared["attributes"], json!({}));
}

#[tokio::test]
async fn a_chunking_strategy_is_reported_and_followed() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let sentences: String = (0..120)
        .map(|n| format!("Rule number {n} says that lamp {n} is dusted. "))
        .collect();
    let file = ada.upload("rules.txt", &sentences).await;
    let store = ada.store("s", &[]).await;
    let files = format!("/v1/vector_stores/{store}/files");
    let sizes = |max: u32, overlap: u32| json!({"type": "static", "static": {"max_chunk_size_tokens": max, "chunk_overlap_tokens": overlap}});
    let mut pieces = Vec::new();
    for strategy in [sizes(200, 0), sizes(100, 0), sizes(100, 50)] {
        // Attaching again with another strategy reads the file again, in place.
        let attached = ada
            .post(&files, json!({"file_id": file, "chunking_strategy": strategy}))
            .await
            .ok();
        assert_eq!(
            (&attached["chunking_strategy"], &attached["status"]),
            (&strategy, &json!("in_progress"))
        );
        app.run_jobs().await;
        let content = ada.get(&format!("{files}/{file}/content")).await.ok();
        pieces.push(content["data"].as_array().unwrap().len());
        assert_invariants(app.owner()).await;
    }
    assert!(pieces[0] < pieces[1] && pieces[1] < pieces[2], "{pieces:?}");
    let tokens: i32 = sqlx::query_scalar("select max(tokens) from chunks")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert!(tokens <= 100, "{tokens}");

    for (strategy, param) in [
        (sizes(99, 0), "chunking_strategy.static.max_chunk_size_tokens"),
        (sizes(4097, 0), "chunking_strategy.static.max_chunk_size_tokens"),
        (sizes(200, 101), "chunking_strategy.static.chunk_overlap_tokens"),
        (json!({"type": "semantic"}), "chunking_strategy.type"),
    ] {
        let error = ada
            .post(&files, json!({"file_id": file, "chunking_strategy": strategy}))
            .await
            .refused(400);
        assert_eq!(error["param"], param);
    }
}

#[tokio::test]
async fn a_file_that_cannot_be_read_fails_with_a_reason_and_the_others_go_on() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let good = ada.upload("good.txt", "Good text.").await;
    let empty = ada.upload("empty.txt", "").await;
    let blank = ada.upload("blank.txt", " \n\t \u{feff}\n").await;
    let image = ada
        .upload("photo.png", b"\x89PNG\r\n\x1a\n\x00\x00\x00\rIHDR")
        .await;
    let store = ada.store("s", &[&good, &empty, &blank, &image]).await;
    app.run_jobs().await;
    let files = format!("/v1/vector_stores/{store}/files");
    for (file, code) in [
        (&empty, "invalid_file"),
        (&blank, "invalid_file"),
        (&image, "unsupported_file"),
    ] {
        let failed = ada.get(&format!("{files}/{file}")).await.ok();
        assert_eq!(
            (&failed["status"], &failed["last_error"]["code"]),
            (&json!("failed"), &json!(code)),
            "{failed}"
        );
        assert!(!failed["last_error"]["message"].as_str().unwrap().is_empty());
    }
    assert_eq!(
        ada.get(&format!("{files}/{good}")).await.ok()["status"],
        "completed"
    );
    let ids = |list: Value| -> Vec<String> {
        list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|file| file["id"].as_str().unwrap().to_owned())
            .collect()
    };
    assert_eq!(
        ids(ada.get(&format!("{files}?filter=completed")).await.ok()),
        [good]
    );
    assert_eq!(
        ids(ada.get(&format!("{files}?filter=failed")).await.ok()).len(),
        3
    );
    assert_eq!(
        ada.get(&format!("{files}?filter=lost")).await.refused(400)["param"],
        "filter"
    );
    let attempts: i32 = sqlx::query_scalar("select max(attempt) from jobs")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(attempts, 1, "a document that is at fault is not tried again");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_job_whose_worker_died_every_time_fails_its_file() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let file = ada.upload("a.txt", "Text.").await;
    let store = ada.store("s", &[&file]).await;
    // As left behind by the last of its workers.
    sqlx::query(
        "update jobs set state = 'running', attempt = max_attempts, lease_token = $1,
                lease_until = now() - interval '1 second' where kind = 'ingest_file'",
    )
    .bind(insula_tenancy::new_uuid())
    .execute(app.owner())
    .await
    .unwrap();
    app.run_jobs().await;
    let failed = ada
        .get(&format!("/v1/vector_stores/{store}/files/{file}"))
        .await
        .ok();
    assert_eq!(
        (&failed["status"], &failed["last_error"]["code"]),
        (&json!("failed"), &json!("server_error"))
    );
    let state: String = sqlx::query_scalar("select state from jobs where kind = 'ingest_file'")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(state, "dead");
    // It can be tried again by attaching it again.
    ada.post(
        &format!("/v1/vector_stores/{store}/files"),
        json!({"file_id": file}),
    )
    .await
    .ok();
    app.run_jobs().await;
    assert_eq!(ada.ready(&store).await["file_counts"]["completed"], 1);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn our_own_failure_is_tried_again_and_ends_as_a_server_error() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let file = ada.upload("a.txt", "Text.").await;
    let store = ada.store("s", &[&file]).await;
    // The disk lost the bytes.
    std::fs::remove_dir_all(app.blobs()).unwrap();
    app.run_jobs().await;
    let failed = ada
        .get(&format!("/v1/vector_stores/{store}/files/{file}"))
        .await
        .ok();
    assert_eq!(
        (&failed["status"], &failed["last_error"]["code"]),
        (&json!("failed"), &json!("server_error"))
    );
    let message = failed["last_error"]["message"].as_str().unwrap();
    assert!(
        !message.contains("No such file") && !message.contains('/'),
        "it tells of the inside: {message}"
    );
    let (attempt, reason): (i32, String) =
        sqlx::query_as("select attempt, last_error from jobs where kind = 'ingest_file'")
            .fetch_one(app.owner())
            .await
            .unwrap();
    assert_eq!(attempt, 5);
    assert!(
        reason.contains("No such file"),
        "the operator can see why: {reason}"
    );
}

#[tokio::test]
async fn one_file_in_two_stores_is_two_memberships() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let file = ada.upload("a.txt", "Walnuts fall in October.").await;
    let (one, two) = (ada.store("one", &[&file]).await, ada.store("two", &[&file]).await);
    ada.ready(&one).await;
    ada.ready(&two).await;
    ada.delete(&format!("/v1/vector_stores/{one}/files/{file}"))
        .await
        .ok();
    assert_eq!(
        ada.search(&one, json!({"query": "walnuts"})).await["data"],
        json!([])
    );
    assert_eq!(
        ada.search(&two, json!({"query": "walnuts"})).await["data"][0]["file_id"],
        json!(file)
    );
    // Attaching twice is one membership.
    ada.post(
        &format!("/v1/vector_stores/{two}/files"),
        json!({"file_id": file}),
    )
    .await
    .ok();
    ada.ready(&two).await;
    assert_eq!(
        ada.search(&two, json!({"query": "walnuts"})).await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_invariants(app.owner()).await;
}
