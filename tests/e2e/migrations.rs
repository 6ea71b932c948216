//! `/v1/insula/vector_stores/{id}/migrate` and `…/migrations`: searched all the while, whole at every moment.

use insula_core::Models;
use insula_tests::{
    Answer, BagOfWords, Client, ServerProcess, Setup, TestApp, assert_invariants, eventually, insula_binary,
};
use reqwest::Method;
use serde_json::{Value, json};
use std::time::Duration;

use crate::library::FACTS;

const OLD: &str = "all-MiniLM-L6-v2";
const NEW: &str = "bag-of-words";

async fn app(worker: bool) -> TestApp {
    TestApp::with(Setup {
        worker,
        models: vec![BagOfWords::new(NEW)],
        ..Setup::default()
    })
    .await
}

fn migrations(store: &str) -> String {
    format!("/v1/insula/vector_stores/{store}/migrations")
}

async fn migrate(client: &Client, store: &str, body: Value) -> Answer {
    client
        .post(&format!("/v1/insula/vector_stores/{store}/migrate"), body)
        .await
}

/// Begins a migration to [`NEW`]. Its path.
async fn begin(client: &Client, store: &str, auto_switch: bool) -> String {
    let body = json!({"model": NEW, "auto_switch": auto_switch});
    let migration = migrate(client, store, body).await.ok();
    format!("{}/{}", migrations(store), migration["id"].as_str().unwrap())
}

async fn act(client: &Client, migration: &str, verb: &str) -> Answer {
    client.post(&format!("{migration}/{verb}"), json!({})).await
}

/// A store of facts that are read, on an app whose jobs wait.
async fn facts(app: &TestApp, client: &Client) -> String {
    let mut files = Vec::new();
    for (name, text) in FACTS {
        files.push(client.upload(name, text).await);
    }
    let files: Vec<&str> = files.iter().map(String::as_str).collect();
    let store = client.store("facts", &files).await;
    app.run_jobs().await;
    store
}

async fn attach(client: &Client, store: &str, name: &str, text: &str) {
    let file = client.upload(name, text).await;
    let path = format!("/v1/vector_stores/{store}/files");
    client.post(&path, json!({"file_id": file})).await.ok();
}

async fn model_of(client: &Client, store: &str) -> Value {
    let found = client.get(&format!("/v1/vector_stores/{store}")).await.ok();
    found["embedding_model"].clone()
}

/// The first hit's file and its similarity by the store's model.
async fn first(client: &Client, store: &str, query: &str) -> (String, f64) {
    let found = client.search(store, json!({"query": query})).await;
    let hit = &found["data"][0];
    let similarity = hit["score_parts"]["vector_similarity"].as_f64();
    (
        hit["filename"].as_str().unwrap().to_owned(),
        similarity.unwrap_or_else(|| panic!("no vectors were looked at: {found}")),
    )
}

async fn vectors(app: &TestApp, model: &str) -> i64 {
    sqlx::query_scalar(
        "select count(*) from embeddings_384 e join embedding_models m on m.id = e.embedding_model_id where m.name = $1",
    )
    .bind(model)
    .fetch_one(app.owner())
    .await
    .unwrap()
}

/// As if the time had come for what waits.
async fn skip_waiting(app: &TestApp) {
    sqlx::query("update jobs set run_at = now() where state = 'ready'")
        .execute(app.owner())
        .await
        .unwrap();
}

