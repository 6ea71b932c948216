//! A new version of a file takes the place of the old one: searches see one or the other, never neither.

use insula_tenancy::quota::{self, Quotas};
use insula_tests::{Client, TestApp, assert_invariants};
use serde_json::{Value, json};

/// Words that tell the versions apart.
fn version(number: usize) -> String {
    format!("The notice period of the lease is {number}0 days.")
}

struct Shelf<'a> {
    client: &'a Client,
    store: String,
}

impl<'a> Shelf<'a> {
    async fn new(client: &'a Client) -> Self {
        let store = client.store("leases", &[]).await;
        Self { client, store }
    }

    fn files(&self) -> String {
        format!("/v1/vector_stores/{}/files", self.store)
    }

    async fn upload(&self, number: usize) -> String {
        self.client
            .upload(&format!("v{number}.txt"), version(number))
            .await
    }

    async fn attach(&self, file: &str, replaces: Option<&str>) -> Value {
        let body = json!({"file_id": file, "replaces": replaces});
        self.client.post(&self.files(), body).await.ok()
    }

    /// The files that answer.
    async fn found(&self) -> Vec<String> {
        let body = json!({"query": "How long is the notice period of the lease?"});
        let found = self.client.search(&self.store, body).await;
        let hits = found["data"].as_array().unwrap().iter();
        hits.map(|hit| hit["file_id"].as_str().unwrap().to_owned())
            .collect()
    }

    /// The files of the store, oldest first.
    async fn members(&self) -> Vec<String> {
        let list = self.client.get(&format!("{}?order=asc", self.files())).await.ok();
        let files = list["data"].as_array().unwrap().iter();
        files
            .map(|file| file["id"].as_str().unwrap().to_owned())
            .collect()
    }
}

/// Lets the file be read later than all others.
async fn postpone(app: &TestApp, file: &str) {
    let file = file.parse::<insula_tenancy::FileId>().unwrap().uuid().to_string();
    sqlx::query(
        "update jobs set run_at = now() + interval '1 hour', due = false
         where state = 'ready' and payload ->> 'file_id' = $1",
    )
    .bind(file)
    .execute(app.owner())
    .await
    .unwrap();
}

#[tokio::test]
async fn the_old_version_answers_until_the_new_one_does() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let shelf = Shelf::new(&ada).await;
    let (old, new) = (shelf.upload(1).await, shelf.upload(2).await);
    shelf.attach(&old, None).await;
    app.run_jobs().await;
    assert_eq!(shelf.attach(&new, Some(&old)).await["replaces"], json!(old));
    assert_eq!(shelf.found().await, [old.as_str()]);
    assert_invariants(app.owner()).await;
    app.run_jobs().await;
    assert_eq!(shelf.found().await, [new.as_str()]);
    assert_eq!(shelf.members().await, [new.as_str()]);
    let read = ada.get(&format!("{}/{new}", shelf.files())).await.ok();
    assert_eq!(
        (&read["status"], &read["replaces"]),
        (&json!("completed"), &json!(null))
    );
    // The file itself is still the owner's.
    ada.get(&format!("/v1/files/{old}")).await.ok();
    assert_invariants(app.owner()).await;

    for (replaces, status) in [
        (new.clone(), 400),
        // Not in the store any more.
        (old.clone(), 404),
        (bob.upload("bob.txt", "Bob's.").await, 404),
        ("file-x".to_owned(), 404),
    ] {
        let body = json!({"file_id": new, "replaces": replaces});
        let error = ada.post(&shelf.files(), body).await.refused(status);
        assert_eq!(error["param"], "replaces", "{error}");
    }
}

