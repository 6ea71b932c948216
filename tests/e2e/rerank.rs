//! Documents ranked by a model here or elsewhere, by themselves and as the last stage of a search.

use insula_tenancy::Scope;
use insula_tests::{FakeProvider, RERANKER, Setup, TestApp, assert_invariants};
use serde_json::{Value, json};

use crate::ledger::events;

const RERANK: &str = "/v1/rerank";

async fn start() -> TestApp {
    TestApp::with(Setup {
        judges: true,
        ..Setup::default()
    })
    .await
}

/// Positions and scores of results.
fn ranked(answer: &Value) -> Vec<(u64, f64)> {
    let results = answer["results"].as_array().unwrap().iter();
    results
        .map(|result| {
            (
                result["index"].as_u64().unwrap(),
                result["relevance_score"].as_f64().unwrap(),
            )
        })
        .collect()
}

fn sigmoid(x: f64) -> f64 {
    1.0 / (1.0 + (-x).exp())
}

#[tokio::test]
async fn a_local_model_reads_the_query_with_each_document() {
    let app = start().await;
    let (ada, _) = app.two_tenants().await;
    // Words of the query do not count, and neither does padding: the documents are of different lengths.
    let documents = json!([
        "A lion.", {"text": "Tiger, tiger, burning bright, in the forests of the night."}, "The tiger sleeps.", "A lion.",
    ]);
    let body = json!({"model": RERANKER, "query": "a tiger tiger tiger", "documents": documents});
    let answer = ada.post(RERANK, body.clone()).await.ok();
    let found = ranked(&answer);
    let order: Vec<u64> = found.iter().map(|(index, _)| *index).collect();
    assert_eq!(order, [1, 2, 0, 3], "equals stay in their order");
    for ((_, score), tigers) in found.iter().zip([2.0, 1.0, 0.0, 0.0]) {
        assert!((score - sigmoid(tigers)).abs() < 1e-6, "{score} for {tigers}");
    }
    assert!(answer["id"].as_str().unwrap().starts_with("rerank-"));
    assert_eq!(answer["model"], RERANKER);
    assert_eq!(answer["results"][0].get("document"), None);
    let tokens = answer["usage"]["total_tokens"].as_i64().unwrap();
    assert_eq!(answer["meta"]["tokens"]["input_tokens"], tokens);

    let mut body = body;
    (body["top_n"], body["return_documents"]) = (json!(1), json!(true));
    let first = ada.post(RERANK, body).await.ok();
    assert_eq!(first["results"].as_array().unwrap().len(), 1);
    assert!(
        first["results"][0]["document"]["text"]
            .as_str()
            .unwrap()
            .starts_with("Tiger, tiger")
    );

    let events = events(&app, &ada).await;
    assert_eq!(events.len(), 2);
    assert_eq!(
        (events[0].outcome.as_str(), events[0].input, events[0].cost),
        ("completed", tokens, 0)
    );
    let listed = ada.get("/v1/models").await.ok();
    assert!(
        listed["data"]
            .as_array()
            .unwrap()
            .iter()
            .any(|model| model["id"] == RERANKER)
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn what_is_too_long_is_read_as_far_as_the_model_can() {
    let app = start().await;
    let ada = app.tenant("ada").await;
    let long = format!("tiger {} tiger", "and so on ".repeat(100));
    let many: Vec<String> = (0..300)
        .map(|n| format!("tiger {}", "x ".repeat(n % 40)))
        .collect();
    let body = json!({"model": RERANKER, "query": "q", "documents": [long]});
    let (_, score) = ranked(&ada.post(RERANK, body).await.ok())[0];
    assert!((score - sigmoid(1.0)).abs() < 1e-6, "its beginning: {score}");
    let body = json!({"model": RERANKER, "query": "q", "documents": many});
    let found = ranked(&ada.post(RERANK, body).await.ok());
    assert!(found.iter().all(|(_, score)| (score - sigmoid(1.0)).abs() < 1e-6));
    let body = json!({"model": RERANKER, "query": "why ".repeat(60), "documents": ["a"]});
    let error = ada.post(RERANK, body).await.refused(400);
    assert_eq!(
        (&error["param"], &error["code"]),
        (&json!("query"), &json!("context_length_exceeded"))
    );
}

#[tokio::test]
async fn bad_requests_are_refused_with_their_reason() {
    let app = start().await;
    let ada = app.tenant("ada").await;
    let good = json!({"model": RERANKER, "query": "q", "documents": ["a"]});
    for (field, value, status, param) in [
        ("model", Value::Null, 400, "model"),
        ("model", json!("nobody"), 404, "model"),
        ("model", json!("insula/extractive"), 404, "model"),
        ("query", json!(" "), 400, "query"),
        ("documents", json!([]), 400, "documents"),
        ("documents", json!(vec!["x"; 1001]), 400, "documents"),
        ("documents", json!(["a", 7]), 400, "documents[1]"),
        ("top_n", json!(0), 400, "top_n"),
        ("user", json!("a\0b"), 400, "user"),
    ] {
        let mut bad = good.clone();
        bad[field] = value;
        let error = ada.post(RERANK, bad).await.refused(status);
        assert_eq!(error["param"], param, "{error}");
    }
    let narrow = app.with_scopes(&ada, &[Scope::EmbeddingsWrite]).await;
    narrow.post(RERANK, good).await.refused(403);
}

async fn routed() -> (FakeProvider, TestApp) {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let base = format!(
        "[[provider]]\nname = \"fake\"\nkind = \"openai_compatible\"\nbase_url = \"http://{}/v1\"\n",
        provider.address()
    );
    let price = "price = [{ input = \"2\", output = \"0\" }]";
    let routes = format!(
        "{base}[[route]]\nmodel = \"judge\"\nkind = \"rerank\"\nretries = 0\n{price}\n\
         [[route.target]]\nprovider = \"fake\"\nupstream_model = \"error-500\"\n\
         [[route.target]]\nprovider = \"fake\"\nupstream_model = \"words\"\n\
         [[route]]\nmodel = \"half\"\nkind = \"rerank\"\nretries = 0\nprovider = \"fake\"\n"
    );
    let app = TestApp::with(Setup {
        routes: Some(routes),
        ..Setup::default()
    })
    .await;
    (provider, app)
}

#[tokio::test]
async fn servers_behind_one_name_take_each_others_place_and_cost_what_they_cost() {
    let (provider, app) = routed().await;
    let (ada, bob) = app.two_tenants().await;
    let documents = ["the lion", "the zebra grazes", "zebra"];
    let body = json!({"model": "judge", "query": "zebra grazes", "documents": documents});
    let answer = ada.post(RERANK, body.clone()).await.ok();
    assert_eq!(ranked(&answer), [(1, 1.0), (2, 0.5), (0, 0.0)]);
    assert_eq!(answer["usage"]["total_tokens"], 30);
    assert_eq!(provider.count("error-500").await.requests, 1);
    let sent = provider.count("words").await;
    assert_eq!((sent.requests, sent.path.as_str()), (1, "/v1/rerank"));
    let recorded = events(&app, &ada).await;
    assert_eq!((recorded[0].input, recorded[0].cost), (30, 30 * 2_000));

    let unranked = json!({"model": "half", "query": "q", "documents": documents});
    let error = ada.post(RERANK, unranked).await.error();
    assert!(
        error["message"].as_str().unwrap().contains("not ranked all"),
        "{error}"
    );

    let budget = json!({"subject_kind": "tenant", "period": "day", "amount_usd": "0"});
    bob.post("/v1/insula/budgets", budget).await.ok();
    assert_eq!(
        bob.post(RERANK, body).await.refused(429)["code"],
        "insufficient_quota"
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_search_can_give_a_model_the_last_word() {
    let app = start().await;
    let (ada, bob) = app.two_tenants().await;
    let texts = [
        (
            "lion.txt",
            "Big cats: the lion lives in prides and big cats hunt.",
        ),
        (
            "tiger.txt",
            "Cats again. A tiger swims, and a tiger hunts by night.",
        ),
        ("cow.txt", "A cow grazes."),
    ];
    let (store, _) = ada.library(&texts).await;
    let names = |found: &Value| -> Vec<String> {
        let hits = found["data"].as_array().unwrap().iter();
        hits.map(|hit| hit["filename"].as_str().unwrap().to_owned())
            .collect()
    };
    let plain = ada.search(&store, json!({"query": "big cats"})).await;
    assert_eq!(names(&plain)[0], "lion.txt");
    assert_eq!(plain["data"][0]["score_parts"].get("rerank_score"), None);

    let options = json!({"ranker": RERANKER});
    let reranked = ada
        .search(&store, json!({"query": "big cats", "ranking_options": options}))
        .await;
    assert_eq!(names(&reranked)[0], "tiger.txt");
    let (score, part) = (
        &reranked["data"][0]["score"],
        &reranked["data"][0]["score_parts"]["rerank_score"],
    );
    assert!((score.as_f64().unwrap() - sigmoid(2.0)).abs() < 1e-6);
    assert_eq!(score, part);

    // Beyond the first result, and below a score, it has the last word too.
    let one = json!({"query": "big cats", "max_num_results": 1, "ranking_options": options});
    assert_eq!(names(&ada.search(&store, one).await), ["tiger.txt"]);
    let options = json!({"ranker": RERANKER, "score_threshold": 0.8});
    let sure = json!({"query": "big cats", "ranking_options": options});
    assert_eq!(names(&ada.search(&store, sure).await), ["tiger.txt"]);

    let path = format!("/v1/vector_stores/{store}/search");
    let unknown = json!({"query": "big cats", "ranking_options": {"ranker": "best"}});
    assert_eq!(
        ada.post(&path, unknown).await.refused(400)["param"],
        "ranking_options.ranker"
    );
    let theirs = json!({"query": "big cats", "ranking_options": {"ranker": RERANKER}});
    bob.post(&path, theirs).await.refused(404);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn what_a_ranker_of_a_search_costs_is_on_the_ledger() {
    let (provider, app) = routed().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada
        .library(&[("a.txt", "The zebra grazes."), ("b.txt", "The lion sleeps.")])
        .await;
    let before = events(&app, &ada).await.len();
    let body = json!({"query": "zebra", "ranking_options": {"ranker": "judge"}});
    let found = ada.search(&store, body).await;
    assert_eq!(found["data"][0]["filename"], "a.txt");
    assert_eq!(provider.count("words").await.requests, 1);
    let events = events(&app, &ada).await;
    let costs: i64 = events[before..].iter().map(|event| event.cost).sum();
    assert_eq!(
        (events.len() - before, costs),
        (2, 20 * 2_000),
        "the search, and what ranked it"
    );
    assert_invariants(app.owner()).await;
}