#[tokio::test]
async fn a_dry_run_tells_the_cost_and_makes_nothing() {
    let narrow = BagOfWords {
        max_tokens: 24,
        ..BagOfWords::new("narrow")
    };
    let app = TestApp::with(Setup {
        models: vec![BagOfWords::new(NEW), narrow],
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let long = "The harbour master keeps the log of every ship that comes in. ".repeat(12);
    let (store, _) = ada
        .library(&[("long.txt", &long), ("short.txt", "A short one.")])
        .await;

    let plan = migrate(&ada, &store, json!({"model": "narrow", "dry_run": true}))
        .await
        .ok();
    assert_eq!(
        (&plan["id"], &plan["status"]),
        (&Value::Null, &Value::Null),
        "{plan}"
    );
    assert_eq!(
        (&plan["from_model"], &plan["to_model"]),
        (&json!(OLD), &json!("narrow"))
    );
    let estimate = &plan["estimate"];
    assert_eq!(
        (&estimate["chunks"], &estimate["sampled_chunks"]),
        (&json!(2), &json!(2))
    );
    assert_eq!(estimate["chunks_over_window"], 1, "{estimate}");
    assert_eq!(estimate["bytes"], 2 * 384 * 2);
    assert_eq!(estimate["price"], Value::Null);
    assert_eq!(estimate["seconds"], Value::Null, "it was never used");
    let tokens = estimate["tokens"].as_i64().unwrap();
    assert!((12 * 12..12 * 16).contains(&tokens), "{estimate}");

    // Once it has been used, its speed is known. Every word of these texts is one token.
    ada.post("/v1/embeddings", json!({"model": NEW, "input": "Hello"}))
        .await
        .ok();
    let plan = migrate(&ada, &store, json!({"model": NEW, "dry_run": true}))
        .await
        .ok();
    assert!(plan["estimate"]["seconds"].as_f64().unwrap() > 0.0, "{plan}");
    assert_eq!(plan["estimate"]["chunks_over_window"], 0);

    assert_eq!(ada.get(&migrations(&store)).await.ok()["data"], json!([]));
    let made: i64 = sqlx::query_scalar(
        "select (select count(*) from store_migrations) + (select count(*) from jobs where kind = 'migrate_store')",
    )
    .fetch_one(app.owner())
    .await
    .unwrap();
    assert_eq!(made, 0);
}

#[tokio::test]
async fn a_chunk_that_the_new_model_cannot_read_at_once_is_found_by_its_end() {
    let narrow = BagOfWords {
        max_tokens: 24,
        ..BagOfWords::new(NEW)
    };
    let app = TestApp::with(Setup {
        models: vec![narrow],
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let text = "The harbour master keeps the log of every ship that comes in. ".repeat(2)
        + "Zebras, giraffes, antelopes and flamingos were seen at the waterfall by noon.";
    let (store, _) = ada.library(&[("log.txt", &text)]).await;
    let migration = begin(&ada, &store, true).await;
    eventually("the store is on the new model", async || {
        (ada.get(&migration).await.ok()["status"] == "completed").then_some(())
    })
    .await;
    let by_end = "Were zebras, giraffes, antelopes and flamingos seen at the waterfall?";
    let by_nothing = "Did umbrellas, holidays, factories or rackets sell better with tennis?";
    let similarity = async |query| first(&ada, &store, query).await.1;
    let (by_end, by_nothing) = (similarity(by_end).await, similarity(by_nothing).await);
    assert!(by_end > by_nothing + 0.1, "{by_end} {by_nothing}");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_store_is_searched_while_it_changes_its_model() {
    let app = app(true).await;
    let (ada, bob) = app.two_tenants().await;
    let (store, _) = ada.library(&FACTS).await;
    let query = "Which mountain in Sicily erupts?";
    let (_, by_old) = first(&ada, &store, query).await;

    let migration = begin(&ada, &store, true).await;
    bob.get(&migration).await.refused(404);
    let mut searches = 0;
    let completed = eventually("the store is on the new model", async || {
        // Neither empty nor failing, whichever model answers.
        for _ in 0..4 {
            assert_eq!(first(&ada, &store, query).await.0, "volcano.txt");
            searches += 1;
        }
        let found = ada.get(&migration).await.ok();
        (found["status"] == "completed").then_some(found)
    })
    .await;
    assert!(searches > 3);
    assert_eq!(model_of(&ada, &store).await, NEW);
    let (_, by_new) = first(&ada, &store, query).await;
    assert!(
        (by_old - by_new).abs() > 1e-3,
        "{by_old} and {by_new} are of the same model"
    );
    let progress = &completed["progress"];
    assert_eq!(progress["done"], progress["total"], "{completed}");
    assert_eq!(progress["total"], vectors(&app, NEW).await);
    let overlap = completed["overlap_at_10"].as_f64().unwrap();
    assert!((0.0..=1.0).contains(&overlap), "{overlap}");
    assert!(completed["rollback_until"].as_i64().unwrap() > completed["finished_at"].as_i64().unwrap());
    assert_eq!(
        ada.get(&migrations(&store)).await.ok()["data"],
        json!([completed])
    );
    assert_eq!(
        vectors(&app, OLD).await,
        vectors(&app, NEW).await,
        "the way back is open"
    );
    assert_invariants(app.owner()).await;

    let finished = act(&ada, &migration, "finish").await.ok();
    assert_eq!(finished["rollback_until"], Value::Null);
    assert_eq!(
        act(&ada, &migration, "finish").await.ok(),
        finished,
        "twice is once"
    );
    assert_eq!(
        vectors(&app, OLD).await,
        vectors(&app, NEW).await,
        "a search may still read them"
    );
    skip_waiting(&app).await;
    eventually("the old vectors are gone", async || {
        (vectors(&app, OLD).await == 0).then_some(())
    })
    .await;
    eventually("the job is over", async || {
        let left: i64 = sqlx::query_scalar("select count(*) from store_migrations where cleaned_at is null")
            .fetch_one(app.owner())
            .await
            .unwrap();
        (left == 0).then_some(())
    })
    .await;
    assert_invariants(app.owner()).await;
    act(&ada, &migration, "rollback").await.refused(409);
    assert_eq!(first(&ada, &store, query).await.0, "volcano.txt");
}

#[tokio::test]
async fn what_comes_before_the_switch_is_embedded_first_and_nothing_switches_without_it() {
    let app = app(false).await;
    let ada = app.tenant("ada").await;
    let store = facts(&app, &ada).await;
    let migration = begin(&ada, &store, false).await;
    // Read in the same run, before or after its chunks are walked past.
    attach(
        &ada,
        &store,
        "early.txt",
        "The lighthouse keeper feeds the gulls.",
    )
    .await;
    app.run_jobs().await;
    let ready = ada.get(&migration).await.ok();
    assert_eq!(
        (&ready["status"], &ready["finished_at"]),
        (&json!("ready"), &Value::Null)
    );
    assert_eq!(model_of(&ada, &store).await, OLD);

    // These have only the old model's vectors.
    attach(&ada, &store, "late.txt", "The ferryman whistles at noon.").await;
    app.run_jobs().await;
    assert_eq!(act(&ada, &migration, "switch").await.ok()["status"], "queued");
    assert_eq!(model_of(&ada, &store).await, OLD);
    assert_eq!(first(&ada, &store, "ferryman whistles").await.0, "late.txt");
    app.run_jobs().await;
    let completed = ada.get(&migration).await.ok();
    assert_eq!(completed["status"], "completed");
    assert_eq!(completed["progress"]["done"], completed["progress"]["total"]);
    assert_eq!(model_of(&ada, &store).await, NEW);
    for (query, name) in [
        ("ferryman whistles", "late.txt"),
        ("keeper feeds gulls", "early.txt"),
    ] {
        assert_eq!(first(&ada, &store, query).await.0, name);
    }
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn with_nothing_missing_the_word_to_switch_is_done_at_once() {
    let app = app(false).await;
    let ada = app.tenant("ada").await;
    let store = facts(&app, &ada).await;
    let migration = begin(&ada, &store, false).await;
    app.run_jobs().await;
    assert_eq!(act(&ada, &migration, "switch").await.ok()["status"], "completed");
    assert_eq!(act(&ada, &migration, "switch").await.ok()["status"], "completed");
    assert_eq!(model_of(&ada, &store).await, NEW);
    act(&ada, &migration, "cancel").await.refused(409);
    // And so is the way back.
    assert_eq!(
        act(&ada, &migration, "rollback").await.ok()["status"],
        "rolled_back"
    );
    assert_eq!(model_of(&ada, &store).await, OLD);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_file_that_was_embedded_with_the_old_model_when_the_store_switched_is_read_again() {
    let app = app(false).await;
    let ada = app.tenant("ada").await;
    let store = ada.store("empty", &[]).await;
    attach(&ada, &store, "late.txt", "The ferryman whistles at noon.").await;
    // The switch holds the store's lock while ingestion, which has its vectors, waits for it.
    let mut switch = app.owner().begin().await.unwrap();
    sqlx::query("select from vector_stores for no key update")
        .execute(&mut *switch)
        .await
        .unwrap();
    let change = async {
        eventually("ingestion waits for the store", async || {
            let waiting: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity where datname = current_database()
                   and wait_event_type = 'Lock' and query like 'select 1 from vector_stores%'",
            )
            .fetch_one(app.owner())
            .await
            .unwrap();
            (waiting > 0).then_some(())
        })
        .await;
        sqlx::query(
            "update vector_stores set embedding_model_id = (select id from embedding_models where name = $1)",
        )
        .bind(NEW)
        .execute(&mut *switch)
        .await
        .unwrap();
        switch.commit().await.unwrap();
    };
    tokio::join!(app.run_jobs(), change);
    let attempts: i32 = sqlx::query_scalar("select attempt from jobs where kind = 'ingest_file'")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(attempts, 2, "the first one was turned down");
    assert_eq!(first(&ada, &store, "ferryman").await.0, "late.txt");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_migration_is_taken_back_with_what_came_since() {
    let app = app(false).await;
    let ada = app.tenant("ada").await;
    let store = facts(&app, &ada).await;
    let query = "Which mountain in Sicily erupts?";
    let before = first(&ada, &store, query).await;
    let migration = begin(&ada, &store, true).await;
    app.run_jobs().await;
    attach(&ada, &store, "since.txt", "The ferryman whistles at noon.").await;
    app.run_jobs().await;
    assert_eq!(
        act(&ada, &migration, "rollback").await.ok()["status"],
        "rolling_back"
    );
    assert_eq!(
        model_of(&ada, &store).await,
        NEW,
        "one chunk has no old vector yet"
    );
    assert_invariants(app.owner()).await;
    act(&ada, &migration, "finish").await.refused(409);
    app.run_jobs().await;
    let rolled_back = ada.get(&migration).await.ok();
    assert_eq!(rolled_back["status"], "rolled_back");
    assert_eq!(rolled_back["rollback_until"], Value::Null);
    assert_eq!(model_of(&ada, &store).await, OLD);
    assert_eq!(first(&ada, &store, query).await, before);
    assert_eq!(first(&ada, &store, "ferryman whistles").await.0, "since.txt");
    assert_invariants(app.owner()).await;
    skip_waiting(&app).await;
    app.run_jobs().await;
    assert_eq!(vectors(&app, NEW).await, 0);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn the_way_back_closes_after_a_week() {
    let app = app(false).await;
    let ada = app.tenant("ada").await;
    let store = facts(&app, &ada).await;
    let migration = begin(&ada, &store, true).await;
    app.run_jobs().await;
    // Before its time the removal leaves everything, and comes again.
    skip_waiting(&app).await;
    app.run_jobs().await;
    assert!(vectors(&app, OLD).await > 0);
    sqlx::query("update store_migrations set rollback_until = now() - interval '1 second'")
        .execute(app.owner())
        .await
        .unwrap();
    skip_waiting(&app).await;
    app.run_jobs().await;
    assert_eq!(vectors(&app, OLD).await, 0);
    assert_eq!(ada.get(&migration).await.ok()["rollback_until"], Value::Null);
    act(&ada, &migration, "rollback").await.refused(409);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_cancelled_migration_leaves_the_store_as_it_was() {
    let app = app(false).await;
    let ada = app.tenant("ada").await;
    let store = facts(&app, &ada).await;
    // Before it began, and when all its vectors are there.
    for begun in [false, true] {
        let migration = begin(&ada, &store, false).await;
        if begun {
            app.run_jobs().await;
            assert!(vectors(&app, NEW).await > 0);
        }
        let cancelled = act(&ada, &migration, "cancel").await.ok();
        assert_eq!(cancelled["status"], "cancelled");
        assert_eq!(act(&ada, &migration, "cancel").await.ok(), cancelled);
        for verb in ["switch", "rollback", "finish"] {
            act(&ada, &migration, verb).await.refused(409);
        }
        assert_invariants(app.owner()).await;
        app.run_jobs().await;
        assert_eq!(ada.get(&migration).await.ok(), cancelled);
        assert_eq!(vectors(&app, NEW).await, 0);
        assert_eq!(model_of(&ada, &store).await, OLD);
        assert_invariants(app.owner()).await;
    }
}

#[tokio::test]
async fn a_second_attempt_keeps_the_vectors_that_the_first_one_left() {
    let app = app(false).await;
    let ada = app.tenant("ada").await;
    let store = facts(&app, &ada).await;
    let first_try = begin(&ada, &store, false).await;
    app.run_jobs().await;
    let left = vectors(&app, NEW).await;
    act(&ada, &first_try, "cancel").await.ok();
    // The removal of the first one's vectors comes late: when the store needs them.
    sqlx::query(
        "update jobs set run_at = now() + interval '1 hour', due = false where kind = 'remove_vectors'",
    )
    .execute(app.owner())
    .await
    .unwrap();
    let second = begin(&ada, &store, true).await;
    assert_eq!(ada.get(&second).await.ok()["progress"]["done"], left);
    app.run_jobs().await;
    assert_eq!(ada.get(&second).await.ok()["status"], "completed");
    skip_waiting(&app).await;
    app.run_jobs().await;
    assert_eq!(vectors(&app, NEW).await, left);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn what_cannot_be_migrated_is_refused() {
    let app = app(false).await;
    let (ada, bob) = app.two_tenants().await;
    let store = facts(&app, &ada).await;
    let refused = migrate(&ada, &store, json!({"model": "no-such-model"}))
        .await
        .refused(404);
    assert_eq!(
        (&refused["code"], &refused["param"]),
        (&json!("model_not_found"), &json!("model"))
    );
    let refused = migrate(&ada, &store, json!({"model": OLD})).await.refused(400);
    assert_eq!(refused["param"], "model");
    migrate(&ada, &store, json!({})).await.refused(400);
    migrate(&bob, &store, json!({"model": NEW})).await.refused(404);
    migrate(&bob, &store, json!({"model": NEW, "dry_run": true}))
        .await
        .refused(404);

    let migration = begin(&ada, &store, false).await;
    migrate(&ada, &store, json!({"model": NEW})).await.refused(409);
    bob.get(&migrations(&store)).await.refused(404);
    for verb in ["cancel", "switch", "rollback", "finish"] {
        act(&bob, &migration, verb).await.refused(404);
    }
    // Another store's migration is not this one's.
    let other = ada.store("other", &[]).await;
    let id = migration.rsplit('/').next().unwrap();
    ada.get(&format!("{}/{id}", migrations(&other)))
        .await
        .refused(404);
    assert_eq!(ada.get(&migration).await.ok()["status"], "queued");
}

#[tokio::test]
async fn a_repeated_request_gets_its_answer_even_when_the_store_has_switched() {
    let app = app(false).await;
    let ada = app.tenant("ada").await;
    let store = facts(&app, &ada).await;
    let send = || {
        let path = format!("/v1/insula/vector_stores/{store}/migrate");
        let request = ada.request(Method::POST, &path).json(&json!({"model": NEW}));
        ada.send(request.header("idempotency-key", "once"))
    };
    let made = send().await.ok();
    app.run_jobs().await;
    assert_eq!(model_of(&ada, &store).await, NEW);
    assert_eq!(send().await.ok(), made);
    assert_eq!(
        ada.get(&migrations(&store)).await.ok()["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
}

#[tokio::test]
async fn a_model_that_no_worker_has_fails_the_migration_and_not_the_store() {
    let mut app = app(false).await;
    let ada = app.tenant("ada").await;
    let store = facts(&app, &ada).await;
    let migration = begin(&ada, &store, true).await;
    // Workers that were started without the new model.
    let mut models = Models::default();
    let old = app.services.models.find_embedder(OLD).unwrap().embedder.clone();
    models.add_embedder(&app.services.db, old).await.unwrap();
    app.services.models = models;
    app.run_jobs().await;
    let failed = ada.get(&migration).await.ok();
    assert_eq!(failed["status"], "failed");
    assert_eq!(failed["last_error"]["code"], "server_error");
    assert!(
        failed["last_error"]["message"].as_str().unwrap().contains(OLD),
        "{failed}"
    );
    assert_eq!(model_of(&ada, &store).await, OLD);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn vectors_of_another_length_have_a_table_of_their_own_and_are_paid_for_as_long_as_they_are() {
    let short = BagOfWords {
        dimensions: 64,
        ..BagOfWords::new(NEW)
    };
    let app = TestApp::with(Setup {
        worker: false,
        models: vec![short],
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let store = facts(&app, &ada).await;
    let refused = migrate(&ada, &store, json!({"model": NEW})).await.refused(409);
    assert!(refused["message"].as_str().unwrap().contains("64"), "{refused}");
    sqlx::query("select create_embeddings_table(64)")
        .execute(app.owner())
        .await
        .unwrap();

    let usage = async || {
        let found = ada.get(&format!("/v1/vector_stores/{store}")).await.ok();
        found["usage_bytes"].as_i64().unwrap()
    };
    let before = usage().await;
    let migration = begin(&ada, &store, true).await;
    app.run_jobs().await;
    let completed = ada.get(&migration).await.ok();
    assert_eq!(completed["status"], "completed");
    let chunks = completed["progress"]["total"].as_i64().unwrap();
    assert_eq!(usage().await, before - chunks * (384 - 64) * 2);
    assert_eq!(
        first(&ada, &store, "Which mountain in Sicily erupts?").await.0,
        "volcano.txt"
    );
    assert_invariants(app.owner()).await;
    act(&ada, &migration, "rollback").await.ok();
    assert_eq!(usage().await, before);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_text_that_the_tenant_has_embedded_already_is_not_embedded_again() {
    let app = app(false).await;
    let (ada, bob) = app.two_tenants().await;
    let stores = [facts(&app, &ada).await, facts(&app, &ada).await];
    begin(&ada, &stores[0], true).await;
    app.run_jobs().await;
    // A vector that no model would make tells where the others come from.
    sqlx::query(
        "update embeddings_384 set embedding = array_fill(0.05, array[384])::real[]::vector::halfvec(384)
         where embedding_model_id = (select id from embedding_models where name = $1)",
    )
    .bind(NEW)
    .execute(app.owner())
    .await
    .unwrap();
    begin(&ada, &stores[1], true).await;
    app.run_jobs().await;
    let distinct: i64 = sqlx::query_scalar(
        "select count(distinct embedding::text) from embeddings_384 e
         join embedding_models m on m.id = e.embedding_model_id where m.name = $1",
    )
    .bind(NEW)
    .fetch_one(app.owner())
    .await
    .unwrap();
    assert_eq!((distinct, model_of(&ada, &stores[1]).await), (1, json!(NEW)));
    // Another tenant's vectors are nobody else's.
    let bobs = facts(&app, &bob).await;
    begin(&bob, &bobs, true).await;
    app.run_jobs().await;
    assert_eq!(
        first(&bob, &bobs, "Which mountain in Sicily erupts?").await.0,
        "volcano.txt"
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn workers_killed_at_every_step_of_a_migration_neither_lose_nor_repeat_a_vector() {
    let app = TestApp::with(Setup {
        worker: false,
        proxy: true,
        models: vec![BagOfWords::new(NEW)],
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let store = facts(&app, &ada).await;
    let migration = begin(&ada, &store, true).await;
    // More deaths than a job has attempts would fail it, as it should.
    sqlx::query("update jobs set max_attempts = 20")
        .execute(app.owner())
        .await
        .unwrap();
    let binary = insula_binary().await;
    let proxy = app.proxy.as_ref().unwrap();
    // Slow enough to be seen at each step.
    proxy.delay(Duration::from_millis(20));
    let mut url = app.database.app_url();
    url.set_port(Some(proxy.address().port())).unwrap();
    let folders: Vec<String> = app
        .model_folders
        .iter()
        .map(|folder| folder.display().to_string())
        .collect();
    let models = folders.join(",");
    let start = || {
        ServerProcess::start(
            &binary,
            "worker",
            &["--models", &models],
            url.as_str(),
            &app.blobs(),
        )
    };
    for step in [
        "insert into embeddings_384 (vector_store_id, embedding_model_id, chunk_id, embedding) select $1, $2, u.id",
        "update store_migrations m set done",
        "update store_migrations set overlap_at_10",
        "update vector_stores set embedding_model_id",
        "update store_migrations set status = $2, finished_at = now()",
    ] {
        let worker = start();
        eventually(step, async || {
            let seen: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity a
                 where datname = current_database() and application_name = 'insula' and pid <> pg_backend_pid()
                   and regexp_replace(query, '\\s+', ' ', 'g') like $1 || '%'",
            )
            .bind(step)
            .fetch_one(app.owner())
            .await
            .unwrap();
            (seen > 0).then_some(())
        })
        .await;
        worker.kill().await;
        assert_invariants(app.owner()).await;
        assert_eq!(
            first(&ada, &store, "Which mountain in Sicily erupts?").await.0,
            "volcano.txt"
        );
        sqlx::query("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
            .execute(app.owner())
            .await
            .unwrap();
    }
    let last = start();
    let completed = eventually("the migration is completed", async || {
        let found = ada.get(&migration).await.ok();
        (found["status"] == "completed").then_some(found)
    })
    .await;
    last.kill().await;
    assert_eq!(completed["progress"]["done"], vectors(&app, NEW).await);
    assert_eq!(vectors(&app, NEW).await, vectors(&app, OLD).await);
    assert_invariants(app.owner()).await;
}
