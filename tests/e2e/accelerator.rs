//! Vectors of stores in the server's memory: searches find the same with them as without, at once and whatever changes.

use insula::assembly::CacheOptions;
use insula_core::search::AcceleratorOptions;
use insula_tests::{BagOfWords, Client, Setup, TestApp, assert_invariants, eventually};
use serde_json::{Value, json};

use crate::library::FACTS;

const QUESTION: &str = "How do insects communicate the location of food?";

/// From the first search on, for stores of any size.
fn eager(bytes: u64) -> Setup {
    Setup {
        caches: CacheOptions {
            accelerator: AcceleratorOptions {
                bytes,
                min_chunks: 1,
                after_searches: 1,
            },
            ..CacheOptions::default()
        },
        ..Setup::default()
    }
}

const ROOM: u64 = 16 * 1024 * 1024;

async fn explained(client: &Client, store: &str, query: &str) -> Value {
    client
        .search(store, json!({"query": query, "explain": true}))
        .await
}

fn is_accelerated(found: &Value) -> bool {
    found["explain"]["stores"][0]["accelerated"].as_bool().unwrap()
}

/// Searches until the store's vectors are in memory as they are now. What is found then.
async fn accelerated(client: &Client, store: &str, query: &str) -> Value {
    eventually("the vectors are in memory", async || {
        let found = explained(client, store, query).await;
        is_accelerated(&found).then_some(found)
    })
    .await
}

/// A passage with a vector of its own; its file.
async fn bring(client: &Client, store: &str, text: &str) -> String {
    let path = format!("/v1/insula/vector_stores/{store}/chunks");
    let body = json!({"filename": "brought.jsonl", "chunks": [{"text": text}]});
    let file = client.post(&path, body).await.ok();
    file["id"].as_str().unwrap().to_owned()
}

