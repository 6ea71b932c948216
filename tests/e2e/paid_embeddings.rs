//! Embeddings that cost money: on the ledger and within budgets, whoever has them made.

use insula_tests::{Client, FakeProvider, Setup, TestApp, assert_invariants, eventually};
use serde_json::{Value, json};
use sqlx::Row;

/// A token costs 100 nano-dollars.
const NANOS: i64 = 100;

async fn start() -> (FakeProvider, TestApp) {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let routes = format!(
        "[[provider]]\nname = \"paid\"\nkind = \"openai_compatible\"\nbase_url = \"http://{}/v1\"\n\
         [[route]]\nmodel = \"remote\"\nkind = \"embeddings\"\ndimensions = 384\nmax_tokens = 512\n\
         languages = [\"eng\"]\nprice = [{{ input = \"0.1\", output = \"0\" }}]\n\
         [[route.target]]\nprovider = \"paid\"\nupstream_model = \"embed-384\"\n\
         [[route]]\nmodel = \"short\"\nkind = \"embeddings\"\ndimensions = 8\nmax_tokens = 512\n\
         [[route.target]]\nprovider = \"paid\"\nupstream_model = \"embed-8\"\n\
         [[route]]\nmodel = \"ok\"\nprovider = \"paid\"\n",
        provider.address()
    );
    let app = TestApp::with(Setup {
        routes: Some(routes),
        ..Setup::default()
    })
    .await;
    (provider, app)
}

/// Endpoint, tokens and cost of each event, oldest first.
async fn events(app: &TestApp) -> Vec<(String, i64, i64)> {
    assert!(
        app.services
            .meter
            .settled(std::time::Duration::from_secs(10))
            .await
    );
    let rows = sqlx::query("select endpoint, input_tokens, cost from usage_events order by started_at, id")
        .fetch_all(app.owner())
        .await
        .unwrap();
    rows.iter()
        .map(|row| (row.get(0), row.get(1), row.get(2)))
        .collect()
}

async fn store(ada: &Client) -> String {
    let made = ada
        .post(
            "/v1/vector_stores",
            json!({"name": "paid", "embedding_model": "remote"}),
        )
        .await;
    made.ok()["id"].as_str().unwrap().to_owned()
}

async fn attach(ada: &Client, store: &str, text: &str) -> String {
    let file = ada.upload("a.txt", text).await;
    ada.post(
        &format!("/v1/vector_stores/{store}/files"),
        json!({"file_id": file}),
    )
    .await
    .ok();
    file
}

async fn file_when_over(ada: &Client, store: &str, file: &str) -> Value {
    eventually("the file is read", async || {
        let found = ada
            .get(&format!("/v1/vector_stores/{store}/files/{file}"))
            .await
            .ok();
        (found["status"] != "in_progress").then_some(found)
    })
    .await
}

#[tokio::test]
async fn texts_searches_and_documents_cost_what_their_tokens_cost() {
    let (_provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let body = json!({"model": "remote", "input": ["one two", "three"]});
    let used = ada.post("/v1/embeddings", body).await.ok()["usage"]["prompt_tokens"].clone();
    let used = used.as_i64().unwrap();
    let store = store(&ada).await;
    let file = attach(&ada, &store, "The keeper of the lighthouse lives on the island.").await;
    let read = file_when_over(&ada, &store, &file).await;
    assert_eq!(read["status"], "completed", "{read}");
    ada.search(&store, json!({"query": "Where does the keeper live?"}))
        .await;

    let events = events(&app).await;
    let names: Vec<&str> = events.iter().map(|(endpoint, ..)| endpoint.as_str()).collect();
    assert_eq!(
        names,
        ["embeddings", "vector_stores.ingestion", "vector_stores.search"]
    );
    assert_eq!(events[0].1, used);
    for (endpoint, tokens, cost) in &events {
        assert!(*tokens > 0, "{endpoint}");
        assert_eq!(*cost, tokens * NANOS, "{endpoint}");
    }

    // What an answer's passages were found with is paid too.
    let grounded = json!({
        "model": "ok", "messages": [{"role": "user", "content": "Who keeps the lighthouse?"}],
        "data_sources": [{"type": "insula_vector_stores", "parameters": {"vector_store_ids": [store]}}],
    });
    ada.post("/v1/chat/completions", grounded).await.ok();
    let more = self::events(&app).await;
    let reading = more
        .iter()
        .filter(|(endpoint, ..)| endpoint == "vector_stores.search");
    assert_eq!(reading.count(), 2, "{more:?}");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn without_a_budget_nothing_is_embedded() {
    let (provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let store = store(&ada).await;
    let budget = json!({"subject_kind": "tenant", "period": "month", "amount_usd": "0"});
    ada.post("/v1/insula/budgets", budget).await.ok();
    let refused = eventually("the budget holds", async || {
        let answer = ada
            .post("/v1/embeddings", json!({"model": "remote", "input": "one"}))
            .await;
        (answer.status != 200).then_some(answer)
    })
    .await;
    assert_eq!(refused.refused(429)["code"], "insufficient_quota");
    let before = provider.count("embed-384").await.requests;
    let search = ada
        .post(
            &format!("/v1/vector_stores/{store}/search"),
            json!({"query": "one"}),
        )
        .await;
    assert_eq!(search.refused(429)["code"], "insufficient_quota");
    // What is computed here goes on.
    let (local, _) = ada.library(&[("b.txt", "The keeper lives here.")]).await;
    ada.search(&local, json!({"query": "Who lives here?"})).await;
    let file = attach(&ada, &store, "The keeper lives here.").await;
    let file = file_when_over(&ada, &store, &file).await;
    assert_eq!(file["status"], "failed");
    let why = file["last_error"]["message"].as_str().unwrap();
    assert!(why.contains("budget"), "{why}");
    assert_eq!(provider.count("embed-384").await.requests, before);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_store_is_not_made_for_vectors_that_cannot_be_stored() {
    let (_provider, app) = start().await;
    let ada = app.tenant("ada").await;
    let body = json!({"name": "short", "embedding_model": "short"});
    let refused = ada.post("/v1/vector_stores", body).await.refused(400);
    assert_eq!(refused["param"], "embedding_model");
    let body = json!({"model": "short", "input": "one"});
    ada.post("/v1/embeddings", body).await.ok();
}
