//! What has a lifetime goes when it is over, and what nobody knows goes with the daily clean-up.

use std::path::Path;
use std::time::{Duration, SystemTime};

use insula_tests::{Client, TestApp, assert_invariants, eventually};
use serde_json::{Value, json};

async fn execute(app: &TestApp, statement: &'static str) {
    sqlx::query(statement).execute(app.owner()).await.unwrap();
}

async fn waiting(app: &TestApp, kind: &str) -> i64 {
    sqlx::query_scalar("select count(*) from jobs where kind = $1 and state = 'ready'")
        .bind(kind)
        .fetch_one(app.owner())
        .await
        .unwrap()
}

/// A file that lives for an hour. Its id.
async fn mortal(client: &Client) -> String {
    let fields = [
        ("purpose", "assistants"),
        ("expires_after[anchor]", "created_at"),
        ("expires_after[seconds]", "3600"),
    ];
    let file = client
        .upload_with("mortal.txt", b"Zebras graze at dawn.", &fields)
        .await
        .ok();
    file["id"].as_str().unwrap().to_owned()
}

#[tokio::test]
async fn a_file_whose_time_is_over_disappears_from_disk_and_from_search() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let file = mortal(&ada).await;
    let kept = ada.upload("kept.txt", "Zebras sleep at noon.").await;
    let bobs = mortal(&bob).await;
    let store = ada.store("s", &[&file, &kept]).await;
    app.run_jobs().await;
    let hits = async || {
        ada.search(&store, json!({"query": "zebras"})).await["data"]
            .as_array()
            .unwrap()
            .len()
    };
    assert_eq!(hits().await, 2);

    // Too early, the job only waits for the right time.
    app.bring_forward("expire_file").await;
    app.run_jobs().await;
    assert_eq!((hits().await, waiting(&app, "expire_file").await), (2, 2));

    sqlx::query("update files set expires_at = now() - interval '1 second' where filename = 'mortal.txt' and tenant_id = $1")
        .bind(ada.tenant_id().uuid())
        .execute(app.owner())
        .await
        .unwrap();
    app.bring_forward("expire_file").await;
    app.run_jobs().await;
    assert_eq!(hits().await, 1);
    assert_eq!(app.blob_names().len(), 2, "{:?}", app.blob_names());
    let counts = ada.get(&format!("/v1/vector_stores/{store}")).await.ok()["file_counts"].clone();
    assert_eq!(counts["total"], 1);
    bob.get(&format!("/v1/files/{bobs}")).await.ok();
    // One that is deleted before leaves its job nothing to do.
    bob.delete(&format!("/v1/files/{bobs}")).await.ok();
    app.bring_forward("expire_file").await;
    app.run_jobs().await;
    assert_eq!(waiting(&app, "expire_file").await, 0);
    assert_eq!(app.blob_names().len(), 1);
    assert_invariants(app.owner()).await;
}

/// A store that lives for so many days without use, with a file in it that has been read.
async fn mortal_store(app: &TestApp, client: &Client, days: i32) -> (String, String) {
    let file = client.upload("a.txt", "Zebras graze at dawn.").await;
    let new = json!({"file_ids": [file], "expires_after": {"anchor": "last_active_at", "days": days}});
    let store = client.post("/v1/vector_stores", new).await.ok();
    app.run_jobs().await;
    (store["id"].as_str().unwrap().to_owned(), file)
}

const ZEBRAS: &str = "zebras";