fn texts(found: &Value) -> Vec<&str> {
    let hits = found["data"].as_array().unwrap().iter();
    hits.map(|hit| hit["content"][0]["text"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn the_same_is_found_and_nobody_elses() {
    let app = TestApp::with(eager(ROOM)).await;
    let (ada, bob) = app.two_tenants().await;
    let (store, _) = ada.library(&FACTS).await;
    let (other, _) = bob
        .library(&[("bees.txt", "Bob keeps bees, and tells nobody where.")])
        .await;
    for weights in [(1.0, 0.0), (1.0, 1.0), (0.0, 1.0)] {
        let body = json!({
            "query": QUESTION, "explain": true, "max_num_results": 3,
            "ranking_options": {"hybrid_search": {"embedding_weight": weights.0, "text_weight": weights.1}},
        });
        let plain = ada.search(&store, body.clone()).await;
        accelerated(&ada, &store, QUESTION).await;
        let found = ada.search(&store, body).await;
        assert_eq!(found["data"], plain["data"], "{weights:?}");
        assert_eq!(found["recall"], plain["recall"]);
        assert_eq!(found["recall"]["mode"], "exact");
        // There is nothing to compare without a vector.
        assert_eq!(is_accelerated(&found), weights.0 > 0.0);
    }
    // Which files pass a filter is Postgres' to say.
    let filter = json!({"type": "eq", "key": "kind", "value": "memo"});
    let filtered = json!({"query": QUESTION, "explain": true, "filters": filter});
    let filtered = ada.search(&store, filtered).await;
    assert_eq!(
        (&filtered["data"], is_accelerated(&filtered)),
        (&json!([]), false)
    );

    let found = accelerated(&bob, &other, QUESTION).await;
    assert_eq!(texts(&found), ["Bob keeps bees, and tells nobody where."]);
    let body = json!({"query": QUESTION});
    let path = |store: &str| format!("/v1/vector_stores/{store}/search");
    bob.post(&path(&store), body.clone()).await.refused(404);
    ada.post(&path(&other), body).await.refused(404);
    let figures = app.services.accelerator.figures();
    assert_eq!((figures.stores, figures.loads), (2, 2), "{figures:?}");
    assert!(figures.hits >= 4 && figures.misses >= 2, "{figures:?}");
    assert!(figures.bytes > 0 && figures.bytes <= ROOM, "{figures:?}");
}

#[tokio::test]
async fn what_changes_is_seen_at_once() {
    let app = TestApp::with(eager(ROOM)).await;
    let ada = app.tenant("ada").await;
    let (store, files) = ada.library(&FACTS).await;
    accelerated(&ada, &store, QUESTION).await;

    let brought = bring(&ada, &store, "Ants show each other the way to food with scents.").await;
    let found = explained(&ada, &store, QUESTION).await;
    assert!(
        texts(&found).iter().any(|text| text.starts_with("Ants")),
        "{found}"
    );
    let found = accelerated(&ada, &store, QUESTION).await;
    assert!(
        texts(&found).iter().any(|text| text.starts_with("Ants")),
        "{found}"
    );
    assert_eq!(app.services.accelerator.figures().renewals, 1);

    // Under its id, with another text and so another vector.
    let path = format!("/v1/insula/vector_stores/{store}/files/{brought}/chunks");
    let chunk = ada.get(&path).await.ok()["data"][0]["id"].clone();
    let path = format!(
        "/v1/insula/vector_stores/{store}/chunks/{}",
        chunk.as_str().unwrap()
    );
    let tide = "High tide is at six in the morning.";
    ada.post(&path, json!({"text": tide})).await.ok();
    for found in [
        explained(&ada, &store, "When does the water rise?").await,
        accelerated(&ada, &store, "When does the water rise?").await,
    ] {
        assert_eq!(texts(&found)[0], tide, "{found}");
        assert!(
            !texts(&found).iter().any(|text| text.starts_with("Ants")),
            "{found}"
        );
    }

    let bees = format!("/v1/vector_stores/{store}/files/{}", files[2]);
    ada.delete(&bees).await.ok();
    for found in [
        explained(&ada, &store, QUESTION).await,
        accelerated(&ada, &store, QUESTION).await,
    ] {
        assert!(
            !texts(&found).iter().any(|text| text.contains("waggle")),
            "{found}"
        );
        assert_eq!(texts(&found).len(), 5);
    }

    ada.delete(&format!("/v1/vector_stores/{store}")).await.ok();
    let path = format!("/v1/vector_stores/{store}/search");
    ada.post(&path, json!({"query": QUESTION})).await.refused(404);
    assert_invariants(app.owner()).await;
}

/// Several servers, each with its own memory, while passages come and go: a passage is found from the moment that it is there
/// until the moment that it is gone.
#[tokio::test]
async fn while_others_write_nothing_is_missed_or_kept() {
    let app = TestApp::with(eager(ROOM)).await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let second = app.second_server().await;
    let there = Client::at(second.address, &ada);
    accelerated(&ada, &store, QUESTION).await;
    accelerated(&there, &store, QUESTION).await;
    let stop = std::sync::atomic::AtomicBool::new(false);
    let searches = async {
        let mut made = 0;
        while !stop.load(std::sync::atomic::Ordering::Relaxed) {
            for client in [&ada, &there] {
                let found = explained(client, &store, QUESTION).await;
                // What never changes is always first, or second.
                let texts = texts(&found);
                assert!(
                    texts.iter().take(2).any(|text| text.contains("waggle")),
                    "{found}"
                );
                made += 1;
            }
        }
        made
    };
    let writes = async {
        for number in 0..12 {
            let text = format!("Ants of nest {number} show each other the way to food with scents.");
            let file = bring(&ada, &store, &text).await;
            for client in [&there, &ada] {
                let found = explained(client, &store, QUESTION).await;
                assert!(texts(&found).contains(&text.as_str()), "{number}: {found}");
            }
            ada.delete(&format!("/v1/vector_stores/{store}/files/{file}"))
                .await
                .ok();
            for client in [&there, &ada] {
                let found = explained(client, &store, QUESTION).await;
                assert!(!texts(&found).contains(&text.as_str()), "{number}: {found}");
            }
        }
        stop.store(true, std::sync::atomic::Ordering::Relaxed);
    };
    let (made, ()) = futures::join!(searches, writes);
    assert!(made > 12, "{made}");
    accelerated(&ada, &store, QUESTION).await;
    accelerated(&there, &store, QUESTION).await;
}

#[tokio::test]
async fn who_is_searched_makes_room_by_who_is_not() {
    // 404 bytes a chunk, so three KiB a store.
    let app = TestApp::with(eager(4096)).await;
    let (ada, bob) = app.two_tenants().await;
    let (first, _) = ada.library(&FACTS).await;
    let (second, _) = bob.library(&FACTS).await;
    accelerated(&ada, &first, QUESTION).await;
    accelerated(&bob, &second, QUESTION).await;
    let figures = app.services.accelerator.figures();
    assert_eq!((figures.stores, figures.evictions), (1, 1), "{figures:?}");
    assert!(figures.bytes <= 4096, "{figures:?}");
    // It is found as before, and comes back.
    let found = explained(&ada, &first, QUESTION).await;
    assert!(
        !is_accelerated(&found) && texts(&found)[0].contains("waggle"),
        "{found}"
    );
    accelerated(&ada, &first, QUESTION).await;
    assert_eq!(app.services.accelerator.figures().evictions, 2);
}

#[tokio::test]
async fn without_room_nothing_is_kept() {
    for bytes in [0, 1024] {
        let app = TestApp::with(eager(bytes)).await;
        let ada = app.tenant("ada").await;
        let (store, _) = ada.library(&FACTS).await;
        for _ in 0..5 {
            let found = explained(&ada, &store, QUESTION).await;
            assert!(
                !is_accelerated(&found) && texts(&found)[0].contains("waggle"),
                "{found}"
            );
        }
        let figures = app.services.accelerator.figures();
        assert_eq!(
            (figures.stores, figures.loads, figures.hits),
            (0, 0, 0),
            "{figures:?}"
        );
    }
}

#[tokio::test]
async fn a_store_that_changes_its_model_is_loaded_anew() {
    let app = TestApp::with(Setup {
        models: vec![BagOfWords::new("bag-of-words")],
        ..eager(ROOM)
    })
    .await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    accelerated(&ada, &store, QUESTION).await;
    let path = format!("/v1/insula/vector_stores/{store}/migrate");
    ada.post(&path, json!({"model": "bag-of-words"})).await.ok();
    eventually("the store is on the other model", async || {
        let found = ada.get(&format!("/v1/vector_stores/{store}")).await.ok();
        (found["embedding_model"] == "bag-of-words").then_some(())
    })
    .await;
    let query = "Honeybees tell each other where flowers are by dancing.";
    let plain = explained(&ada, &store, query).await;
    let found = accelerated(&ada, &store, query).await;
    assert!(texts(&plain)[0].contains("waggle"), "{plain}");
    assert_eq!(found["data"], plain["data"]);
    assert_eq!(found["explain"]["stores"][0]["embedding_model"], "bag-of-words");
}
