//! Webhooks: deliveries to a receiver in the world outside.

use std::time::{Duration, Instant};

use insula_tests::{Client, Reply, Seen, Setup, TestApp, Web, eventually};
use serde_json::{Value, json};
use standardwebhooks::Webhook;

async fn start() -> (TestApp, Web) {
    start_with(false).await
}

async fn start_with(worker: bool) -> (TestApp, Web) {
    let setup = Setup {
        worker,
        outbound_allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..Setup::default()
    };
    let web = Web::start().await;
    web.put("/hook", Reply::status(204));
    (TestApp::with(setup).await, web)
}

async fn create(client: &Client, url: &str, events: &[&str]) -> (String, String) {
    let made = client
        .post("/v1/insula/webhooks", json!({"url": url, "events": events}))
        .await
        .ok();
    let text = |name: &str| made[name].as_str().unwrap().to_owned();
    (text("id"), text("secret"))
}

async fn test(client: &Client, id: &str) -> String {
    let path = format!("/v1/insula/webhooks/{id}/test");
    let planned = client.post(&path, json!({})).await.ok();
    planned["id"].as_str().unwrap().to_owned()
}

async fn log(client: &Client, id: &str) -> Vec<Value> {
    let path = format!("/v1/insula/webhooks/{id}/deliveries");
    client.get(&path).await.ok()["data"].as_array().unwrap().clone()
}

async fn get(client: &Client, id: &str) -> Value {
    client.get(&format!("/v1/insula/webhooks/{id}")).await.ok()
}

fn verify(secret: &str, seen: &Seen) -> bool {
    let receiver = Webhook::new(secret).unwrap();
    receiver.verify(&seen.body, &seen.headers).is_ok()
}

/// Has the attempts that wait for their time made now.
async fn next_attempt(app: &TestApp) {
    sqlx::query("update jobs set run_at = now() where kind = 'deliver_webhook' and state = 'ready'")
        .execute(app.owner())
        .await
        .unwrap();
    app.run_jobs().await;
}

#[tokio::test]
async fn a_delivery_is_signed_and_logged() {
    let (app, web) = start().await;
    let (ada, bob) = app.two_tenants().await;
    let (id, secret) = create(&ada, &web.url("/hook"), &["webhook.test"]).await;
    create(&bob, &web.url("/bobs"), &["webhook.test"]).await;
    let event = test(&ada, &id).await;
    app.run_jobs().await;

    let seen = web.seen("");
    assert_eq!(seen.len(), 1, "only the webhook that was asked for: {seen:?}");
    let [seen] = &seen[..] else { unreachable!() };
    assert_eq!((seen.method.as_str(), seen.path.as_str()), ("POST", "/hook"));
    assert!(verify(&secret, seen));
    assert!(!verify("whsec_MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw", seen));
    assert_eq!(seen.headers["webhook-id"], event.as_str());
    assert_eq!(seen.headers["content-type"], "application/json");
    assert!(
        seen.headers["user-agent"]
            .to_str()
            .unwrap()
            .starts_with("Insula/")
    );
    let payload: Value = serde_json::from_slice(&seen.body).unwrap();
    assert_eq!(payload["type"], "webhook.test");
    assert_eq!(payload["data"], json!({"webhook_id": id}));
    assert!(payload["timestamp"].as_str().unwrap().ends_with('Z'));

    let log = log(&ada, &id).await;
    assert_eq!(log.len(), 1);
    assert_eq!(
        (&log[0]["id"], &log[0]["status"], &log[0]["type"]),
        (&json!(event), &json!("delivered"), &json!("webhook.test"))
    );
    assert_eq!(log[0]["attempts"][0]["status_code"], 204);
    assert_eq!(log[0]["next_attempt_at"], json!(null));
}

