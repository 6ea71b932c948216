//! Limits of requests, tokens and calls at once: exact with any number of servers.

use std::time::Duration;

use futures::future::join_all;
use insula_tests::{Client, Setup, TestApp, assert_invariants, eventually};
use serde_json::{Value, json};

use crate::ledger::{ask, ask_streamed, events, priced};

const CHAT: &str = "/v1/chat/completions";

/// Sets what limits a tenant, and waits until its servers know.
async fn limit(app: &TestApp, tenant: &Client, limits: Value) {
    let operator = app.operator().await;
    let path = format!("/v1/insula/operator/tenants/{}/limits", tenant.tenant_id());
    operator.put(&path, json!({"limits": limits})).await.ok();
    // What a server has read of the tenant before is a second old at most.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

#[tokio::test]
async fn requests_per_minute_are_exact_and_told() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    limit(
        &app,
        &ada,
        json!([{"subject_kind": "tenant", "requests_per_minute": 20}]),
    )
    .await;
    let answers = join_all((0..60).map(|_| ada.post(CHAT, ask("ok")))).await;
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    assert_eq!(passed, 20);
    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    let error = refused.refused(429);
    assert_eq!(
        (&error["type"], &error["code"]),
        (&json!("requests"), &json!("rate_limit_exceeded"))
    );
    assert_eq!(refused.header("x-ratelimit-limit-requests"), Some("20"));
    assert_eq!(refused.header("x-ratelimit-remaining-requests"), Some("0"));
    let seconds: u64 = refused.header("retry-after").unwrap().parse().unwrap();
    assert!((1..=60).contains(&seconds), "{seconds}");
    let answered = answers.iter().find(|answer| answer.status == 200).unwrap();
    assert_eq!(answered.header("x-ratelimit-limit-requests"), Some("20"));
    assert!(answered.header("x-ratelimit-reset-requests").is_some());

    assert_eq!(
        bob.post(CHAT, ask("ok")).await.status,
        200,
        "a neighbour is not limited"
    );
    assert_eq!(
        events(&app, &ada).await.len(),
        20,
        "what was refused is not metered"
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn two_servers_share_a_limit_exactly() {
    let (provider, app) = priced(&["ok"]).await;
    let other = app.second_server().await;
    let (ada, _) = app.two_tenants().await;
    let there = Client::at(other.address, &ada);
    limit(
        &app,
        &ada,
        json!([{"subject_kind": "key", "requests_per_minute": 100}]),
    )
    .await;
    let calls = (0..500).map(|n| if n % 2 == 0 { &ada } else { &there });
    let answers = join_all(calls.map(|client| client.post(CHAT, ask("ok")))).await;
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    let refused = answers.iter().filter(|answer| answer.status == 429).count();
    assert_eq!((passed, refused), (100, 400));
    drop(provider);
}

#[tokio::test]
async fn what_one_server_does_not_use_another_can() {
    let (_provider, app) = priced(&["ok"]).await;
    let other = app.second_server().await;
    let (ada, _) = app.two_tenants().await;
    let there = Client::at(other.address, &ada);
    limit(
        &app,
        &ada,
        json!([{"subject_kind": "tenant", "requests_per_minute": 30}]),
    )
    .await;
    assert_eq!(ada.post(CHAT, ask("ok")).await.status, 200);
    let mut passed = 1;
    eventually("the other server has the rest", async || {
        passed += usize::from(there.post(CHAT, ask("ok")).await.status == 200);
        (passed == 30).then_some(())
    })
    .await;
    assert_eq!(there.post(CHAT, ask("ok")).await.status, 429);
    assert_eq!(ada.post(CHAT, ask("ok")).await.status, 429);
}

#[tokio::test]
async fn tokens_are_taken_as_expected_and_corrected_as_they_were() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, _) = app.two_tenants().await;
    limit(
        &app,
        &ada,
        json!([{"subject_kind": "model", "tokens_per_minute": 1000}]),
    )
    .await;
    let mut body = ask("ok");
    body["max_tokens"] = json!(2000);
    let error = ada.post(CHAT, body.clone()).await.refused(429);
    assert_eq!(error["type"], "tokens");
    body["max_tokens"] = json!(900);
    // Each of these expects more than half of the limit, and takes little.
    for _ in 0..3 {
        assert_eq!(ada.post(CHAT, body.clone()).await.status, 200);
    }
    let left: i64 = ada
        .post(CHAT, ask("ok"))
        .await
        .header("x-ratelimit-remaining-tokens")
        .unwrap()
        .parse()
        .unwrap();
    assert!((800..1000).contains(&left), "{left}");
}

#[tokio::test]
async fn calls_at_once_are_limited_and_freed_when_they_end() {
    let (_provider, app) = priced(&["slow", "ok"]).await;
    let (ada, _) = app.two_tenants().await;
    limit(&app, &ada, json!([{"subject_kind": "tenant", "concurrency": 2}])).await;
    let mut streams = Vec::new();
    for _ in 0..2 {
        let mut stream = ada.stream(CHAT, ask_streamed("slow")).await;
        stream.next().await.unwrap();
        streams.push(stream);
    }
    let refused = ada.post(CHAT, ask("ok")).await;
    assert!(
        refused.refused(429)["message"]
            .as_str()
            .unwrap()
            .contains("at once")
    );
    drop(streams);
    eventually("room is made", async || {
        (ada.post(CHAT, ask("ok")).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn plans_are_for_many_and_overrides_for_one() {
    let app = TestApp::with(Setup::default()).await;
    let operator = app.operator().await;
    let (ada, bob) = app.two_tenants().await;
    let plan = "/v1/insula/operator/plans/free";
    let limits = json!([{"subject_kind": "tenant", "requests_per_minute": 2}]);
    operator.put(plan, json!({"limits": limits})).await.ok();
    let of = |tenant: &Client| format!("/v1/insula/operator/tenants/{}/limits", tenant.tenant_id());
    operator
        .put(&of(&ada), json!({"plan": "free", "limits": []}))
        .await
        .ok();
    let more = json!({"plan": "free", "limits": [{"subject_kind": "tenant", "requests_per_minute": 3}]});
    let set = operator.put(&of(&bob), more).await.ok();
    assert_eq!(operator.get(&of(&bob)).await.ok(), set);
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    let embed = json!({"model": "all-MiniLM-L6-v2", "input": "x"});
    for (client, most) in [(&ada, 2), (&bob, 3)] {
        let answers = join_all((0..5).map(|_| client.post("/v1/embeddings", embed.clone()))).await;
        let passed = answers.iter().filter(|answer| answer.status == 200).count();
        assert_eq!(passed, most);
    }
    assert!(
        operator.delete(plan).await.refused(400)["message"]
            .as_str()
            .unwrap()
            .contains("has the plan")
    );
    let bad = json!({"limits": [{"subject_kind": "tenant", "subject": "x"}]});
    assert_eq!(
        operator.put(plan, bad).await.refused(400)["param"],
        "limits[0].subject"
    );
    assert_eq!(
        operator
            .put(&of(&ada), json!({"plan": "gold", "limits": []}))
            .await
            .refused(400)["param"],
        "plan"
    );
}
