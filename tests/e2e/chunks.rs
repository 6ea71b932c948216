//! `/v1/insula/vector_stores/{vector_store_id}/chunks`: passages that clients bring, look at and correct.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use insula_tenancy::Scope;
use insula_tests::{Client, TestApp, assert_invariants, eventually};
use serde_json::{Value, json};

async fn embed(client: &Client, text: &str) -> Vec<f32> {
    let body = json!({"model": "all-MiniLM-L6-v2", "input": text, "encoding_format": "float"});
    let answer = client.post("/v1/embeddings", body).await.ok();
    serde_json::from_value(answer["data"][0]["embedding"].clone()).unwrap()
}

fn packed(vector: &[f32]) -> String {
    let bytes: Vec<u8> = vector.iter().flat_map(|value| value.to_le_bytes()).collect();
    BASE64_STANDARD.encode(bytes)
}

async fn chunks(client: &Client, store: &str, file: &str) -> Vec<Value> {
    let path = format!("/v1/insula/vector_stores/{store}/files/{file}/chunks?limit=100");
    client.get(&path).await.ok()["data"].as_array().unwrap().clone()
}

async fn best(client: &Client, store: &str, query: &str) -> String {
    let found = client.search(store, json!({"query": query})).await;
    found["data"][0]["content"][0]["text"]
        .as_str()
        .unwrap_or_default()
        .to_owned()
}