#[tokio::test]
async fn the_secret_is_shown_once_and_webhooks_are_their_tenants_own() {
    let (app, web) = start().await;
    let (ada, bob) = app.two_tenants().await;
    let (id, secret) = create(&ada, &web.url("/hook"), &["source.crawled", "webhook.test"]).await;
    assert!(secret.starts_with("whsec_"));
    let path = format!("/v1/insula/webhooks/{id}");
    for path in [&path, "/v1/insula/webhooks"] {
        let answer = ada.get(path).await;
        answer.ok();
        assert!(
            !String::from_utf8_lossy(&answer.bytes).contains("whsec_"),
            "{answer}"
        );
    }
    let events = &get(&ada, &id).await["events"];
    assert_eq!(events, &json!(["source.crawled", "webhook.test"]));
    bob.get(&path).await.refused(404);
    bob.get(&format!("{path}/deliveries")).await.refused(404);
    bob.post(&format!("{path}/rotate_secret"), json!({}))
        .await
        .refused(404);
    bob.delete(&path).await.refused(404);
    ada.delete(&path).await.ok();
    ada.get(&path).await.refused(404);
}

#[tokio::test]
async fn bad_requests_are_refused_with_their_reason() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for url in [
        "http://127.0.0.1/",
        "http://2130706433/",
        "http://[::ffff:127.0.0.1]/",
        "http://169.254.169.254/latest/meta-data",
        "http://example.com:8080/",
        "https://user:password@example.com/",
        "ftp://example.com/",
        "hello",
    ] {
        let body = json!({"url": url, "events": ["webhook.test"]});
        let error = ada.post("/v1/insula/webhooks", body).await.refused(400);
        assert_eq!(error["param"], "url", "{url}: {error}");
    }
    for (body, param) in [
        (json!({"url": "https://example.com", "events": []}), "events"),
        (
            json!({"url": "https://example.com", "events": ["everything"]}),
            "events[0]",
        ),
        (json!({"events": ["webhook.test"]}), "url"),
    ] {
        let error = ada.post("/v1/insula/webhooks", body).await.refused(400);
        assert_eq!(error["param"], param, "{error}");
    }
    let (id, _) = create(&ada, "https://example.com/", &["webhook.test"]).await;
    let path = format!("/v1/insula/webhooks/{id}");
    ada.post(&path, json!({"url": "http://10.0.0.1/"}))
        .await
        .refused(400);
    ada.post(&path, json!({"enabled": false})).await.ok();
    ada.post(&format!("{path}/test"), json!({})).await.refused(409);
    for _ in 1..20 {
        create(&ada, "https://example.com/", &["webhook.test"]).await;
    }
    let more = json!({"url": "https://example.com", "events": ["webhook.test"]});
    ada.post("/v1/insula/webhooks", more).await.refused(409);
}

#[tokio::test]
async fn names_that_lead_inside_and_redirects_are_not_followed() {
    let web = Web::start().await;
    let closed = TestApp::without_worker().await;
    let ada = closed.tenant("ada").await;
    let (id, _) = create(&ada, "http://localhost/hook", &["webhook.test"]).await;
    test(&ada, &id).await;
    closed.run_jobs().await;
    let attempt = &log(&ada, &id).await[0]["attempts"][0];
    assert_eq!(attempt["error"], "'localhost' is not on the public internet.");

    let (app, _) = start().await;
    let bob = app.tenant("bob").await;
    web.put("/away", Reply::redirect(web.url("/hook")));
    let (id, _) = create(&bob, &web.url("/away"), &["webhook.test"]).await;
    test(&bob, &id).await;
    app.run_jobs().await;
    let delivery = &log(&bob, &id).await[0];
    assert_eq!(
        (&delivery["status"], &delivery["attempts"][0]["status_code"]),
        (&json!("pending"), &json!(302))
    );
    assert!(web.seen("/hook").is_empty());
}

