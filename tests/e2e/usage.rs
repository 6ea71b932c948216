//! `/v1/insula/usage`: the same figures however they are asked for, and the way that a call took.

use insula_tests::{Client, TestApp, assert_invariants};
use serde_json::{Value, json};

use crate::ledger::{ask, ask_streamed, events_once, priced};

const CHAT: &str = "/v1/chat/completions";
const SUMS: &str = "/v1/insula/usage";
const EVENTS: &str = "/v1/insula/usage/events";

async fn list(client: &Client, path: &str) -> Vec<Value> {
    client.get(path).await.ok()["data"].as_array().unwrap().clone()
}

/// What is told apart, and how many calls there were of each.
fn requests(sums: &[Value], by: &str) -> Vec<(String, i64)> {
    let mut counts: Vec<(String, i64)> = sums
        .iter()
        .map(|sum| {
            (
                sum[by].as_str().unwrap_or("-").to_owned(),
                sum["requests"].as_i64().unwrap(),
            )
        })
        .collect();
    counts.sort();
    counts
}

fn counts(of: &[(&str, i64)]) -> Vec<(String, i64)> {
    of.iter()
        .map(|(name, count)| ((*name).to_owned(), *count))
        .collect()
}

#[tokio::test]
async fn sums_are_the_same_however_they_are_told_apart_and_filtered() {
    let (_provider, app) = priced(&["ok", "error-500"]).await;
    let (ada, bob) = app.two_tenants().await;
    let second = ada
        .post("/v1/insula/api_keys", json!({"name": "second"}))
        .await
        .ok();
    let (second_id, second) = (
        second["id"].as_str().unwrap().to_owned(),
        ada.with_key(second["key"].as_str().unwrap()),
    );
    for (client, model, user) in [
        (&ada, "ok", Some("u1")),
        (&ada, "ok", Some("u1")),
        (&ada, "ok", Some("u2")),
        (&second, "ok", None),
        (&second, "error-500", Some("u2")),
        (&bob, "ok", Some("u1")),
    ] {
        let mut body = ask(model);
        if let Some(user) = user {
            body["user"] = json!(user);
        }
        client.post(CHAT, body).await;
    }
    events_once(&app, &ada, 5).await;
    assert_invariants(app.owner()).await;

    for width in ["1h", "1d", "all"] {
        let sums = list(&ada, &format!("{SUMS}?bucket_width={width}")).await;
        let all: i64 = sums.iter().map(|sum| sum["requests"].as_i64().unwrap()).sum();
        assert_eq!(all, 5, "{width}");
    }
    let path = format!("{SUMS}?bucket_width=all");
    let whole = list(&ada, &path).await;
    assert_eq!((whole.len(), &whole[0]["failed"]), (1, &json!(1)));
    let (half, most) = (&whole[0]["latency_p50_ms"], &whole[0]["latency_p95_ms"]);
    assert!(
        half.as_f64().unwrap() > 0.0 && half.as_f64() <= most.as_f64(),
        "{half} {most}"
    );
    let by = |group: &'static str, more: &str| {
        let path = format!("{path}&group_by={group}{more}");
        let ada = ada.clone();
        async move { requests(&list(&ada, &path).await, group) }
    };
    assert_eq!(
        by("model", "").await,
        counts(&[("fake/error-500", 1), ("fake/ok", 4)])
    );
    assert_eq!(by("end_user", "").await, counts(&[("u1", 2), ("u2", 2)]));
    assert_eq!(by("endpoint", "").await, counts(&[("chat.completions", 5)]));
    assert_eq!(
        by("model", &format!("&api_key_id={second_id}")).await,
        counts(&[("fake/error-500", 1), ("fake/ok", 1)])
    );
    assert_eq!(
        by("end_user", "&model=fake/ok").await,
        counts(&[("u1", 2), ("u2", 1)])
    );
    assert_eq!(
        by("model", "&end_user=u2").await,
        counts(&[("fake/error-500", 1), ("fake/ok", 1)])
    );
    assert_eq!(by("end_user", "&end_user=u2").await, counts(&[("u2", 2)]));
    let keys = by("api_key_id", "").await;
    assert_eq!(keys.iter().find(|(id, _)| *id == second_id).unwrap().1, 2);
    assert_eq!(keys.iter().map(|(_, count)| count).sum::<i64>(), 5);
    for nothing in [
        "&model=nope",
        "&api_key_id=nope",
        "&end_user=nope",
        "&endpoint=rerank",
    ] {
        assert_eq!(by("model", nothing).await, [], "{nothing}");
    }
    // The one that cost most, and that there are more.
    let best = ada.get(&format!("{path}&group_by=end_user&limit=1")).await.ok();
    assert_eq!(
        (&best["data"][0]["end_user"], &best["has_more"]),
        (&json!("u1"), &json!(true))
    );
    assert_eq!(best["data"].as_array().unwrap().len(), 1);
    for (query, param) in [
        ("endpoint=nope", "endpoint"),
        ("bucket_width=1w", "bucket_width"),
        ("group_by=day", "group_by"),
        ("limit=0", "limit"),
    ] {
        assert_eq!(
            ada.get(&format!("{SUMS}?{query}")).await.refused(400)["param"],
            param
        );
    }

    // By a model, end users are only known from the calls; where those are gone, nothing is told rather than too little.
    sqlx::query(
        "insert into usage_hours (tenant_id, hour, endpoint, model, key_id, requests, failed, cache_hits, input_tokens,
                                  cached_tokens, output_tokens, reasoning_tokens, cost, latency_us)
         select $1, date_trunc('hour', now() - interval '3 days', 'UTC'), 'embeddings', 'gone', gen_random_uuid(), 1, 0, 0, 0,
                0, 0, 0, 0, 0",
    )
    .bind(ada.tenant_id())
    .execute(app.owner())
    .await
    .unwrap();
    let refused = ada.get(&format!("{path}&group_by=end_user&group_by=model")).await;
    assert_eq!(refused.refused(400)["param"], "start_time");
    assert_eq!(by("end_user", "").await, counts(&[("u1", 2), ("u2", 2)]));
}

