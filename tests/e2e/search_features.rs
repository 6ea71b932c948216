//! What searches can do besides finding: several stores, pages, other orders, what stands beside and in a passage.

use insula_tenancy::{ChunkId, Scope, VectorStoreId};
use insula_tests::{Client, FakeProvider, Setup, TestApp};
use serde_json::{Value, json};

use crate::library::FACTS;

const MANY: &str = "/v1/insula/search";

fn texts(found: &Value, field: &str) -> Vec<String> {
    let hits = found["data"].as_array().unwrap();
    hits.iter()
        .map(|hit| hit[field].as_str().unwrap().to_owned())
        .collect()
}

fn scores(found: &Value) -> Vec<f64> {
    let hits = found["data"].as_array().unwrap();
    hits.iter().map(|hit| hit["score"].as_f64().unwrap()).collect()
}

/// Passages of one file that share a subject, and one of another.
async fn harbour(client: &Client) -> String {
    let store = client.store("harbour", &[]).await;
    let piers = [
        "The north pier was built of oak.",
        "Fishing boats land at the middle pier.",
        "The south pier has a lighthouse for ships.",
        "Ferries leave from the east pier at noon.",
        "A storm once broke the west pier.",
    ];
    for (filename, year, passages) in [
        ("piers.txt", 0, &piers[..]),
        ("museum.txt", 1, &["The museum shows a pier of glass."]),
    ] {
        let chunks: Vec<Value> = passages.iter().map(|text| json!({"text": text})).collect();
        let date = 1_600_000_000 + year * 31_536_000;
        let body = json!({"filename": filename, "chunks": chunks, "attributes": {"dated": date}});
        let path = format!("/v1/insula/vector_stores/{store}/chunks");
        client.post(&path, body).await.ok();
    }
    store
}

#[tokio::test]
async fn several_stores_are_searched_as_one() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (facts, _) = ada.library(&FACTS[..3]).await;
    let (more, _) = ada.library(&FACTS[3..]).await;
    let (bobs, _) = bob.library(&FACTS).await;
    let body = |stores: &[&str]| json!({"vector_store_ids": stores, "query": ["Mount Etna lava", "honeybees dancing"], "max_num_results": 2});
    let found = ada.post(MANY, body(&[&facts, &more])).await.ok();
    let mut names = texts(&found, "filename");
    names.sort();
    assert_eq!(names, ["bees.txt", "volcano.txt"]);
    let mut stores = texts(&found, "vector_store_id");
    stores.sort();
    let mut wanted = [facts.clone(), more.clone()];
    wanted.sort();
    assert_eq!(stores, wanted);
    assert!(scores(&found).is_sorted_by(|a, b| a >= b));
    assert_eq!(found["recall"]["scanned"], 5);

    // Another tenant's store, one that never was, one that cannot be: one answer, that names its place.
    let nobodys = VectorStoreId::generate().to_string();
    let mut told = Vec::new();
    for foreign in [&bobs, &nobodys, &"vs_x".to_owned()] {
        let error = ada.post(MANY, body(&[&facts, foreign])).await.refused(404);
        assert_eq!(error["param"], "vector_store_ids[1]", "{error}");
        told.push(error.to_string().replace(foreign.as_str(), "ID"));
    }
    assert!(told.iter().all(|error| *error == told[0]), "{told:?}");
    for (stores, param) in [
        (vec![], "vector_store_ids"),
        (vec![facts.as_str(); 2], "vector_store_ids[1]"),
        (vec![facts.as_str(); 17], "vector_store_ids"),
    ] {
        let error = ada.post(MANY, body(&stores)).await.refused(400);
        assert_eq!(error["param"], param, "{error}");
    }

    // A token that is bound to one of them is not led out of it by the other.
    let bounds = json!({"scopes": ["vector_stores.read"], "vector_store_ids": [facts]});
    let minted = ada.post("/v1/insula/scoped_tokens", bounds).await.ok();
    let narrow = ada.with_key(minted["token"].as_str().unwrap());
    assert_eq!(
        texts(&narrow.post(MANY, body(&[&facts])).await.ok(), "filename").len(),
        2
    );
    let error = narrow.post(MANY, body(&[&facts, &more])).await.refused(404);
    assert_eq!(error.to_string().replace(&more, "ID"), told[0]);
}