#[tokio::test]
async fn passages_with_their_own_vectors_are_searchable_at_once() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let store = ada.store("s", &[]).await;
    let path = format!("/v1/insula/vector_stores/{store}/chunks");
    let tides = embed(&ada, "High tide is at six.").await;
    // Of another length, which does not matter.
    let long: Vec<f32> = tides.iter().map(|value| value * 40.0).collect();
    let body = json!({
        "filename": "harbour.jsonl",
        "attributes": {"year": 2026},
        "chunks": [
            {"text": "High tide is at six.", "embedding": long, "page": 3, "heading_path": ["Harbour", "Tides"],
             "start_char": 100, "end_char": 120},
            // The vector decides, whatever the text says.
            {"text": "zzz", "embedding": packed(&embed(&ada, "A customer may return a lantern.").await)},
            {"text": "Parcels to Norway leave on Tuesdays."},
        ],
    });
    let send = || {
        let request = ada.request(reqwest::Method::POST, &path).json(&body);
        ada.send(request.header("idempotency-key", "once"))
    };
    let file = send().await;
    let replayed = send().await;
    assert_eq!(
        (file.bytes.clone(), replayed.header("idempotent-replayed")),
        (replayed.bytes.clone(), Some("true"))
    );
    let file = file.ok();
    assert_eq!(
        (&file["object"], &file["status"], &file["attributes"]),
        (
            &json!("vector_store.file"),
            &json!("completed"),
            &json!({"year": 2026})
        )
    );
    let id = file["id"].as_str().unwrap();
    assert_eq!(
        best(&ada, &store, "When does the water rise?").await,
        "High tide is at six."
    );
    assert_eq!(best(&ada, &store, "Can I send a lamp back?").await, "zzz");
    assert_eq!(
        best(&ada, &store, "When are packages sent to Norway?").await,
        "Parcels to Norway leave on Tuesdays."
    );

    let listed = chunks(&ada, &store, id).await;
    let expected = json!({
        "id": listed[0]["id"], "object": "vector_store.chunk", "vector_store_id": store, "file_id": id, "ordinal": 0,
        "text": "High tide is at six.", "tokens": 6, "language": "und", "page": 3,
        "heading_path": ["Harbour", "Tides"], "start_char": 100, "end_char": 120,
    });
    assert_eq!(listed[0], expected);
    assert_eq!(
        (&listed[1]["start_char"], &listed[1]["end_char"]),
        (&json!(121), &json!(124))
    );
    let all: Vec<&Value> = listed.iter().map(|chunk| &chunk["id"]).collect();
    let pages = format!("/v1/insula/vector_stores/{store}/files/{id}/chunks");
    for (query, wanted) in [
        ("limit=2".to_owned(), vec![0, 1]),
        (format!("limit=2&after={}", all[1].as_str().unwrap()), vec![2]),
        (
            format!("order=desc&before={}", all[0].as_str().unwrap()),
            vec![2, 1],
        ),
    ] {
        let page = ada.get(&format!("{pages}?{query}")).await.ok();
        let page: Vec<&Value> = page["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|chunk| &chunk["id"])
            .collect();
        assert_eq!(
            page,
            wanted.iter().map(|n| all[*n]).collect::<Vec<_>>(),
            "{query}"
        );
    }

    let content = ada.get(&format!("/v1/files/{id}/content")).await;
    let lines = String::from_utf8(content.bytes.to_vec()).unwrap();
    let lines: Vec<Value> = lines
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect();
    assert_eq!(
        lines[0],
        json!({"text": "High tide is at six.", "page": 3, "heading_path": ["Harbour", "Tides"]})
    );
    assert_eq!(lines.len(), 3);
    assert_eq!(
        ada.get(&format!("/v1/files/{id}")).await.ok()["purpose"],
        "user_data"
    );

    bob.post(&path, body.clone()).await.refused(404);
    bob.get(&pages).await.refused(404);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn what_cannot_be_a_passage_is_refused_and_leaves_nothing() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let store = ada.store("s", &[]).await;
    let path = format!("/v1/insula/vector_stores/{store}/chunks");
    let not_a_number = packed(&[&[f32::NAN], [1.0; 383].as_slice()].concat());
    for (chunk, param) in [
        (json!({"text": " "}), "chunks[1].text"),
        (json!({"text": "a\u{0}b"}), "chunks[1].text"),
        (json!({"text": "word ".repeat(300)}), "chunks[1].text"),
        (json!({"text": "a", "embedding": [1.0]}), "chunks[1].embedding"),
        (
            json!({"text": "a", "embedding": vec![0.0; 384]}),
            "chunks[1].embedding",
        ),
        (
            json!({"text": "a", "embedding": vec![1e39; 384]}),
            "chunks[1].embedding",
        ),
        (
            json!({"text": "a", "embedding": not_a_number}),
            "chunks[1].embedding",
        ),
        (json!({"text": "a", "embedding": "%%%"}), "chunks[1].embedding"),
        (json!({"text": "a", "embedding": {}}), "chunks[1].embedding"),
        (json!({"text": "a", "embedding": ["x"]}), "chunks[1].embedding[0]"),
        (json!({"text": "a", "page": 0}), "chunks[1].page"),
        (
            json!({"text": "a", "heading_path": [""]}),
            "chunks[1].heading_path[0]",
        ),
        (json!({"text": "a", "start_char": 5}), "chunks[1].end_char"),
        (json!({}), "chunks[1].text"),
    ] {
        let body = json!({"filename": "a.txt", "chunks": [{"text": "Good."}, chunk]});
        let error = ada.post(&path, body).await.refused(400);
        assert_eq!(error["param"], param, "{error}");
    }
    let unknown = insula_tenancy::FileId::generate();
    let good = json!([{"text": "Good."}]);
    for (body, status, param) in [
        (json!({"filename": "a", "chunks": []}), 400, "chunks"),
        (json!({"chunks": good}), 400, "file_id"),
        (
            json!({"file_id": unknown, "filename": "a", "chunks": good}),
            400,
            "file_id",
        ),
        (json!({"file_id": unknown, "chunks": good}), 404, "file_id"),
        (
            json!({"filename": "a", "replaces": unknown, "chunks": good}),
            404,
            "replaces",
        ),
        (json!({"filename": "..", "chunks": good}), 400, "filename"),
        (
            json!({"filename": "a", "attributes": {"k": []}, "chunks": good}),
            400,
            "attributes.k",
        ),
    ] {
        let error = ada.post(&path, body.clone()).await.refused(status);
        assert_eq!(error["param"], param, "{body}");
    }
    assert_eq!(ada.get("/v1/files").await.ok()["data"], json!([]));
    eventually("the bytes are gone too", async || {
        app.blob_names().is_empty().then_some(())
    })
    .await;

    // Without the permission to make files one can only bring the passages of a file that is there.
    let file = ada.upload("a.txt", "Text.").await;
    let narrow = app.with_scopes(&ada, &[Scope::VectorStoresWrite]).await;
    narrow
        .post(&path, json!({"filename": "a", "chunks": good}))
        .await
        .refused(403);
    narrow
        .post(&path, json!({"file_id": file, "chunks": good}))
        .await
        .ok();
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_text_without_a_vector_may_be_as_long_as_the_model_reads_and_with_one_longer() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let store = ada.store("s", &[]).await;
    let path = format!("/v1/insula/vector_stores/{store}/chunks");
    let long = "tide ".repeat(2000);
    let vector = embed(&ada, "tides").await;
    let body = json!({"filename": "a", "chunks": [{"text": long, "embedding": vector}]});
    let file = ada.post(&path, body).await.ok();
    let listed = chunks(&ada, &store, file["id"].as_str().unwrap()).await;
    assert_eq!(
        (&listed[0]["text"], &listed[0]["tokens"]),
        (&json!(long), &json!(2000))
    );
    let body = json!({"filename": "a", "chunks": [{"text": "tide ".repeat(254)}]});
    ada.post(&path, body).await.ok();
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn passages_take_the_place_of_what_a_file_has_and_of_another_file() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let file = ada.upload("a.txt", "Walnuts fall in October.").await;
    let store = ada.store("s", &[&file]).await;
    let path = format!("/v1/insula/vector_stores/{store}/chunks");
    // Its job still waits, and will not write over them.
    let brought = ada
        .post(
            &path,
            json!({"file_id": file, "chunks": [{"text": "Almonds bloom in March."}]}),
        )
        .await
        .ok();
    assert_eq!(
        (&brought["id"], &brought["status"]),
        (&json!(file), &json!("completed"))
    );
    app.run_jobs().await;
    assert_eq!(best(&ada, &store, "nuts").await, "Almonds bloom in March.");
    assert_eq!(chunks(&ada, &store, &file).await.len(), 1);
    assert_invariants(app.owner()).await;

    let body = json!({"filename": "b", "chunks": [{"text": "Chestnuts are roasted."}], "replaces": file});
    let second = ada.post(&path, body).await.ok();
    let listed = ada.get(&format!("/v1/vector_stores/{store}/files")).await.ok();
    assert_eq!(listed["data"].as_array().unwrap().len(), 1);
    assert_eq!(listed["data"][0]["id"], second["id"]);
    assert_eq!(best(&ada, &store, "nuts").await, "Chestnuts are roasted.");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_passage_is_corrected_in_its_place() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let text = "The ferry leaves at noon on Thursdays.";
    let file = ada.upload("ferry.txt", text).await;
    let store = ada.store("s", &[&file]).await;
    app.run_jobs().await;
    let old = chunks(&ada, &store, &file).await.remove(0);
    let path = format!(
        "/v1/insula/vector_stores/{store}/chunks/{}",
        old["id"].as_str().unwrap()
    );
    let corrected = json!({"text": "The ferry leaves at noon on Saturdays, from the northern quay."});
    let new = ada.post(&path, corrected.clone()).await.ok();
    assert_eq!(new["text"], corrected["text"]);
    for key in [
        "id",
        "file_id",
        "ordinal",
        "start_char",
        "end_char",
        "page",
        "heading_path",
    ] {
        assert_eq!(new[key], old[key], "{key}");
    }
    assert_eq!(chunks(&ada, &store, &file).await, [new]);
    assert_invariants(app.owner()).await;
    let found = ada.search(&store, json!({"query": "northern quay"})).await["data"][0].clone();
    assert_eq!(found["content"][0]["text"], corrected["text"]);
    let usage: i64 = sqlx::query_scalar("select usage_bytes from vector_store_files")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(
        usage,
        i64::try_from(corrected["text"].as_str().unwrap().len() + 384 * 2).unwrap()
    );

    for bad in [
        json!({"text": ""}),
        json!({"text": "word ".repeat(300)}),
        json!({}),
    ] {
        assert_eq!(ada.post(&path, bad).await.refused(400)["param"], "text");
    }
    bob.post(&path, corrected).await.refused(404);

    // Whoever uploads the same bytes gets what they say, not the correction.
    let same = ada.upload("ferry.txt", text).await;
    ada.post(
        &format!("/v1/vector_stores/{store}/files"),
        json!({"file_id": same}),
    )
    .await
    .ok();
    app.run_jobs().await;
    assert_eq!(chunks(&ada, &store, &same).await[0]["text"], json!(text));
    assert_invariants(app.owner()).await;
}
