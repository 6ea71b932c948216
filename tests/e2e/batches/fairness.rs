//! A batch of thousands holds up nobody.

use insula_tests::{TestApp, assert_invariants};
use serde_json::json;

use super::{EMBEDDINGS, ended, get, has_done, lines, submit};

#[tokio::test]
async fn a_large_batch_delays_neither_a_neighbours_file_nor_their_batch() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let body = json!({"model": "all-MiniLM-L6-v2", "input": ["Zebras graze at dawn. ".repeat(20), "x"]});
    let first = submit(&ada, EMBEDDINGS, &lines(5_000, EMBEDDINGS, &body)).await;
    let second = submit(&ada, EMBEDDINGS, &lines(5_000, EMBEDDINGS, &body)).await;
    has_done(&ada, &first, 1).await;
    has_done(&ada, &second, 1).await;

    let (store, _) = bob.library(&[("note.txt", "Giraffes sleep standing up.")]).await;
    assert!(
        !bob.search(&store, json!({"query": "giraffes"})).await["data"]
            .as_array()
            .unwrap()
            .is_empty()
    );
    let small = submit(&bob, EMBEDDINGS, &lines(3, EMBEDDINGS, &body)).await;
    assert_eq!(ended(&bob, &small).await["request_counts"]["completed"], 3);

    for id in [&first, &second] {
        let batch = get(&ada, id).await;
        assert_eq!(
            batch["status"], "in_progress",
            "it was over before anybody could wait for it"
        );
        ada.post(&format!("/v1/batches/{id}/cancel"), json!({}))
            .await
            .ok();
        assert_eq!(ended(&ada, id).await["status"], "cancelled");
    }
    assert_invariants(app.owner()).await;
}