#[tokio::test]
async fn a_version_that_cannot_be_read_replaces_nothing() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let shelf = Shelf::new(&ada).await;
    let old = shelf.upload(1).await;
    let empty = ada.upload("v2.txt", "").await;
    shelf.attach(&old, None).await;
    app.run_jobs().await;
    shelf.attach(&empty, Some(&old)).await;
    app.run_jobs().await;
    assert_eq!(shelf.found().await, [old.as_str()]);
    assert_eq!(
        ada.get(&format!("{}/{empty}", shelf.files())).await.ok()["status"],
        "failed"
    );
    assert_invariants(app.owner()).await;
    // A third one takes the place of both.
    let third = shelf.upload(3).await;
    shelf.attach(&third, Some(&old)).await;
    app.run_jobs().await;
    assert_eq!(shelf.members().await, [third.as_str()]);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn of_versions_that_come_while_others_are_read_the_last_one_wins() {
    for (late, third_names_first) in [(1, false), (2, false), (1, true), (2, true)] {
        let app = TestApp::without_worker().await;
        let ada = app.tenant("ada").await;
        let shelf = Shelf::new(&ada).await;
        let files = [
            shelf.upload(1).await,
            shelf.upload(2).await,
            shelf.upload(3).await,
        ];
        shelf.attach(&files[0], None).await;
        app.run_jobs().await;
        shelf.attach(&files[1], Some(&files[0])).await;
        let named = if third_names_first { &files[0] } else { &files[1] };
        assert_eq!(
            shelf.attach(&files[2], Some(named)).await["replaces"],
            json!(files[1])
        );
        let error = ada
            .post(&shelf.files(), json!({"file_id": files[1], "replaces": files[2]}))
            .await
            .refused(400);
        assert_eq!(error["param"], "replaces");

        postpone(&app, &files[late]).await;
        app.run_jobs().await;
        let expected = if late == 1 { &files[2] } else { &files[1] };
        assert_eq!(shelf.found().await, [expected.as_str()]);
        assert_invariants(app.owner()).await;
        sqlx::query("update jobs set run_at = now()")
            .execute(app.owner())
            .await
            .unwrap();
        app.run_jobs().await;
        assert_eq!(
            (shelf.found().await, shelf.members().await),
            (vec![files[2].clone()], vec![files[2].clone()])
        );
        assert_invariants(app.owner()).await;
    }
}

