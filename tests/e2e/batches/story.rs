//! A batch from its making to its files.

use insula_tests::{assert_invariants, eventually};
use serde_json::{Value, json};

use super::{CHAT, EMBEDDINGS, answers, charges, ended, get, ids, input, ledger, line, lines, submit};
use crate::ledger::{ask, priced};

#[tokio::test]
async fn conversations_are_answered_as_over_http_and_charged_once() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    let (store, _) = ada
        .library(&[("zebras.txt", "Zebras graze at dawn. They sleep at noon.")])
        .await;
    let assistant = json!({"name": "zebras", "model": "insula/extractive", "vector_store_ids": [store]});
    ada.post("/v1/insula/assistants", assistant).await.ok();
    let question = json!([{"role": "user", "content": "When do zebras graze?"}]);
    let grounded = json!({
        "model": "insula/extractive", "messages": question,
        "data_sources": [{"type": "insula_vector_stores", "parameters": {"vector_store_ids": [store]}}],
    });
    let too_hot = json!({"model": "fake/ok", "messages": question, "temperature": 3});
    let text = [
        line("plain", CHAT, &ask("ok")),
        String::new(),
        line(
            "assistant",
            CHAT,
            &json!({"model": "zebras", "messages": question}),
        ),
        line("wrong", CHAT, &too_hot),
        line("\u{1f993} \"quoted\"\n", CHAT, &ask("ok")),
    ];
    // As an editor on Windows leaves it.
    let text = format!("\u{feff}{}", text.join("\r\n"));
    let file = input(&ada, &text).await;
    let new = json!({
        "input_file_id": file, "endpoint": CHAT, "completion_window": "24h", "metadata": {"night": "1"},
        "output_expires_after": {"anchor": "created_at", "seconds": 3600},
    });
    let made = ada.post("/v1/batches", new).await.ok();
    assert_eq!(
        (&made["object"], &made["status"]),
        (&json!("batch"), &json!("validating"))
    );
    for absent in [
        "errors",
        "output_file_id",
        "error_file_id",
        "in_progress_at",
        "completed_at",
        "cancelled_at",
    ] {
        assert_eq!(made.get(absent), Some(&Value::Null), "{absent} is there and null");
    }
    let id = made["id"].as_str().unwrap();
    let day = made["expires_at"].as_i64().unwrap() - made["created_at"].as_i64().unwrap();
    assert_eq!(day, 24 * 3600);

    let batch = ended(&ada, id).await;
    assert_eq!(batch["status"], "completed", "{batch}");
    assert_eq!(
        batch["request_counts"],
        json!({"total": 4, "completed": 3, "failed": 1})
    );
    assert_eq!(batch["metadata"], json!({"night": "1"}));
    let time = |name: &str| batch[name].as_i64().unwrap();
    assert!(time("created_at") <= time("in_progress_at") && time("finalizing_at") <= time("completed_at"));

    let good = answers(&ada, &batch, "output_file_id").await;
    assert_eq!(
        ids(&good),
        ["plain", "assistant", "\u{1f993} \"quoted\"\n"],
        "in the order of the input"
    );
    for answer in &good {
        assert!(answer["id"].as_str().unwrap().starts_with("batch_req_"));
        assert_eq!(
            (&answer["error"], &answer["response"]["status_code"]),
            (&Value::Null, &json!(200))
        );
        assert_eq!(answer["response"]["body"]["object"], "chat.completion");
    }
    let plain = &good[0]["response"]["body"];
    let over_http = ada.post(CHAT, ask("ok")).await.ok();
    assert_eq!(
        (&plain["choices"], &plain["usage"], &plain["model"]),
        (&over_http["choices"], &over_http["usage"], &over_http["model"])
    );
    let cited = &good[1]["response"]["body"]["choices"][0]["message"];
    assert!(
        cited["content"].as_str().unwrap().contains("graze at dawn"),
        "{cited}"
    );
    let bad = answers(&ada, &batch, "error_file_id").await;
    assert_eq!(ids(&bad), ["wrong"]);
    let over_http = ada.post(CHAT, too_hot).await;
    assert_eq!(bad[0]["response"]["status_code"], 400);
    assert_eq!(bad[0]["response"]["body"], over_http.json(), "the same error");

    // On the ledger is what was answered, each under its own request.
    let paid = [good[0].clone(), good[2].clone()];
    let charged: Vec<_> = ledger(&app, &ada)
        .await
        .into_iter()
        .filter(|(_, cost)| *cost > 0)
        .collect();
    for charge in charges(&paid) {
        assert!(charged.contains(&charge), "{charge:?} is not among {charged:?}");
    }
    assert_eq!(charged.len(), 3, "two lines, and the call over HTTP");

    let outputs = ada.get("/v1/files?purpose=batch_output").await.ok();
    let made: Vec<_> = outputs["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|file| &file["filename"])
        .collect();
    assert_eq!(
        made,
        [
            &json!(format!("{id}_error.jsonl")),
            &json!(format!("{id}_output.jsonl"))
        ]
    );
    assert!(outputs["data"][0]["expires_at"].is_i64());

    let grounded = submit(&ada, CHAT, &line("g", CHAT, &grounded)).await;
    assert_eq!(ended(&ada, &grounded).await["request_counts"]["completed"], 1);

    // Nothing of this is bob's.
    let list = ada.get("/v1/batches?limit=1").await.ok();
    assert_eq!(
        (&list["data"][0]["id"], &list["has_more"]),
        (&json!(grounded), &json!(true))
    );
    let next = ada.get(&format!("/v1/batches?after={grounded}")).await.ok();
    assert_eq!(next["data"][0]["id"], id);
    assert_eq!(bob.get("/v1/batches").await.ok()["data"], json!([]));
    bob.get(&format!("/v1/batches/{id}")).await.refused(404);
    bob.post(&format!("/v1/batches/{id}/cancel"), json!({}))
        .await
        .refused(404);
    let output = batch["output_file_id"].as_str().unwrap();
    bob.get(&format!("/v1/files/{output}/content")).await.refused(404);
    let theirs = json!({"input_file_id": file, "endpoint": CHAT, "completion_window": "24h"});
    assert_eq!(
        bob.post("/v1/batches", theirs).await.refused(404)["param"],
        "input_file_id"
    );
    assert!(ledger(&app, &bob).await.is_empty());
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn texts_are_embedded_as_over_http() {
    let (_provider, app) = priced(&["ok"]).await;
    let ada = app.tenant("ada").await;
    let body = |n: usize| json!({"model": "all-MiniLM-L6-v2", "input": [format!("text {n}"), "zebra"], "dimensions": 8});
    let text: String = (0..300).map(|n| line(n, EMBEDDINGS, &body(n)) + "\n").collect();
    let id = submit(&ada, EMBEDDINGS, &text).await;
    let batch = ended(&ada, &id).await;
    assert_eq!(
        batch["request_counts"],
        json!({"total": 300, "completed": 300, "failed": 0})
    );
    assert_eq!(
        (&batch["status"], &batch["error_file_id"]),
        (&json!("completed"), &Value::Null)
    );
    let answers = answers(&ada, &batch, "output_file_id").await;
    let in_order: Vec<String> = (0..300).map(|n| n.to_string()).collect();
    assert_eq!(ids(&answers), in_order);
    let over_http = ada.post(EMBEDDINGS, body(7)).await.ok();
    let in_batch = &answers[7]["response"]["body"];
    assert_eq!(in_batch["usage"], over_http["usage"]);
    for text in 0..2 {
        let vector = |answer: &Value| -> Vec<f64> {
            let numbers = answer["data"][text]["embedding"].as_array().unwrap();
            numbers.iter().map(|number| number.as_f64().unwrap()).collect()
        };
        let distance: f64 = vector(in_batch)
            .iter()
            .zip(vector(&over_http))
            .map(|(a, b)| (a - b).abs())
            .sum();
        // Who it was embedded together with shows in the last digits.
        assert!(distance < 1e-3, "{distance}");
    }
    let events = ledger(&app, &ada).await;
    let asked: Vec<_> = answers
        .iter()
        .map(|answer| answer["response"]["request_id"].clone())
        .collect();
    assert_eq!(
        events.iter().filter(|(id, _)| asked.contains(&json!(id))).count(),
        300
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn legacy_completions_go_in_batches_too() {
    let (_provider, app) = priced(&["ok"]).await;
    let ada = app.tenant("ada").await;
    let body = json!({"model": "fake/ok", "prompt": ["Once", "Twice"]});
    let id = submit(&ada, "/v1/completions", &line("a", "/v1/completions", &body)).await;
    let batch = ended(&ada, &id).await;
    let answers = answers(&ada, &batch, "output_file_id").await;
    assert_eq!(
        answers[0]["response"]["body"]["choices"]
            .as_array()
            .unwrap()
            .len(),
        2
    );
    assert_eq!(ledger(&app, &ada).await.len(), 2, "each prompt is a call");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn responses_go_in_batches_with_all_their_calls() {
    let (_provider, app) = priced(&["agent"]).await;
    let ada = app.tenant("ada").await;
    let (store, files) = ada.library(&crate::library::FACTS).await;
    let before = ledger(&app, &ada).await.len();
    let body = json!({
        "model": "fake/agent", "input": "How do honeybees show the direction of flowers?",
        "tools": [{"type": "file_search", "vector_store_ids": [store]}],
    });
    let in_conversation = json!({"model": "fake/agent", "input": "x", "conversation": "conv_1"});
    let url = "/v1/responses";
    let text = format!(
        "{}\n{}",
        line("good", url, &body),
        line("bad", url, &in_conversation)
    );
    let batch = ended(&ada, &submit(&ada, url, &text).await).await;
    let good = answers(&ada, &batch, "output_file_id").await;
    let response = &good[0]["response"]["body"];
    let cited = &response["output"][1]["content"][0]["annotations"][0];
    assert_eq!(cited["file_id"], json!(files[2]), "{response}");
    let bad = answers(&ada, &batch, "error_file_id").await;
    assert_eq!(bad[0]["response"]["body"]["error"]["param"], "conversation");
    let calls = ledger(&app, &ada).await.len() - before;
    assert_eq!(calls, 3, "two calls of the model and a search");
    // It is stored like any other.
    let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
    assert_eq!(&ada.get(&path).await.ok(), response);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn how_far_a_batch_is_is_told_while_it_runs_and_webhooks_hear_of_its_end() {
    let web = insula_tests::Web::start().await;
    web.put("/hook", insula_tests::Reply::status(204));
    let provider = insula_tests::FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let app = insula_tests::TestApp::with(insula_tests::Setup {
        routes: Some(provider.routes(&["late-50"], "")),
        outbound_allow: vec!["127.0.0.0/8".parse().unwrap()],
        ..insula_tests::Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let hook = json!({"url": web.url("/hook"), "events": ["batch.completed", "batch.failed"]});
    ada.post("/v1/insula/webhooks", hook).await.ok();
    let id = submit(&ada, CHAT, &lines(40, CHAT, &ask("late-50"))).await;
    let under_way = eventually("some lines are done and others are not", async || {
        let batch = get(&ada, &id).await;
        let done = batch["request_counts"]["completed"].as_i64().unwrap();
        (0 < done && done < 40).then_some(batch)
    })
    .await;
    assert_eq!(
        (&under_way["status"], &under_way["request_counts"]["total"]),
        (&json!("in_progress"), &json!(40))
    );
    let jobs = ada
        .get("/v1/insula/jobs?kind=run_batch&status=running")
        .await
        .ok();
    assert_eq!(jobs["data"][0]["stage"], "answering", "{jobs}");
    assert_eq!(ended(&ada, &id).await["request_counts"]["completed"], 40);
    let wrong = submit(&ada, CHAT, "nonsense").await;
    assert_eq!(ended(&ada, &wrong).await["status"], "failed");
    let told = eventually("both ends are told", async || {
        let seen = web.seen("/hook");
        (seen.len() == 2).then_some(seen)
    })
    .await;
    let mut told: Vec<Value> = told
        .iter()
        .map(|seen| serde_json::from_slice(&seen.body).unwrap())
        .collect();
    told.sort_by_key(|event| event["type"].to_string());
    assert_eq!(
        (&told[0]["type"], &told[0]["data"]),
        (&json!("batch.completed"), &json!({"id": id}))
    );
    assert_eq!(
        (&told[1]["type"], &told[1]["data"]),
        (&json!("batch.failed"), &json!({"id": wrong}))
    );
    assert_invariants(app.owner()).await;
}