#[tokio::test]
async fn calls_are_found_by_what_they_were_of_and_paged() {
    let (_provider, app) = priced(&["ok", "error-500"]).await;
    let (ada, bob) = app.two_tenants().await;
    for (model, user) in [("ok", "u1"), ("ok", "u2"), ("error-500", "u1"), ("ok", "u1")] {
        let mut body = ask(model);
        body["user"] = json!(user);
        ada.post(CHAT, body).await;
    }
    events_once(&app, &ada, 4).await;
    let all = list(&ada, EVENTS).await;
    let id = |at: usize| all[at]["id"].as_str().unwrap();
    let ids = |events: Vec<Value>| -> Vec<String> {
        events
            .iter()
            .map(|event| event["id"].as_str().unwrap().to_owned())
            .collect()
    };
    for (query, expected) in [
        ("model=fake/ok", vec![0, 2, 3]),
        ("end_user=u1", vec![0, 1, 3]),
        ("end_user=u1&outcome=completed", vec![0, 3]),
        ("outcome=failed", vec![1]),
        ("endpoint=chat.completions&limit=2", vec![0, 1]),
        ("endpoint=embeddings", vec![]),
        ("api_key_id=nope", vec![]),
        ("start_time=4000000000", vec![]),
        ("end_time=1000000000", vec![]),
        (&format!("after={}&limit=2", id(0)), vec![1, 2]),
        (&format!("after={}&model=fake/ok", id(0)), vec![2, 3]),
        (&format!("before={}&limit=1", id(2)), vec![1]),
        (&format!("order=asc&after={}", id(2)), vec![1, 0]),
    ] {
        let expected: Vec<&str> = expected.into_iter().map(id).collect();
        assert_eq!(
            ids(list(&ada, &format!("{EVENTS}?{query}")).await),
            expected,
            "{query}"
        );
    }
    assert_eq!(
        ada.get(&format!("{EVENTS}?outcome=nope")).await.refused(400)["param"],
        "outcome"
    );
    assert_eq!(list(&bob, EVENTS).await, Vec::<Value>::new());
    bob.get(&format!("{EVENTS}/{}", id(0))).await.refused(404);
    assert_eq!(
        bob.get(&format!("{EVENTS}?after={}", id(0))).await.refused(400)["param"],
        "after"
    );
}

/// The trace of the last call.
async fn last_trace(app: &TestApp, client: &Client, count: usize) -> Value {
    events_once(app, client, count).await;
    let id = list(client, &format!("{EVENTS}?limit=1")).await[0]["id"].clone();
    client
        .get(&format!("{EVENTS}/{}", id.as_str().unwrap()))
        .await
        .ok()
}