#[tokio::test]
async fn a_result_scores_the_same_alone_and_beside_others() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (facts, _) = ada.library(&FACTS).await;
    let score = async |body: Value| {
        let found = ada.search(&facts, body).await;
        let hits = found["data"].as_array().unwrap();
        let etna = hits.iter().find(|hit| hit["filename"] == "volcano.txt").unwrap();
        etna["score"].as_f64().unwrap()
    };
    let alone = score(json!({"query": "Where is Mount Etna?", "max_num_results": 1})).await;
    let among = score(json!({"query": "Where is Mount Etna?", "max_num_results": 50})).await;
    assert_eq!(alone, among);
    assert!(alone > 0.5, "{alone}");
    let poor = ada
        .search(
            &facts,
            json!({"query": "the price of tea in the mountains of Japan"}),
        )
        .await;
    assert!(scores(&poor)[0] < 0.3, "nothing answers this: {poor}");
}

#[tokio::test]
async fn pages_go_on_where_the_last_one_ended() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let store = harbour(&ada).await;
    let (mut seen, mut sizes, mut page) = (Vec::new(), Vec::new(), Value::Null);
    loop {
        let body = json!({"query": "pier", "max_num_results": 4, "page": page});
        let found = ada.search(&store, body).await;
        sizes.push(found["data"].as_array().unwrap().len());
        seen.extend(texts(&found, "chunk_id"));
        page = found["next_page"].clone();
        assert_eq!(found["has_more"], json!(!page.is_null()));
        if page.is_null() {
            break;
        }
    }
    assert_eq!(sizes, [4, 2]);
    let all = ada
        .search(&store, json!({"query": "pier", "max_num_results": 50}))
        .await;
    assert_eq!(texts(&all, "chunk_id"), seen);
    for page in ["x", "page_", "page_-4", "page_999999"] {
        let error = ada
            .post(
                &format!("/v1/vector_stores/{store}/search"),
                json!({"query": "pier", "page": page}),
            )
            .await
            .refused(400);
        assert_eq!(error["param"], "page", "{error}");
    }
}

#[tokio::test]
async fn either_half_can_be_asked_alone_and_a_search_explains_itself() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let asked = async |vector: f64, text: f64| {
        let weights = json!({"embedding_weight": vector, "text_weight": text});
        let body = json!({
            "query": "Parcels to Norway", "explain": true, "ranking_options": {"hybrid_search": weights},
        });
        ada.search(&store, body).await
    };
    let (words, meaning, both) = (
        asked(0.0, 1.0).await,
        asked(1.0, 0.0).await,
        asked(2.0, 2.0).await,
    );
    assert_eq!(
        texts(&words, "filename"),
        ["shipping.md"],
        "no other file has the words"
    );
    assert_eq!(words["data"][0]["score_parts"]["vector_similarity"], Value::Null);
    assert_eq!(meaning["data"].as_array().unwrap().len(), FACTS.len());
    assert_eq!(meaning["data"][0]["score_parts"]["text_score"], Value::Null);
    assert_eq!(texts(&both, "filename")[0], "shipping.md");
    assert_eq!(both["data"][1]["score_parts"]["text_score"], 0.0, "{both}");
    for (found, share) in [(&words, 0.0), (&meaning, 1.0), (&both, 0.5)] {
        let explained = &found["explain"];
        assert_eq!(
            explained["stores"][0]["vector_shares"],
            json!([share]),
            "{explained}"
        );
        assert_eq!(explained["stores"][0]["embedding_model"], "all-MiniLM-L6-v2");
        assert_eq!(explained["stores"][0]["mode"], "exact");
        assert!(explained["timings_ms"]["database"].as_f64().unwrap() > 0.0);
    }
    assert!(ada.search(&store, json!({"query": "x"})).await["explain"].is_null());
    for weights in [
        json!({"embedding_weight": 0, "text_weight": 0}),
        json!({"embedding_weight": -1}),
    ] {
        let body = json!({"query": "x", "ranking_options": {"hybrid_search": weights}});
        let error = ada
            .post(&format!("/v1/vector_stores/{store}/search"), body)
            .await
            .refused(400);
        let param = error["param"].as_str().unwrap();
        assert!(param.starts_with("ranking_options.hybrid_search"), "{error}");
    }
}

