//! `GET /v1/insula/vector_stores/{vector_store_id}/index`: how much of what there is to find is found, measured on searches.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use insula::assembly::CacheOptions;
use insula_core::search::{AcceleratorOptions, RecallOptions};
use insula_tests::{Client, Setup, TestApp, assert_invariants, eventually};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

const DIMENSIONS: usize = 384;

/// Every search is compared.
fn curious(accelerator: u64) -> Setup {
    Setup {
        worker: false,
        recall: RecallOptions {
            every: 1,
            target: 0.98,
            judged_after: 3,
        },
        caches: CacheOptions {
            accelerator: AcceleratorOptions {
                bytes: accelerator,
                min_chunks: 1,
                after_searches: 1,
            },
            ..CacheOptions::default()
        },
        ..Setup::default()
    }
}

/// A store of passages whose vectors all point into the same corner: one bit per dimension says nothing about them.
async fn blurred(client: &Client, chunks: usize) -> String {
    let store = client.store("blurred", &[]).await;
    let mut rng = StdRng::seed_from_u64(7);
    let made: Vec<Value> = (0..chunks)
        .map(|number| {
            let vector: Vec<f32> = (0..DIMENSIONS).map(|_| rng.random_range(0.5..1.5)).collect();
            let bytes: Vec<u8> = vector.iter().flat_map(|x| x.to_le_bytes()).collect();
            json!({"text": format!("Entry {number}."), "embedding": BASE64_STANDARD.encode(bytes)})
        })
        .collect();
    for part in made.chunks(250) {
        let body = json!({"filename": "entries.jsonl", "chunks": part});
        client
            .post(&format!("/v1/insula/vector_stores/{store}/chunks"), body)
            .await
            .ok();
    }
    store
}

async fn index(client: &Client, store: &str) -> Value {
    client
        .get(&format!("/v1/insula/vector_stores/{store}/index"))
        .await
        .ok()
}

/// Searches by meaning, each time for something else.
async fn search(client: &Client, store: &str, number: usize) {
    let weights = json!({"hybrid_search": {"embedding_weight": 1, "text_weight": 0}});
    let body = json!({"query": format!("What is in entry {number}?"), "ranking_options": weights});
    assert_eq!(
        client.search(store, body).await["data"].as_array().unwrap().len(),
        10
    );
}

#[tokio::test]
async fn a_store_that_finds_too_little_looks_at_more() {
    let app = TestApp::with(curious(0)).await;
    let (ada, bob) = app.two_tenants().await;
    let store = blurred(&ada, 1_000).await;
    assert_eq!(
        index(&ada, &store).await,
        json!({
            "object": "vector_store.index", "vector_store_id": store, "mode": "two_stage", "chunks": 1_000,
            "recall": null, "candidates": 400, "accelerated": false,
        })
    );
    search(&ada, &store, 0).await;
    let first = eventually("a search was compared", async || {
        let found = index(&ada, &store).await;
        (!found["recall"].is_null()).then_some(found)
    })
    .await;
    assert_eq!(first["recall"]["samples"], 1, "{first}");
    assert!(first["recall"]["measured_at"].as_i64().unwrap() > 1_700_000_000);
    let recall = first["recall"]["at_10"].as_f64().unwrap();
    assert!(recall < 0.9, "400 of 1,000 that all look the same: {recall}");

    let mut number = 0;
    let last = eventually("everything is found", async || {
        number += 1;
        search(&ada, &store, number).await;
        let found = index(&ada, &store).await;
        let all = found["recall"]["at_10"] == 1.0 && found["mode"] == "exact";
        all.then_some(found)
    })
    .await;
    // 400 were not enough, nor were 800.
    assert_eq!(last["candidates"], 1_600, "{last}");
    let figures = app.services.recall.figures();
    assert_eq!(figures.raised, 2, "{figures:?}");
    assert!(
        figures.below >= 6 && figures.samples > figures.below,
        "{figures:?}"
    );
    assert!(figures.found < figures.wanted && figures.wanted == figures.samples * 10);

    let path = format!("/v1/insula/vector_stores/{store}/index");
    bob.get(&path).await.refused(404);
    ada.delete(&format!("/v1/vector_stores/{store}")).await.ok();
    ada.get(&path).await.refused(404);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn vectors_in_memory_are_not_mistaken_for_the_first_stage() {
    let app = TestApp::with(curious(64 * 1024 * 1024)).await;
    let ada = app.tenant("ada").await;
    let store = blurred(&ada, 1_000).await;
    let mut number = 0;
    eventually("the vectors are in memory", async || {
        number += 1;
        search(&ada, &store, number).await;
        index(&ada, &store).await["accelerated"]
            .as_bool()
            .unwrap()
            .then_some(())
    })
    .await;
    let before = eventually("what waits is compared", async || {
        let figures = app.services.recall.figures();
        (figures.samples + figures.dropped == number as u64).then_some(figures)
    })
    .await;
    let candidates = index(&ada, &store).await["candidates"].clone();
    for _ in 0..4 {
        number += 1;
        search(&ada, &store, number).await;
    }
    let after = eventually("these are compared", async || {
        let figures = app.services.recall.figures();
        (figures.samples + figures.dropped == number as u64).then_some(figures)
    })
    .await;
    assert_eq!(
        after.below, before.below,
        "in memory all are looked at: {after:?}"
    );
    assert_eq!(
        after.found - before.found,
        after.wanted - before.wanted,
        "{after:?}"
    );
    assert_eq!(index(&ada, &store).await["candidates"], candidates);
}

#[tokio::test]
async fn nothing_is_compared_where_all_is_looked_at_anyway_or_nobody_asked() {
    let small = TestApp::with(curious(0)).await;
    let ada = small.tenant("ada").await;
    let store = blurred(&ada, 20).await;
    search(&ada, &store, 1).await;
    assert_eq!(index(&ada, &store).await["mode"], "exact");
    let never = TestApp::with(Setup {
        recall: RecallOptions {
            every: 0,
            ..RecallOptions::default()
        },
        ..curious(0)
    })
    .await;
    let bob = never.tenant("bob").await;
    let large = blurred(&bob, 500).await;
    search(&bob, &large, 1).await;
    // Whatever would be compared has been by now.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    assert_eq!(small.services.recall.figures(), Default::default());
    assert_eq!(never.services.recall.figures(), Default::default());
    assert!(index(&ada, &store).await["recall"].is_null());
    assert!(index(&bob, &large).await["recall"].is_null());
}