#[tokio::test]
async fn versions_that_go_away_leave_the_others_in_their_order() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let shelf = Shelf::new(&ada).await;
    let files = [
        shelf.upload(1).await,
        shelf.upload(2).await,
        shelf.upload(3).await,
    ];
    shelf.attach(&files[0], None).await;
    app.run_jobs().await;
    shelf.attach(&files[1], Some(&files[0])).await;
    shelf.attach(&files[2], Some(&files[1])).await;
    // The one in the middle: the last one replaces the first.
    ada.delete(&format!("/v1/files/{}", files[1])).await.ok();
    let last = ada.get(&format!("{}/{}", shelf.files(), files[2])).await.ok();
    assert_eq!(last["replaces"], json!(files[0]));
    // Then the first: the last one replaces nothing.
    ada.delete(&format!("{}/{}", shelf.files(), files[0])).await.ok();
    let last = ada.get(&format!("{}/{}", shelf.files(), files[2])).await.ok();
    assert_eq!(
        (&last["replaces"], &last["status"]),
        (&json!(null), &json!("in_progress"))
    );
    app.run_jobs().await;
    assert_eq!(shelf.members().await, [files[2].as_str()]);
    assert_invariants(app.owner()).await;
    // A file that can be searched already takes the place of another at once.
    let fourth = shelf.upload(4).await;
    shelf.attach(&fourth, None).await;
    app.run_jobs().await;
    shelf.attach(&files[2], Some(&fourth)).await;
    assert_eq!(shelf.members().await, [files[2].as_str()]);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn searches_beside_replacements_always_see_exactly_one_version() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let shelf = Shelf::new(&ada).await;
    // With vectors of their own, versions follow each other as fast as they can be written.
    let vector: Vec<f32> = (1..=384).map(|n| n as f32).collect();
    let path = format!("/v1/insula/vector_stores/{}/chunks", shelf.store);
    let bring = async |number: usize, replaces: Option<String>| {
        let chunks = json!([{"text": version(number), "embedding": vector}]);
        let body = json!({"filename": "lease.txt", "chunks": chunks, "replaces": replaces});
        ada.post(&path, body).await.ok()["id"]
            .as_str()
            .unwrap()
            .to_owned()
    };
    let mut newest = bring(1, None).await;
    let replaced = std::cell::Cell::new(false);
    let replace = async {
        for number in 2..60 {
            newest = bring(number, Some(newest.clone())).await;
        }
        replaced.set(true);
    };
    let search = async || {
        let mut searches = 0;
        while !replaced.get() {
            let found = shelf.found().await;
            assert_eq!(found.len(), 1, "search {searches} saw {found:?}");
            searches += 1;
        }
        searches
    };
    let ((), first, second, third) = tokio::join!(replace, search(), search(), search());
    assert!(first + second + third > 10);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_new_version_needs_no_more_room_than_the_old_one_leaves() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let shelf = Shelf::new(&ada).await;
    let (old, new, same) = (
        shelf.upload(1).await,
        shelf.upload(2).await,
        shelf.upload(2).await,
    );
    shelf.attach(&old, None).await;
    app.run_jobs().await;
    let mut tx = app.services.db.operator().await.unwrap();
    let quotas = Quotas {
        chunks: Some(1),
        ..Quotas::default()
    };
    quota::set(&mut tx, ada.tenant_id(), quotas).await.unwrap();
    tx.commit().await.unwrap();
    shelf.attach(&new, Some(&old)).await;
    app.run_jobs().await;
    assert_eq!(shelf.found().await, [new.as_str()]);
    // One with the same bytes is copied from what it replaces.
    shelf.attach(&same, Some(&new)).await;
    app.run_jobs().await;
    assert_eq!(shelf.found().await, [same.as_str()]);
    shelf.attach(&old, None).await;
    app.run_jobs().await;
    let refused = ada.get(&format!("{}/{old}", shelf.files())).await.ok();
    assert_eq!(refused["status"], "failed");
    let path = format!("/v1/insula/vector_stores/{}/chunks", shelf.store);
    let body = json!({"filename": "more.txt", "chunks": [{"text": "More."}]});
    ada.post(&path, body.clone()).await.refused(429);
    let mut instead = body;
    instead["replaces"] = json!(same);
    ada.post(&path, instead).await.ok();
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_file_that_is_read_again_answers_with_what_was_read_before_until_then_and_if_it_fails() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let shelf = Shelf::new(&ada).await;
    let file = shelf.upload(1).await;
    shelf.attach(&file, None).await;
    app.run_jobs().await;
    let path = format!("{}/{file}", shelf.files());
    let read = ada.get(&path).await.ok();
    let chunking =
        json!({"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}});
    let again = json!({"file_id": file, "chunking_strategy": chunking});
    let attached = ada.post(&shelf.files(), again.clone()).await.ok();
    assert_eq!(
        (&attached["status"], &attached["chunking_strategy"]),
        (&json!("in_progress"), &chunking)
    );
    assert_eq!(shelf.found().await, [file.as_str()]);
    assert_invariants(app.owner()).await;

    // The disk lost the bytes.
    std::fs::remove_dir_all(app.blobs()).unwrap();
    app.run_jobs().await;
    let failed = ada.get(&path).await.ok();
    assert_eq!(failed["last_error"]["code"], "server_error");
    let message = failed["last_error"]["message"].as_str().unwrap();
    assert!(
        message.starts_with("The file could not be read again"),
        "{message}"
    );
    for key in ["status", "chunking_strategy", "usage_bytes"] {
        assert_eq!(failed[key], read[key], "as it was: {failed}");
    }
    assert_eq!(shelf.found().await, [file.as_str()]);
    assert_invariants(app.owner()).await;

    // The same for one that is given up.
    let batch = format!("/v1/vector_stores/{}/file_batches", shelf.store);
    let made = ada
        .post(&batch, json!({"file_ids": [file], "chunking_strategy": chunking}))
        .await
        .ok();
    assert_eq!(made["file_counts"]["in_progress"], 1);
    let cancel = format!("{batch}/{}/cancel", made["id"].as_str().unwrap());
    let cancelled = ada.post(&cancel, json!({})).await.ok();
    assert_eq!(cancelled["file_counts"]["completed"], 1);
    assert_eq!(
        ada.get(&path).await.ok()["chunking_strategy"],
        read["chunking_strategy"]
    );
    assert_eq!(shelf.found().await, [file.as_str()]);
    assert_invariants(app.owner()).await;
}