#[tokio::test]
async fn what_stands_beside_and_in_a_passage_is_told() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let store = harbour(&ada).await;
    let body = json!({
        "query": "Which pier has a lighthouse for a ship?", "max_num_results": 1, "neighbors": 2, "highlights": true,
    });
    let found = ada.search(&store, body).await;
    let hit = &found["data"][0];
    assert_eq!(
        hit["content"][0]["text"],
        "The south pier has a lighthouse for ships."
    );
    let beside = |side: &str| {
        let passages = hit["neighbors"][side].as_array().unwrap();
        passages
            .iter()
            .map(|passage| passage["text"].as_str().unwrap().to_owned())
            .collect::<Vec<_>>()
    };
    assert_eq!(
        beside("before"),
        [
            "The north pier was built of oak.",
            "Fishing boats land at the middle pier."
        ]
    );
    assert_eq!(
        beside("after"),
        [
            "Ferries leave from the east pier at noon.",
            "A storm once broke the west pier."
        ]
    );
    let marked = hit["highlights"].as_array().unwrap();
    let words: Vec<&str> = marked.iter().map(|mark| mark["text"].as_str().unwrap()).collect();
    assert_eq!(words, ["pier", "lighthouse", "ships"]);
    assert_eq!((&marked[0]["start"], &marked[0]["end"]), (&json!(10), &json!(14)));
    // At the edge of a file there is less, and of another file nothing.
    let edge = json!({"query": "a museum of glass", "max_num_results": 1, "neighbors": 5});
    let found = ada.search(&store, edge).await;
    assert_eq!(found["data"][0]["neighbors"], json!({"before": [], "after": []}));
    assert!(found["data"][0]["highlights"].is_null());
}

#[tokio::test]
async fn files_are_grouped_and_new_ones_preferred() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let store = harbour(&ada).await;
    let found = ada
        .search(&store, json!({"query": "pier", "group_by": "file"}))
        .await;
    let mut names = texts(&found, "filename");
    names.sort();
    assert_eq!(names, ["museum.txt", "piers.txt"]);
    let found = ada
        .search(
            &store,
            json!({"query": "pier", "group_by": "file", "group_size": 3}),
        )
        .await;
    let names = texts(&found, "filename");
    assert_eq!(names.len(), 4);
    let museum = names.iter().position(|name| name == "museum.txt").unwrap();
    assert!(museum == 0 || museum == 3, "files stand together: {names:?}");

    // The older file answers better. By its date, the newer one is first.
    let query = "Which pier has a lighthouse for ships?";
    let plain = ada.search(&store, json!({"query": query})).await;
    assert_eq!(texts(&plain, "filename")[0], "piers.txt");
    let recency = json!({"half_life_days": 30, "weight": 1, "attribute": "dated"});
    let recent = ada
        .search(&store, json!({"query": query, "recency": recency}))
        .await;
    assert_eq!(texts(&recent, "filename")[0], "museum.txt", "{recent}");
    assert!(recent["data"][0]["score_parts"]["recency"].as_f64().unwrap() < 1.0);
    assert!(scores(&recent).is_sorted_by(|a, b| a >= b));
    // By its upload everything is new.
    let recency = json!({"half_life_days": 30, "weight": 1});
    let uploaded = ada
        .search(&store, json!({"query": query, "recency": recency}))
        .await;
    assert_eq!(texts(&uploaded, "chunk_id"), texts(&plain, "chunk_id"));

    let diverse = json!({"query": "pier", "diversity": 0.9, "max_num_results": 50});
    let diverse = texts(&ada.search(&store, diverse).await, "chunk_id");
    let plain = texts(
        &ada.search(&store, json!({"query": "pier", "max_num_results": 50}))
            .await,
        "chunk_id",
    );
    assert_eq!(diverse[0], plain[0]);
    assert_ne!(diverse, plain);
    let sorted = |mut ids: Vec<String>| {
        ids.sort();
        ids
    };
    assert_eq!(sorted(diverse), sorted(plain), "nothing is lost");
}

