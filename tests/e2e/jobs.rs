//! Background work as its tenant sees it: listed, followed, retried, cancelled.

use insula_tests::{Client, TestApp, assert_invariants, eventually};
use serde_json::{Value, json};

/// So many sentences, no two alike.
fn log(sentences: usize) -> String {
    (0..sentences)
        .map(|n| {
            format!(
                "Entry {n}: the keeper of light {} notes wind {} and sea {}. ",
                n % 7,
                n * 31,
                n * 17
            )
        })
        .collect()
}

fn data(list: &Value) -> &Vec<Value> {
    list["data"].as_array().unwrap()
}

fn id(object: &Value) -> &str {
    object["id"].as_str().unwrap()
}

async fn jobs(client: &Client, query: &str) -> Vec<Value> {
    data(&client.get(&format!("/v1/insula/jobs?{query}")).await.ok()).clone()
}

/// The newest job of a file.
async fn job_of(client: &Client, file: &str) -> Value {
    let found = jobs(client, &format!("file_id={file}")).await;
    found
        .into_iter()
        .next()
        .unwrap_or_else(|| panic!("no job of {file}"))
}

async fn job(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/insula/jobs/{id}")).await.ok()
}

async fn status_of(client: &Client, store: &str, file: &str) -> Value {
    let path = format!("/v1/vector_stores/{store}/files/{file}");
    client.get(&path).await.ok()["status"].clone()
}

/// Does something to a job that must succeed.
async fn act(client: &Client, id: &str, action: &str) -> Value {
    client
        .post(&format!("/v1/insula/jobs/{id}/{action}"), json!({}))
        .await
        .ok()
}

#[tokio::test]
async fn a_tenant_sees_its_own_jobs_with_their_places_in_the_queue() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let mut files = Vec::new();
    for n in 0..3 {
        files.push(ada.upload(&format!("{n}.txt"), format!("Text number {n}.")).await);
    }
    let ids: Vec<&str> = files.iter().map(String::as_str).collect();
    let store = ada.store("first", &ids[..2]).await;
    let other = ada.store("second", &ids[2..]).await;
    let bobs = bob.upload("bob.txt", "Of Bob.").await;
    bob.store("of bob", &[&bobs]).await;

    let queued = jobs(&ada, "order=asc&kind=ingest_file").await;
    let places: Vec<(&Value, &Value)> = queued
        .iter()
        .map(|job| (&job["file_id"], &job["position"]))
        .collect();
    let expected = [
        (&json!(files[0]), &json!(0)),
        (&json!(files[1]), &json!(1)),
        (&json!(files[2]), &json!(2)),
    ];
    assert_eq!(places, expected, "the jobs of others are not ahead");
    let first = &queued[0];
    let mut keys: Vec<&str> = first.as_object().unwrap().keys().map(String::as_str).collect();
    keys.sort_unstable();
    let documented = [
        "attempt",
        "created_at",
        "error",
        "file_id",
        "finished_at",
        "id",
        "kind",
        "max_attempts",
        "next_attempt_at",
        "object",
        "position",
        "progress",
        "stage",
        "started_at",
        "status",
        "vector_store_id",
    ];
    assert_eq!(keys, documented);
    assert_eq!(
        (
            &first["object"],
            &first["kind"],
            &first["status"],
            &first["attempt"]
        ),
        (
            &json!("insula.job"),
            &json!("ingest_file"),
            &json!("queued"),
            &json!(0)
        )
    );
    assert_eq!(first["vector_store_id"], json!(store));

    assert_eq!(jobs(&ada, &format!("vector_store_id={other}")).await.len(), 1);
    assert_eq!(job_of(&ada, &files[1]).await["id"], queued[1]["id"]);
    assert_eq!(jobs(&ada, "status=queued&kind=ingest_file").await.len(), 3);
    assert_eq!(jobs(&ada, "status=succeeded").await.len(), 0);
    assert_eq!(
        jobs(&ada, &format!("file_id={bobs}")).await.len(),
        0,
        "a foreign file has no jobs"
    );
    for (query, param) in [
        ("status=lost", "status"),
        ("file_id=7", "file_id"),
        ("kind=No%00Kind", "kind"),
    ] {
        let error = ada.get(&format!("/v1/insula/jobs?{query}")).await.refused(400);
        assert_eq!(error["param"], param);
    }
    let page = ada.get("/v1/insula/jobs?limit=2&kind=ingest_file").await.ok();
    assert_eq!((data(&page).len(), &page["has_more"]), (2, &json!(true)));
    let rest = jobs(
        &ada,
        &format!(
            "limit=2&kind=ingest_file&after={}",
            page["last_id"].as_str().unwrap()
        ),
    )
    .await;
    assert_eq!(rest.len(), 1);
    assert_eq!(rest[0]["id"], queued[0]["id"], "newest first");

    app.run_jobs().await;
    let done = job(&ada, id(first)).await;
    assert_eq!(
        (
            &done["status"],
            &done["attempt"],
            &done["position"],
            &done["error"]
        ),
        (&json!("succeeded"), &json!(1), &Value::Null, &Value::Null)
    );
    assert!(done["created_at"].as_i64() <= done["started_at"].as_i64());
    assert!(done["started_at"].as_i64() <= done["finished_at"].as_i64());
    bob.get(&format!("/v1/insula/jobs/{}", id(first)))
        .await
        .refused(404);
}