#[tokio::test]
async fn a_failing_receiver_is_tried_for_a_day_with_the_same_event() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    web.put("/hook", Reply::status(500));
    let (id, secret) = create(&ada, &web.url("/hook"), &["webhook.test"]).await;
    test(&ada, &id).await;
    app.run_jobs().await;
    assert_eq!(web.seen("/hook").len(), 1, "the second attempt waits");
    let first = &log(&ada, &id).await[0];
    let pause = first["next_attempt_at"].as_i64().unwrap() - first["attempts"][0]["at"].as_i64().unwrap();
    assert!((5..=7).contains(&pause), "{first}");
    assert!(get(&ada, &id).await["failing_since"].is_i64());
    for _ in 0..10 {
        next_attempt(&app).await;
    }
    let seen = web.seen("/hook");
    assert_eq!(seen.len(), 8, "and then it is given up");
    assert!(
        seen.iter()
            .all(|seen| verify(&secret, seen) && seen.body == seen.body)
    );
    assert!(
        seen.iter()
            .all(|one| one.headers["webhook-id"] == seen[0].headers["webhook-id"])
    );
    assert!(seen.iter().all(|one| one.body == seen[0].body));
    let delivery = &log(&ada, &id).await[0];
    assert_eq!(
        (&delivery["status"], &delivery["next_attempt_at"]),
        (&json!("failed"), &json!(null))
    );
    assert_eq!(delivery["attempts"].as_array().unwrap().len(), 8);

    // A success forgives.
    web.put("/hook", Reply::status(200));
    test(&ada, &id).await;
    app.run_jobs().await;
    assert_eq!(get(&ada, &id).await["failing_since"], json!(null));
}

#[tokio::test]
async fn after_a_day_of_failures_or_a_410_a_webhook_is_disabled_and_others_are_told() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    create(&ada, &web.url("/watch"), &["webhook.disabled"]).await;
    web.put("/watch", Reply::status(200));
    for (reply, waits) in [(Reply::status(410), false), (Reply::status(500), true)] {
        web.put("/hook", reply);
        let (id, _) = create(&ada, &web.url("/hook"), &["webhook.test"]).await;
        test(&ada, &id).await;
        app.run_jobs().await;
        if waits {
            assert_eq!(get(&ada, &id).await["enabled"], true);
            sqlx::query("update webhooks set failing_since = now() - interval '25 hours' where failing_since is not null")
                .execute(app.owner())
                .await
                .unwrap();
            next_attempt(&app).await;
        }
        let webhook = get(&ada, &id).await;
        assert_eq!(webhook["enabled"], false, "{webhook}");
        assert!(webhook["disabled_reason"].is_string());
        let told = log(&ada, &id).await;
        assert_eq!(
            (&told[0]["type"], &told[0]["status"]),
            (&json!("webhook.disabled"), &json!("cancelled")),
            "its own log says so"
        );
        let seen = web.seen("/watch");
        let payload: Value = serde_json::from_slice(&seen.last().unwrap().body).unwrap();
        assert_eq!(payload["data"]["webhook_id"], json!(id));

        // What waits is not delivered any more; enabled again, it is told again.
        next_attempt(&app).await;
        let before = web.seen("/hook").len();
        assert!(log(&ada, &id).await.iter().all(|one| one["status"] != "pending"));
        web.put("/hook", Reply::status(200));
        let enabled = ada
            .post(&format!("/v1/insula/webhooks/{id}"), json!({"enabled": true}))
            .await
            .ok();
        assert_eq!(
            (&enabled["enabled"], &enabled["disabled_reason"]),
            (&json!(true), &json!(null))
        );
        test(&ada, &id).await;
        app.run_jobs().await;
        assert_eq!(web.seen("/hook").len(), before + 1);
    }
    assert_eq!(web.seen("/watch").len(), 2);
}

#[tokio::test]
async fn after_a_rotation_both_secrets_sign_for_a_day() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    let (id, old) = create(&ada, &web.url("/hook"), &["webhook.test"]).await;
    let rotated = ada
        .post(&format!("/v1/insula/webhooks/{id}/rotate_secret"), json!({}))
        .await
        .ok();
    let new = rotated["secret"].as_str().unwrap();
    assert_ne!(new, old);
    test(&ada, &id).await;
    app.run_jobs().await;
    let seen = web.seen("/hook");
    assert!(verify(new, &seen[0]) && verify(&old, &seen[0]));
    sqlx::query("update webhooks set previous_secret_until = now() - interval '1 second'")
        .execute(app.owner())
        .await
        .unwrap();
    test(&ada, &id).await;
    app.run_jobs().await;
    let seen = web.seen("/hook");
    assert!(verify(new, &seen[1]) && !verify(&old, &seen[1]));
}