#[tokio::test]
async fn passages_are_recommended_by_examples() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, _) = ada.library(&FACTS).await;
    let (bobs, _) = bob.library(&FACTS).await;
    let path = format!("/v1/vector_stores/{store}/search");
    let chunk_of = async |client: &Client, store: &str, query: &str| {
        let found = client
            .search(store, json!({"query": query, "max_num_results": 1}))
            .await;
        found["data"][0]["chunk_id"].as_str().unwrap().to_owned()
    };
    let refunds = chunk_of(&ada, &store, "refund of a lantern").await;
    let bees = chunk_of(&ada, &store, "honeybees").await;
    let body = |positive: &[&str], negative: &[&str]| json!({"recommend": {"positive": positive, "negative": negative}});
    let found = ada.post(&path, body(&[&refunds], &[])).await.ok();
    assert!(
        !texts(&found, "chunk_id").contains(&refunds),
        "an example is no answer"
    );
    assert_eq!(texts(&found, "filename")[0], "shipping.md", "{found}");
    assert_eq!(found["search_query"], json!([]));
    let rank = |found: &Value| {
        texts(found, "filename")
            .iter()
            .position(|name| name == "volcano.txt")
    };
    let away = ada.post(&path, body(&[&refunds], &[&bees])).await.ok();
    assert!(!texts(&away, "chunk_id").contains(&bees));
    assert!(rank(&away).is_some());

    // Another tenant's passage, one that never was, one that cannot be: one answer.
    let foreign = chunk_of(&bob, &bobs, "honeybees").await;
    let nobodys = ChunkId::generate().to_string();
    let mut told = Vec::new();
    for unknown in [foreign.as_str(), &nobodys, "chunk_x"] {
        let error = ada.post(&path, body(&[&refunds], &[unknown])).await.refused(404);
        assert_eq!(error["param"], "recommend.negative[0]", "{error}");
        told.push(error.to_string().replace(unknown, "ID"));
    }
    assert!(told.iter().all(|error| *error == told[0]), "{told:?}");
    // Nor is one of a file that a token may not see.
    let bounds = json!({
        "scopes": ["vector_stores.read"], "filters": {"type": "eq", "key": "nobody", "value": "has this"},
    });
    let minted = ada.post("/v1/insula/scoped_tokens", bounds).await.ok();
    let narrow = ada.with_key(minted["token"].as_str().unwrap());
    let error = narrow.post(&path, body(&[&refunds], &[])).await.refused(404);
    assert_eq!(error["param"], "recommend.positive[0]");
    for (bad, param) in [
        (json!({"recommend": {"positive": []}}), "recommend.positive"),
        (json!({"recommend": {}}), "recommend.positive"),
        (body(&[&refunds], &[&refunds, &refunds]), ""),
        (
            json!({"recommend": {"positive": [refunds]}, "rewrite_query": true}),
            "rewrite_query",
        ),
    ] {
        let answer = ada.post(&path, bad.clone()).await;
        match param {
            "" => assert_eq!(answer.status, 200, "{bad}: {answer}"),
            param => assert_eq!(answer.refused(400)["param"], param, "{bad}"),
        }
    }
}

#[tokio::test]
async fn a_query_is_rewritten_by_the_tenants_model() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let app = TestApp::with(Setup {
        routes: Some(provider.routes(&["ok"], "")),
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&FACTS).await;
    let path = format!("/v1/vector_stores/{store}/search");
    let body = json!({"query": "Hi! What was it with the lanterns again?", "rewrite_query": true});
    let found = ada.post(&path, body.clone()).await.ok();
    let queries = found["search_query"].as_array().unwrap();
    assert_eq!(queries[0], body["query"]);
    assert!(queries.len() > 1, "{found}");
    assert_eq!(provider.count("ok").await.requests, 1);
    let named = |model: &str| {
        let mut body = body.clone();
        body["rewrite_model"] = json!(model);
        body
    };
    ada.post(&path, named("fake/ok")).await.ok();
    assert_eq!(provider.count("ok").await.requests, 2);
    let error = ada.post(&path, named("nobody")).await.refused(404);
    assert_eq!(error["param"], "rewrite_model");
    // No model is asked for a search that cannot be made, nor for somebody who may not chat.
    let nobodys = format!("/v1/vector_stores/{}/search", VectorStoreId::generate());
    ada.post(&nobodys, body.clone()).await.refused(404);
    let reader = app.with_scopes(&ada, &[Scope::VectorStoresRead]).await;
    reader.post(&path, body.clone()).await.refused(403);
    assert_eq!(provider.count("ok").await.requests, 2);
    // A machine without a language model looks for what was asked.
    let app = TestApp::start().await;
    let bob = app.tenant("bob").await;
    let (store, _) = bob.library(&FACTS[..1]).await;
    let found = bob.search(&store, body.clone()).await;
    assert_eq!(found["search_query"], json!([body["query"]]));
}