#[tokio::test]
async fn a_store_that_was_not_used_loses_its_passages_and_stays_readable() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, file) = mortal_store(&app, &ada, 30).await;
    let (bobs, _) = mortal_store(&app, &bob, 30).await;
    let path = format!("/v1/vector_stores/{store}");
    // A file that waits when the end comes.
    let late = ada.upload("late.txt", "Owls hunt at night.").await;
    let batch = ada
        .post(&format!("{path}/file_batches"), json!({"file_ids": [late]}))
        .await
        .ok();

    // The end is brought forward, and then it comes.
    let expires_after = json!({"expires_after": {"anchor": "last_active_at", "days": 1}});
    ada.post(&path, expires_after).await.ok();
    execute(
        &app,
        "update vector_stores set last_active_at = now() - interval '25 hours'",
    )
    .await;
    // Before the job: a change comes too late, and revives nothing.
    let renamed = ada
        .post(&path, json!({"name": "late", "expires_after": null}))
        .await
        .ok();
    assert_eq!(
        (&renamed["status"], &renamed["name"]),
        (&json!("expired"), &json!("late"))
    );
    app.bring_forward("expire_vector_store").await;
    app.run_jobs().await;

    let found = ada.get(&path).await.ok();
    assert_eq!(
        (&found["status"], &found["usage_bytes"]),
        (&json!("expired"), &json!(0))
    );
    let counts: Value = found["file_counts"].clone();
    assert_eq!(
        (&counts["cancelled"], &counts["total"]),
        (&json!(2), &json!(2)),
        "{counts}"
    );
    let chunks: i64 = sqlx::query_scalar("select count(*) from chunks where tenant_id = $1")
        .bind(ada.tenant_id().uuid())
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(chunks, 0);
    let files = ada.get(&format!("{path}/files")).await.ok();
    assert_eq!(
        files["data"].as_array().unwrap().len(),
        2,
        "a new store can be made of them"
    );
    for refused in [
        ada.post(&format!("{path}/search"), json!({"query": ZEBRAS}))
            .await,
        ada.post(&format!("{path}/files"), json!({"file_id": file})).await,
        ada.post(&format!("{path}/file_batches"), json!({"file_ids": [file]}))
            .await,
        ada.post(
            &format!("/v1/insula/vector_stores/{store}/chunks"),
            json!({"file_id": file, "chunks": [{"text": "More."}]}),
        )
        .await,
    ] {
        assert_eq!(refused.refused(400)["code"], "vector_store_expired");
    }
    let batch = format!("{path}/file_batches/{}", batch["id"].as_str().unwrap());
    assert_eq!(ada.get(&batch).await.ok()["status"], "cancelled");
    let revived = ada.post(&path, json!({"expires_after": null})).await.ok();
    assert_eq!(revived["status"], "expired");
    let again = ada.store("again", &[&file]).await;
    app.run_jobs().await;
    assert_eq!(
        ada.search(&again, json!({"query": ZEBRAS})).await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );

    // Bob's had 30 days.
    assert_eq!(
        bob.search(&bobs, json!({"query": ZEBRAS})).await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_invariants(app.owner()).await;
    ada.delete(&path).await.ok();
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_store_that_is_used_lives_on() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let (store, _) = mortal_store(&app, &ada, 1).await;
    execute(
        &app,
        "update vector_stores set last_active_at = now() - interval '23 hours'",
    )
    .await;
    ada.search(&store, json!({"query": ZEBRAS})).await;
    app.bring_forward("expire_vector_store").await;
    app.run_jobs().await;
    assert_eq!(
        ada.get(&format!("/v1/vector_stores/{store}")).await.ok()["status"],
        "completed"
    );
    let in_hours: f64 = sqlx::query_scalar(
        "select (extract(epoch from max(run_at) - now()) / 3600)::float8 from jobs
         where kind = 'expire_vector_store' and state = 'ready'",
    )
    .fetch_one(app.owner())
    .await
    .unwrap();
    assert!(
        (23.9..=24.0).contains(&in_hours),
        "the job waits for {in_hours} hours"
    );
    // Kept for ever, no job waits any longer than it has to.
    ada.post(
        &format!("/v1/vector_stores/{store}"),
        json!({"expires_after": null}),
    )
    .await
    .ok();
    app.bring_forward("expire_vector_store").await;
    app.run_jobs().await;
    assert_eq!(waiting(&app, "expire_vector_store").await, 0);
    assert_invariants(app.owner()).await;
}

fn plant(path: &Path, age: Duration) {
    std::fs::create_dir_all(path.parent().unwrap()).unwrap();
    let file = std::fs::File::create(path).unwrap();
    file.set_modified(SystemTime::now() - age).unwrap();
}

#[tokio::test]
async fn bytes_and_rows_that_have_served_are_cleaned_up_for_the_tenant_whose_job_it_is() {
    const OLD: Duration = Duration::from_secs(25 * 3600);
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let file = ada.upload("a.txt", "Apples.").await;
    bob.upload("b.txt", "Pears.").await;
    let blob = |tenant: &Client, name: &str| app.blobs().join(tenant.tenant_id().to_string()).join(name);
    let known = app.blobs().join(&app.blob_names()[0]);
    std::fs::File::open(known)
        .unwrap()
        .set_modified(SystemTime::now() - OLD)
        .unwrap();
    plant(&blob(&ada, "orphan"), OLD);
    plant(&blob(&ada, "fresh"), Duration::from_secs(3600));
    plant(&blob(&bob, "orphan"), OLD);
    plant(&app.blobs().join("tmp/broken"), OLD);
    for tenant in [&ada, &bob] {
        let request = tenant
            .request(reqwest::Method::POST, "/v1/vector_stores")
            .json(&json!({}));
        tenant.send(request.header("idempotency-key", "k")).await.ok();
    }
    execute(
        &app,
        "update idempotency_keys set created_at = now() - interval '25 hours'",
    )
    .await;
    assert_eq!(waiting(&app, "housekeeping").await, 2, "one for each tenant");

    sqlx::query("update jobs set run_at = now() where kind = 'housekeeping' and tenant_id = $1")
        .bind(ada.tenant_id().uuid())
        .execute(app.owner())
        .await
        .unwrap();
    app.run_jobs().await;
    assert!(!blob(&ada, "orphan").exists() && !app.blobs().join("tmp/broken").exists());
    assert!(
        blob(&ada, "fresh").exists(),
        "its row may be about to be committed"
    );
    assert!(blob(&bob, "orphan").exists(), "of another tenant");
    ada.get(&format!("/v1/files/{file}/content")).await;
    assert_eq!(app.blob_names().len(), 4, "{:?}", app.blob_names());
    let keys: Vec<uuid::Uuid> = sqlx::query_scalar("select tenant_id from idempotency_keys")
        .fetch_all(app.owner())
        .await
        .unwrap();
    assert_eq!(keys, [bob.tenant_id().uuid()]);
    assert_eq!(waiting(&app, "housekeeping").await, 2, "tomorrow again");
}

#[tokio::test]
async fn where_nothing_is_left_housekeeping_ends_and_the_next_thing_starts_it_again() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let file = ada.upload("a.txt", "Apples.").await;
    ada.upload("b.txt", "Pears.").await;
    assert_eq!(waiting(&app, "housekeeping").await, 1);
    execute(&app, "delete from files").await;
    ada.get(&format!("/v1/files/{file}")).await.refused(404);
    app.bring_forward("housekeeping").await;
    app.run_jobs().await;
    assert_eq!(waiting(&app, "housekeeping").await, 0);
    ada.store("s", &[]).await;
    eventually("it is planned", async || {
        (waiting(&app, "housekeeping").await == 1).then_some(())
    })
    .await;
}