#[tokio::test]
async fn a_job_is_followed_from_the_queue_to_its_end() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let file = ada.upload("log.txt", log(200)).await;
    let store = ada.store("log", &[&file]).await;
    let queued = job_of(&ada, &file).await;
    let path = format!("/v1/insula/jobs/{}/events", id(&queued));
    bob.get(&path).await.refused(404);

    let mut stream = ada.events(&path).await;
    assert_eq!(stream.headers()["x-accel-buffering"], "no");
    let (name, first) = stream.next_named().await.unwrap();
    assert_eq!(name, "progress");
    assert_eq!(
        serde_json::from_str::<Value>(&first).unwrap(),
        queued,
        "as it is now"
    );

    let following = async {
        let mut seen = Vec::new();
        while let Some((name, data)) = stream.next_named().await {
            seen.push((name, serde_json::from_str::<Value>(&data).unwrap()));
        }
        seen
    };
    let (seen, ()) = tokio::join!(following, app.run_jobs());
    let (last, before) = seen.split_last().unwrap();
    assert_eq!(
        (last.0.as_str(), &last.1["status"]),
        ("done", &json!("succeeded"))
    );
    assert!(before.iter().all(|(name, _)| name == "progress"));
    assert!(
        before.windows(2).all(|pair| pair[0].1 != pair[1].1),
        "told twice: {before:#?}"
    );
    let embedding = before
        .iter()
        .map(|(_, job)| job)
        .find(|job| job["stage"] == "embedding" && job["progress"]["total"].as_i64() > Some(10))
        .unwrap_or_else(|| panic!("no progress: {before:#?}"));
    assert_eq!(embedding["status"], "running");
    assert_eq!(status_of(&ada, &store, &file).await, "completed");

    // Of what is over there is one event.
    let again = ada.events(&path).await.next_named().await.unwrap();
    assert_eq!(again.0, "done");
    assert_eq!(serde_json::from_str::<Value>(&again.1).unwrap(), last.1);
}

#[tokio::test]
async fn a_stream_ends_with_the_key_that_opened_it() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let file = ada.upload("a.txt", "Text.").await;
    ada.store("a", &[&file]).await;
    let queued = job_of(&ada, &file).await;
    let mut stream = ada
        .events(&format!("/v1/insula/jobs/{}/events", id(&queued)))
        .await;
    assert_eq!(stream.next_named().await.unwrap().0, "progress");
    let mut tx = app.services.db.operator().await.unwrap();
    for key in insula_tenancy::key::list(&mut tx, ada.tenant_id()).await.unwrap() {
        insula_tenancy::key::revoke(&mut tx, key.id).await.unwrap();
    }
    tx.commit().await.unwrap();
    let (name, data) = stream.next_named().await.unwrap();
    assert_eq!(name, "error");
    let error: Value = serde_json::from_str(&data).unwrap();
    assert_eq!(error["error"]["code"], "invalid_api_key");
    assert!(stream.next_named().await.is_none());
}