#[tokio::test]
async fn a_receiver_that_hangs_or_babbles_holds_up_nobody() {
    let (app, web) = start_with(true).await;
    let (ada, bob) = app.two_tenants().await;
    web.put("/hang", Reply::hang());
    web.put("/babble", Reply::of("text/plain", vec![b'x'; 3_000_000]));
    let (babbling, _) = create(&ada, &web.url("/babble"), &["webhook.test"]).await;
    test(&ada, &babbling).await;
    eventually("an endless answer is cut, and its status counts", async || {
        (log(&ada, &babbling).await[0]["status"] == "delivered").then_some(())
    })
    .await;
    let (hanging, _) = create(&ada, &web.url("/hang"), &["webhook.test"]).await;
    test(&ada, &hanging).await;
    eventually("the receiver hangs", async || {
        (!web.seen("/hang").is_empty()).then_some(())
    })
    .await;
    let started = Instant::now();
    let (id, _) = create(&bob, &web.url("/hook"), &["webhook.test"]).await;
    test(&bob, &id).await;
    eventually("bob is told", async || {
        (!web.seen("/hook").is_empty()).then_some(())
    })
    .await;
    assert!(started.elapsed() < Duration::from_secs(5));
    let attempt = eventually("the attempt is given up", async || {
        log(&ada, &hanging).await[0]["attempts"].get(0).cloned()
    })
    .await;
    assert_eq!(attempt["error"], "It did not answer in time.");
    let took = attempt["duration_ms"].as_i64().unwrap();
    assert!((9_000..15_000).contains(&took), "{took}");
}

#[tokio::test]
async fn the_end_of_files_and_batches_is_told_to_their_own_tenant() {
    let (app, web) = start().await;
    let (ada, bob) = app.two_tenants().await;
    web.put("/bobs", Reply::status(200));
    let events = [
        "vector_store.file.completed",
        "vector_store.file.failed",
        "vector_store.file_batch.completed",
        "vector_store.file_batch.failed",
    ];
    create(&ada, &web.url("/hook"), &events).await;
    create(&bob, &web.url("/bobs"), &events).await;
    let (good, bad) = (
        ada.upload("a.txt", "A text.").await,
        ada.upload("b.txt", "").await,
    );
    let store = ada.store("told", &[]).await;
    let mut expected = Vec::new();
    for (file, file_event, batch_event) in [(good, events[0], events[2]), (bad, events[1], events[3])] {
        let path = format!("/v1/vector_stores/{store}/file_batches");
        let batch = ada.post(&path, json!({"file_ids": [file]})).await.ok()["id"].clone();
        app.run_jobs().await;
        expected.push((
            json!(file_event),
            json!({"vector_store_id": store, "file_id": file}),
        ));
        expected.push((
            json!(batch_event),
            json!({"vector_store_id": store, "file_batch_id": batch}),
        ));
    }
    let seen = web.seen("/hook");
    let told: Vec<Value> = seen
        .iter()
        .map(|seen| serde_json::from_slice(&seen.body).unwrap())
        .collect();
    assert_eq!(told.len(), expected.len(), "{told:?}");
    for (kind, data) in expected {
        let found = told
            .iter()
            .filter(|told| told["type"] == kind && told["data"] == data);
        assert_eq!(found.count(), 1, "{kind} {data} in {told:?}");
    }
    assert!(web.seen("/bobs").is_empty());
}

#[tokio::test]
async fn the_log_goes_back_a_month() {
    let (app, web) = start().await;
    let ada = app.tenant("ada").await;
    let (id, _) = create(&ada, &web.url("/hook"), &["webhook.test"]).await;
    test(&ada, &id).await;
    app.run_jobs().await;
    for table in ["webhook_events", "webhook_deliveries"] {
        let age = format!("update {table} set created_at = now() - interval '31 days'");
        sqlx::raw_sql(sqlx::AssertSqlSafe(age))
            .execute(app.owner())
            .await
            .unwrap();
    }
    assert!(log(&ada, &id).await.is_empty());
    test(&ada, &id).await;
    app.run_jobs().await;
    let left: i64 = sqlx::query_scalar("select count(*) from webhook_events")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(left, 1, "and what is older is removed");
}