fn names(trace: &Value) -> Vec<&str> {
    let stages = trace["trace"]["stages"].as_array().unwrap();
    stages
        .iter()
        .map(|stage| stage["name"].as_str().unwrap())
        .collect()
}

#[tokio::test]
async fn a_call_tells_its_stages_its_attempts_and_its_passages() {
    let (_provider, app) = priced(&["ok", "error-500"]).await;
    let (ada, _) = app.two_tenants().await;
    let (store, files) = ada
        .library(&[("a.txt", "The keeper of the lighthouse lives on the island.")])
        .await;
    let recorded = events_once(&app, &ada, 1).await.len();
    ada.put("/v1/insula/settings/request_logging", json!({"enabled": true}))
        .await
        .ok();

    let mut grounded = ask("ok");
    grounded["messages"][0]["content"] = json!("Where does the keeper live?");
    grounded["data_sources"] =
        json!([{"type": "insula_vector_stores", "parameters": {"vector_store_ids": [store]}}]);
    ada.post(CHAT, grounded).await.ok();
    let call = last_trace(&app, &ada, recorded + 1).await;
    let stages = names(&call);
    for stage in [
        "limits",
        "route",
        "guardrails",
        "search",
        "search.embed",
        "search.rank",
        "reservation",
        "model",
    ] {
        assert!(stages.contains(&stage), "no {stage}: {stages:?}");
    }
    let whole = call["latency_ms"].as_f64().unwrap();
    for stage in call["trace"]["stages"].as_array().unwrap() {
        let (start, took) = (
            stage["start_ms"].as_f64().unwrap(),
            stage["duration_ms"].as_f64().unwrap(),
        );
        assert!(start >= 0.0 && start + took <= whole + 0.01, "{stage} of {whole}");
    }
    let attempt = &call["trace"]["attempts"][0];
    assert_eq!(
        (&attempt["outcome"], &attempt["status"]),
        (&json!("answered"), &Value::Null)
    );
    assert_eq!(attempt["upstream_model"], "ok");
    let chunk = &call["trace"]["chunks"][0];
    assert_eq!(
        (&chunk["vector_store_id"], &chunk["file_id"]),
        (&json!(store), &json!(files[0]))
    );
    assert!(
        chunk["chunk_id"].as_str().unwrap().starts_with("chunk_") && chunk["score"].as_f64().unwrap() > 0.0
    );
    assert!(!call["trace"].to_string().contains("lighthouse"), "no text");
    let log = insula_tests::eventually("the call is logged", async || {
        let path = format!("{EVENTS}/{}", call["id"].as_str().unwrap());
        let call = ada.get(&path).await.ok();
        call["request_log_id"].as_str().map(str::to_owned)
    })
    .await;
    let log = ada.get(&format!("/v1/insula/request_logs/{log}")).await.ok();
    assert_eq!(log["request_id"], call["id"]);

    ada.stream(CHAT, ask_streamed("ok")).await.rest().await;
    let call = last_trace(&app, &ada, recorded + 2).await;
    assert!(names(&call).ends_with(&["model", "stream"]), "{call}");
    assert_eq!(call["trace"]["chunks"], json!([]));
    ada.post(CHAT, ask("error-500")).await.refused(502);
    let call = last_trace(&app, &ada, recorded + 3).await;
    let attempt = &call["trace"]["attempts"][0];
    assert_eq!(
        (&attempt["outcome"], &attempt["status"]),
        (&json!("failed"), &json!(500))
    );

    ada.post(
        &format!("/v1/vector_stores/{store}/search"),
        json!({"query": "keeper"}),
    )
    .await
    .ok();
    let call = last_trace(&app, &ada, recorded + 4).await;
    assert!(names(&call).contains(&"search.rank"), "{call}");
    assert_eq!(call["trace"]["chunks"].as_array().unwrap().len(), 1);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_latency_is_in_the_bucket_that_the_percentiles_are_read_from() {
    let app = TestApp::without_worker().await;
    for end in 0..39 {
        let us = (1_000.0 * std::f64::consts::SQRT_2.powi(end)).round() as i64;
        for (us, bucket) in [(us - 1, end), (us, end + 1)] {
            let found: i32 =
                sqlx::query_scalar("select array_position(latency_histogram($1)::real[], 1) - 1")
                    .bind(us)
                    .fetch_one(app.owner())
                    .await
                    .unwrap();
            assert_eq!(found, bucket, "{us}");
        }
    }
}
