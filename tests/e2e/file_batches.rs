//! `/v1/vector_stores/{vector_store_id}/file_batches`

use insula_tests::{Client, TestApp, assert_invariants};
use serde_json::{Value, json};

async fn upload(client: &Client, number: usize) -> Vec<String> {
    let mut files = Vec::new();
    for n in 0..number {
        files.push(
            client
                .upload(&format!("{n}.txt"), format!("Lamp {n} is in hall {n}."))
                .await,
        );
    }
    files
}

fn ids(list: &Value) -> Vec<&str> {
    let ids = list["data"].as_array().unwrap().iter();
    ids.map(|file| file["id"].as_str().unwrap()).collect()
}

fn counts(in_progress: u32, completed: u32, failed: u32, cancelled: u32) -> Value {
    json!({
        "in_progress": in_progress, "completed": completed, "failed": failed, "cancelled": cancelled,
        "total": in_progress + completed + failed + cancelled,
    })
}

#[tokio::test]
async fn files_are_attached_together_and_followed_as_one() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let mut files = upload(&ada, 4).await;
    files.push(ada.upload("empty.txt", "").await);
    let store = ada.store("s", &[]).await;
    let path = format!("/v1/vector_stores/{store}/file_batches");
    let body = json!({"file_ids": files, "attributes": {"hall": true}});
    let made = ada.post(&path, body.clone()).await;
    assert_eq!(made.header("openai-poll-after-ms"), Some("300"));
    let made = made.ok();
    let batch = made["id"].as_str().unwrap();
    assert!(batch.starts_with("vsfb_"));
    let expected = json!({
        "id": batch, "object": "vector_store.files_batch", "created_at": made["created_at"],
        "vector_store_id": store, "status": "in_progress", "file_counts": counts(5, 0, 0, 0),
    });
    assert_eq!(made, expected);
    let of_batch = format!("{path}/{batch}");
    assert_eq!(ada.get(&of_batch).await.ok(), expected);
    app.run_jobs().await;

    let done = ada.get(&of_batch).await;
    assert_eq!(done.header("openai-poll-after-ms"), None);
    let done = done.ok();
    assert_eq!(
        (&done["status"], &done["file_counts"]),
        (&json!("completed"), &counts(0, 4, 1, 0))
    );
    let failed = ada.get(&format!("{of_batch}/files?filter=failed")).await.ok();
    assert_eq!(ids(&failed), [files[4].as_str()]);
    let mut walked = Vec::new();
    let mut after = String::new();
    loop {
        let page = ada
            .get(&format!("{of_batch}/files?limit=2&order=asc{after}"))
            .await
            .ok();
        walked.extend(ids(&page).into_iter().map(str::to_owned));
        if page["has_more"] == json!(false) {
            break;
        }
        after = format!("&after={}", walked.last().unwrap());
    }
    assert_eq!(
        walked, files,
        "in the order of their ids, which is that of their upload"
    );
    // A file of the store that is not of the batch is not a place in its list.
    let other = ada.upload("other.txt", "Other.").await;
    ada.post(
        &format!("/v1/vector_stores/{store}/files"),
        json!({"file_id": other}),
    )
    .await
    .ok();
    let error = ada
        .get(&format!("{of_batch}/files?after={other}"))
        .await
        .refused(400);
    assert_eq!(error["param"], "after");
    let hit = ada.search(&store, json!({"query": "lamp in a hall"})).await["data"][0].clone();
    assert_eq!(hit["attributes"], json!({"hall": true}));

    for answer in [
        bob.get(&of_batch).await,
        bob.get(&format!("{of_batch}/files")).await,
        bob.post(&format!("{of_batch}/cancel"), json!({})).await,
        bob.post(&path, body).await,
    ] {
        answer.refused(404);
    }
    // Nor is it a batch of another store.
    let elsewhere = ada.store("elsewhere", &[]).await;
    ada.get(&format!("/v1/vector_stores/{elsewhere}/file_batches/{batch}"))
        .await
        .refused(404);
    app.run_jobs().await;
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_batch_is_refused_whole_and_says_which_file_is_at_fault() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let files = upload(&ada, 3).await;
    let bobs = bob.upload("bob.txt", "Bob's.").await;
    let store = ada.store("s", &[]).await;
    let path = format!("/v1/vector_stores/{store}/file_batches");
    let [a, b, c] = [&files[0], &files[1], &files[2]];
    let unknown = insula_tenancy::FileId::generate().to_string();
    let static_100 =
        json!({"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}});
    for (body, status, param) in [
        (json!({}), 400, "file_ids"),
        (
            json!({"file_ids": [a], "files": [{"file_id": a}]}),
            400,
            "file_ids",
        ),
        (json!({"file_ids": []}), 400, "file_ids"),
        (json!({"files": []}), 400, "files"),
        (json!({"file_ids": vec![a; 2001]}), 400, "file_ids"),
        (json!({"file_ids": [a, b, c, unknown]}), 404, "file_ids[3]"),
        (json!({"file_ids": [a, bobs]}), 404, "file_ids[1]"),
        (
            json!({"files": [{"file_id": a}, {"file_id": bobs}]}),
            404,
            "files[1].file_id",
        ),
        (
            json!({"files": [{"file_id": a}, {"file_id": b, "replaces": unknown}]}),
            404,
            "files[1].replaces",
        ),
        (
            json!({"files": [{"file_id": a}, {"file_id": b, "attributes": {"k": "v".repeat(513)}}]}),
            400,
            "files[1].attributes.k",
        ),
        (
            json!({"files": [{"file_id": a}, {"file_id": a, "chunking_strategy": static_100}]}),
            400,
            "files[1].file_id",
        ),
    ] {
        let error = ada.post(&path, body.clone()).await.refused(status);
        assert_eq!(error["param"], param, "{body}: {error}");
    }
    let listed = ada.get(&format!("/v1/vector_stores/{store}/files")).await.ok();
    assert_eq!(listed["data"], json!([]));
    let left: i64 = sqlx::query_scalar(
        "select (select count(*) from jobs where kind = 'ingest_file') + (select count(*) from file_batches)",
    )
    .fetch_one(app.owner())
    .await
    .unwrap();
    assert_eq!(left, 0);

    // A file that is being read cannot be read otherwise at the same time.
    ada.post(&path, json!({"file_ids": [a]})).await.ok();
    let body = json!({"files": [{"file_id": b}, {"file_id": a, "chunking_strategy": static_100}]});
    let error = ada.post(&path, body).await.refused(400);
    assert_eq!(error["param"], "files[1].chunking_strategy");
}

#[tokio::test]
async fn files_may_have_values_of_their_own_and_the_same_one_twice_is_one() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let files = upload(&ada, 2).await;
    let store = ada.store("s", &[]).await;
    let path = format!("/v1/vector_stores/{store}/file_batches");
    let body = json!({
        "files": [
            {"file_id": files[0], "attributes": {"year": 2025}},
            {"file_id": files[1], "attributes": {"year": 2026},
             "chunking_strategy": {"type": "static", "static": {"max_chunk_size_tokens": 200, "chunk_overlap_tokens": 0}}},
            {"file_id": files[0], "attributes": {"year": 2025}},
        ],
        "attributes": {"ignored": true},
    });
    let batch = ada.post(&path, body).await.ok();
    assert_eq!(batch["file_counts"]["total"], 2);
    ada.ready(&store).await;
    for (file, year, size) in [(&files[0], 2025, 800), (&files[1], 2026, 200)] {
        let file = ada
            .get(&format!("/v1/vector_stores/{store}/files/{file}"))
            .await
            .ok();
        assert_eq!(file["attributes"], json!({"year": year}));
        assert_eq!(file["chunking_strategy"]["static"]["max_chunk_size_tokens"], size);
    }
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn what_is_not_read_yet_can_be_given_up() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let files = upload(&ada, 4).await;
    let store = ada.store("s", &[]).await;
    let path = format!("/v1/vector_stores/{store}/file_batches");
    // One was in the store before.
    ada.post(
        &format!("/v1/vector_stores/{store}/files"),
        json!({"file_id": files[0]}),
    )
    .await
    .ok();
    app.run_jobs().await;
    let batch = ada.post(&path, json!({"file_ids": files})).await.ok();
    assert_eq!(batch["file_counts"], counts(3, 1, 0, 0));
    // And one is with a worker.
    sqlx::query(
        "update jobs set state = 'running', attempt = 1, lease_token = $1, lease_until = now() + interval '1 hour'
         where payload ->> 'file_id' = $2",
    )
    .bind(insula_tenancy::new_uuid())
    .bind(files[1].parse::<insula_tenancy::FileId>().unwrap().uuid().to_string())
    .execute(app.owner())
    .await
    .unwrap();
    let of_batch = format!("{path}/{}", batch["id"].as_str().unwrap());
    for _ in 0..2 {
        let cancelled = ada.post(&format!("{of_batch}/cancel"), json!({})).await.ok();
        assert_eq!(
            (&cancelled["status"], &cancelled["file_counts"]),
            (&json!("cancelled"), &counts(0, 1, 0, 3))
        );
    }
    let states: Vec<String> =
        sqlx::query_scalar("select distinct state from jobs where kind = 'ingest_file' order by 1")
            .fetch_all(app.owner())
            .await
            .unwrap();
    assert_eq!(states, ["cancelled", "done"], "the worker has lost its lease");
    assert_invariants(app.owner()).await;

    // They can be attached again, the one that was running too.
    let again = ada.post(&path, json!({"file_ids": files})).await.ok();
    assert_eq!(again["file_counts"], counts(3, 1, 0, 0));
    app.run_jobs().await;
    let again = ada
        .get(&format!("{path}/{}", again["id"].as_str().unwrap()))
        .await
        .ok();
    assert_eq!(
        (&again["status"], &again["file_counts"]),
        (&json!("completed"), &counts(0, 4, 0, 0))
    );
    let left = ada.get(&of_batch).await.ok();
    assert_eq!(
        left["file_counts"],
        counts(0, 0, 0, 0),
        "a file is of the batch that had it read last"
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_batch_ends_whatever_happens_to_its_files() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let files = upload(&ada, 3).await;
    let store = ada.store("s", &[]).await;
    let path = format!("/v1/vector_stores/{store}/file_batches");
    let batch = |answer: Value| format!("{path}/{}", answer["id"].as_str().unwrap());
    let first = batch(ada.post(&path, json!({"file_ids": files})).await.ok());
    // One is taken over, one taken out, one deleted.
    let second = batch(ada.post(&path, json!({"file_ids": [files[0]]})).await.ok());
    ada.delete(&format!("/v1/vector_stores/{store}/files/{}", files[1]))
        .await
        .ok();
    assert_eq!(ada.get(&first).await.ok()["file_counts"], counts(1, 0, 0, 0));
    ada.delete(&format!("/v1/files/{}", files[2])).await.ok();
    let ended = ada.get(&first).await.ok();
    assert_eq!(
        (&ended["status"], &ended["file_counts"]),
        (&json!("completed"), &counts(0, 0, 0, 0))
    );
    assert_invariants(app.owner()).await;
    app.run_jobs().await;
    assert_eq!(ada.get(&second).await.ok()["file_counts"], counts(0, 1, 0, 0));
    assert_invariants(app.owner()).await;
    ada.delete(&format!("/v1/vector_stores/{store}")).await.ok();
    ada.get(&second).await.refused(404);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn two_thousand_files_are_one_request() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let files: Vec<insula_tenancy::FileId> = (0..2000).map(|_| insula_tenancy::FileId::generate()).collect();
    sqlx::query(
        "insert into files (tenant_id, id, filename, purpose, bytes, sha256, blob)
         select $1, id, 'a.txt', 'assistants', 0, sha256(''), 'none' from unnest($2::uuid[]) as id",
    )
    .bind(ada.tenant_id())
    .bind(&files)
    .execute(app.owner())
    .await
    .unwrap();
    let store = ada.store("s", &[]).await;
    let path = format!("/v1/vector_stores/{store}/file_batches");
    let attributes = json!({"a": "x".repeat(500), "b": "x".repeat(500)});
    let entries: Vec<Value> = files
        .iter()
        .map(|id| json!({"file_id": id, "attributes": attributes}))
        .collect();
    let batch = ada.post(&path, json!({"files": entries})).await.ok();
    assert_eq!(batch["file_counts"], counts(2000, 0, 0, 0));
    assert_invariants(app.owner()).await;
    bob.get(&format!("{path}/{}", batch["id"].as_str().unwrap()))
        .await
        .refused(404);
    let cancelled = ada
        .post(
            &format!("{path}/{}/cancel", batch["id"].as_str().unwrap()),
            json!({}),
        )
        .await
        .ok();
    assert_eq!(cancelled["file_counts"], counts(0, 0, 0, 2000));
    assert_invariants(app.owner()).await;
}