#[tokio::test]
async fn a_job_that_waits_is_cancelled_at_once_and_can_be_retried() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let file = ada.upload("a.txt", "The word is zebra.").await;
    let store = ada.store("a", &[&file]).await;
    let queued = job_of(&ada, &file).await;
    for action in ["cancel", "retry"] {
        let path = format!("/v1/insula/jobs/{}/{action}", id(&queued));
        bob.post(&path, json!({})).await.refused(404);
    }
    assert_eq!(
        act(&ada, id(&queued), "retry").await["status"],
        "queued",
        "under way already"
    );

    let cancelled = act(&ada, id(&queued), "cancel").await;
    assert_eq!(cancelled["status"], "cancelled");
    assert_eq!(status_of(&ada, &store, &file).await, "cancelled");
    assert_eq!(act(&ada, id(&queued), "cancel").await, cancelled, "again");
    app.run_jobs().await;
    assert_eq!(job(&ada, id(&queued)).await, cancelled);
    assert_invariants(app.owner()).await;

    let again = act(&ada, id(&queued), "retry").await;
    assert_eq!(
        (&again["status"], &again["position"]),
        (&json!("queued"), &json!(0))
    );
    assert_eq!(status_of(&ada, &store, &file).await, "in_progress");
    app.run_jobs().await;
    assert_eq!(status_of(&ada, &store, &file).await, "completed");
    let succeeded = job(&ada, id(&queued)).await;
    assert_eq!(act(&ada, id(&queued), "cancel").await, succeeded, "too late");
    let path = format!("/v1/insula/jobs/{}/retry", id(&queued));
    ada.post(&path, json!({})).await.refused(409);
    assert_eq!(status_of(&ada, &store, &file).await, "completed");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_job_that_runs_is_stopped_and_writes_nothing() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let file = ada.upload("log.txt", log(2000)).await;
    let store = ada.store("log", &[&file]).await;
    let running = eventually("it embeds", async || {
        let job = job_of(&ada, &file).await;
        (job["stage"] == "embedding").then_some(job)
    })
    .await;
    assert_eq!(running["status"], "running");
    let mut stream = ada
        .events(&format!("/v1/insula/jobs/{}/events", id(&running)))
        .await;
    assert_eq!(act(&ada, id(&running), "cancel").await["status"], "cancelled");
    assert_eq!(status_of(&ada, &store, &file).await, "cancelled");
    let last = loop {
        let (name, data) = stream.next_named().await.unwrap();
        if name == "done" {
            break data;
        }
    };
    assert!(last.contains(r#""status":"cancelled""#), "{last}");

    // The worker goes on with others, and of the cancelled file nothing comes any more.
    let (_, _) = ada.library(&[("next.txt", "Another file.")]).await;
    assert_eq!(status_of(&ada, &store, &file).await, "cancelled");
    let found = ada.get(&format!("/v1/vector_stores/{store}")).await.ok();
    assert_eq!(found["file_counts"]["cancelled"], 1);
    assert_invariants(app.owner()).await;

    // Attached again, it is read by another job; the old one has nothing left to do.
    let path = format!("/v1/vector_stores/{store}/files");
    ada.post(&path, json!({"file_id": file})).await.ok();
    let path = format!("/v1/insula/jobs/{}/retry", id(&running));
    ada.post(&path, json!({})).await.refused(409);
    let second = job_of(&ada, &file).await;
    assert_ne!(second["id"], running["id"]);
    act(&ada, id(&second), "cancel").await;
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_dead_job_says_why_and_is_retried_alone_or_with_others() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let mut files = Vec::new();
    for name in ["a.txt", "b.txt", "gone.txt"] {
        files.push(ada.upload(name, "   ").await);
    }
    let ids: Vec<&str> = files.iter().map(String::as_str).collect();
    let store = ada.store("empty", &ids).await;
    app.run_jobs().await;

    let dead = jobs(&ada, "status=dead").await;
    assert_eq!(dead.len(), 3);
    let path = format!("/v1/vector_stores/{store}/files/{}", files[0]);
    let file = ada.get(&path).await.ok();
    assert_eq!(file["status"], "failed");
    let reason = &job_of(&ada, &files[0]).await["error"];
    assert_eq!(reason, &file["last_error"]["message"]);

    // Nothing is left of this one but its job.
    ada.delete(&format!("/v1/files/{}", files[2])).await.ok();
    let gone = job_of(&ada, &files[2]).await;
    let path = format!("/v1/insula/jobs/{}/retry", id(&gone));
    ada.post(&path, json!({})).await.refused(409);

    let one = act(&ada, id(&job_of(&ada, &files[0]).await), "retry").await;
    assert_eq!(
        (&one["status"], &one["attempt"], &one["error"]),
        (&json!("queued"), &json!(0), &Value::Null)
    );
    assert_eq!(status_of(&ada, &store, &files[0]).await, "in_progress");
    let all = |body: Value| ada.post("/v1/insula/jobs/retry", body);
    let outcome = all(json!({"vector_store_id": store})).await.ok();
    assert_eq!(
        outcome,
        json!({"object": "insula.job_retry", "retried": 1, "skipped": 1, "has_more": false})
    );
    assert_eq!(all(json!({"kind": "delete_blob"})).await.ok()["retried"], 0);
    let error = all(json!({"file_id": files[2]})).await.refused(404);
    assert_eq!(error["param"], "file_id");
    bob.post("/v1/insula/jobs/retry", json!({"vector_store_id": store}))
        .await
        .refused(404);
    let nothing = bob.post("/v1/insula/jobs/retry", json!({})).await.ok();
    assert_eq!((&nothing["retried"], &nothing["skipped"]), (&json!(0), &json!(0)));
    app.run_jobs().await;
    assert_eq!(jobs(&ada, "status=dead").await.len(), 3, "it is no better now");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn what_is_our_fault_is_tried_again_and_its_inside_stays_inside() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let file = ada.upload("a.txt", "The word is zebra.").await;
    let store = ada.store("a", &[&file]).await;
    let name = app.blob_names().pop().unwrap();
    let (blob, aside) = (app.blobs().join(&name), app.blobs().join("aside"));
    std::fs::rename(&blob, &aside).unwrap();
    app.run_jobs().await;

    let dead = job_of(&ada, &file).await;
    assert_eq!(
        (&dead["status"], &dead["attempt"]),
        (&json!("dead"), &dead["max_attempts"])
    );
    let told = dead["error"].as_str().unwrap();
    assert!(told.contains("operator"), "{told}");
    let kept: String = sqlx::query_scalar("select last_error from jobs where state = 'dead'")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert!(!kept.is_empty() && kept != told, "{kept}");
    assert!(!dead.to_string().contains(&kept), "{dead}");

    // It waits for its time between attempts.
    act(&ada, id(&dead), "retry").await;
    sqlx::query(
        "update jobs set state = 'ready', due = false, attempt = 1, run_at = now() + interval '1 hour'",
    )
    .execute(app.owner())
    .await
    .unwrap();
    let waiting = job(&ada, id(&dead)).await;
    assert_eq!(
        (&waiting["status"], &waiting["position"]),
        (&json!("scheduled"), &Value::Null)
    );
    assert!(waiting["next_attempt_at"].as_i64() > waiting["created_at"].as_i64());

    std::fs::rename(&aside, &blob).unwrap();
    app.run_jobs().await;
    assert_eq!(job(&ada, id(&dead)).await["status"], "succeeded");
    assert_eq!(status_of(&ada, &store, &file).await, "completed");
}

#[tokio::test]
async fn what_keeps_the_install_clean_cannot_be_cancelled_and_old_jobs_are_forgotten() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let file = ada.upload("a.txt", "Text.").await;
    ada.delete(&format!("/v1/files/{file}")).await.ok();
    let deletion = &jobs(&ada, "kind=delete_blob").await[0];
    let path = format!("/v1/insula/jobs/{}/cancel", id(deletion));
    ada.post(&path, json!({})).await.refused(409);
    app.run_jobs().await;
    assert_eq!(job(&ada, id(deletion)).await["status"], "succeeded");

    for (client, name) in [(&ada, "ada.txt"), (&bob, "bob.txt")] {
        let (_, _) = (client.upload(name, "x").await, app.run_jobs().await);
    }
    let forget = async |client: &Client| {
        let mut tx = app.services.db.tenant(&app.context(client).await).await.unwrap();
        let gone = insula_core::job::forget_old(&mut tx).await.unwrap();
        tx.commit().await.unwrap();
        gone
    };
    assert_eq!(forget(&ada).await, 0, "too young");
    sqlx::query(
        "update jobs set created_at = created_at - interval '8 days', finished_at = finished_at - interval '8 days'",
    )
    .execute(app.owner())
    .await
    .unwrap();
    assert_eq!(forget(&bob).await, 0, "another tenant's");
    assert_eq!(forget(&ada).await, 1);
    ada.get(&format!("/v1/insula/jobs/{}", id(deletion)))
        .await
        .refused(404);
}
