//! Budgets: never overspent, however many calls there are at once.

use std::time::Duration;

use futures::future::join_all;
use insula_tests::{Client, assert_invariants, eventually};
use serde_json::{Value, json};

use crate::ledger::{ask, events, events_once, priced};

const CHAT: &str = "/v1/chat/completions";
const BUDGETS: &str = "/v1/insula/budgets";

async fn budget(client: &Client, body: Value) -> Value {
    let made = client.post(BUDGETS, body).await.ok();
    // What a server has read of the tenant before is a second old at most.
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    made
}

/// A call that can cost 2,000 nano-dollars for each of ten tokens, and what it reads.
fn small() -> Value {
    let mut body = ask("ok");
    body["max_tokens"] = json!(10);
    body
}

#[tokio::test]
async fn a_thousand_calls_at_once_spend_at_most_the_budget() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    // What one call costs.
    assert_eq!(bob.post(CHAT, small()).await.status, 200);
    let one = events_once(&app, &bob, 1).await[0].cost;
    let amount = one * 100;
    let dollars = format!("0.{amount:09}");
    budget(
        &ada,
        json!({"subject_kind": "tenant", "period": "total", "amount_usd": dollars}),
    )
    .await;
    let answers = join_all((0..1000).map(|_| ada.post(CHAT, small()))).await;
    let passed = answers.iter().filter(|answer| answer.status == 200).count();
    assert!((1..=100).contains(&passed), "{passed}");
    for refused in answers.iter().filter(|answer| answer.status != 200) {
        assert_eq!(refused.refused(429)["code"], "insufficient_quota");
        assert_eq!(refused.header("x-should-retry"), Some("false"));
    }
    let spent: i64 = events(&app, &ada).await.iter().map(|event| event.cost).sum();
    assert_eq!(spent, one * i64::try_from(passed).unwrap());
    assert!(spent <= amount);
    // One after the other, what is left can be spent but for less than the bound of one call.
    let mut last = spent;
    loop {
        let answer = ada.post(CHAT, small()).await;
        if answer.status != 200 {
            break;
        }
        last += one;
        assert!(last <= amount);
        assert!(app.services.meter.settled(Duration::from_secs(10)).await);
    }
    assert!(last + 40_000 > amount, "{last} of {amount}");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn each_end_user_has_a_budget_of_its_own() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, _) = app.two_tenants().await;
    let made = budget(
        &ada,
        json!({"subject_kind": "end_user", "period": "day", "amount_usd": "0.00012", "name": "per person"}),
    )
    .await;
    let call = |user: &str| {
        let mut body = small();
        body["user"] = json!(user);
        body
    };
    let mut passed = 0;
    while ada.post(CHAT, call("eve")).await.status == 200 {
        passed += 1;
        assert!(passed < 100);
    }
    assert!(passed > 0);
    let error = ada.post(CHAT, call("eve")).await.refused(429);
    assert!(error["message"].as_str().unwrap().contains("per person"));
    assert_eq!(ada.post(CHAT, call("mallory")).await.status, 200);
    assert_eq!(ada.post(CHAT, small()).await.status, 200, "nobody's call");
    assert!(app.services.meter.settled(Duration::from_secs(10)).await);
    let path = format!("{BUDGETS}/{}", made["id"].as_str().unwrap());
    let shown = ada.get(&path).await.ok();
    let subjects: Vec<_> = shown["spent"]
        .as_array()
        .unwrap()
        .iter()
        .map(|spent| &spent["subject"])
        .collect();
    assert_eq!(subjects, ["eve", "mallory"]);
}

#[tokio::test]
async fn a_soft_budget_tells_and_lets_pass() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    let soft = json!({
        "subject_kind": "model", "subject": "fake/ok", "period": "month", "amount_usd": "0.00001", "hard": false,
        "alert_at": [50, 100, 1000],
    });
    budget(&ada, soft).await;
    for client in [&ada, &bob] {
        assert_eq!(client.post(CHAT, small()).await.status, 200);
        assert_eq!(client.post(CHAT, small()).await.status, 200);
    }
    let told = eventually("the alerts are told", async || {
        let told: Vec<i32> = sqlx::query_scalar(
            "select percent from budget_alerts where told_at is not null order by percent",
        )
        .fetch_all(app.owner())
        .await
        .unwrap();
        (told.len() >= 2).then_some(told)
    })
    .await;
    assert_eq!(told, [50, 100]);
}

#[tokio::test]
async fn the_operators_budgets_are_seen_and_not_changed() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    let path = format!("/v1/insula/operator/tenants/{}/budgets", ada.tenant_id());
    let body = json!({"budgets": [{"subject_kind": "tenant", "period": "month", "amount_usd": "0"}]});
    operator.put(&path, body).await.ok();
    tokio::time::sleep(Duration::from_millis(1_100)).await;
    assert_eq!(
        ada.post(CHAT, small()).await.refused(429)["code"],
        "insufficient_quota"
    );
    let listed = ada.get(BUDGETS).await.ok();
    let id = listed["data"][0]["id"].as_str().unwrap().to_owned();
    assert_eq!(listed["data"][0]["set_by"], "operator");
    let path = format!("{BUDGETS}/{id}");
    ada.post(&path, json!({"amount_usd": "100"})).await.refused(400);
    ada.delete(&path).await.refused(400);
    bob.get(&path).await.refused(404);
    assert_eq!(bob.post(CHAT, small()).await.status, 200);
}

#[tokio::test]
async fn wrong_budgets_are_refused_with_their_field() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, _) = app.two_tenants().await;
    let good = json!({"subject_kind": "tenant", "period": "day", "amount_usd": "1.5"});
    for (field, value, param) in [
        ("amount_usd", json!("1e3"), "amount_usd"),
        ("amount_usd", json!("-1"), "amount_usd"),
        ("amount_usd", json!("0.0000000001"), "amount_usd"),
        ("amount_usd", json!(1.5), "amount_usd"),
        ("period", json!("year"), "period"),
        ("subject", json!("x"), "subject"),
        ("alert_at", json!([0]), "alert_at"),
    ] {
        let mut body = good.clone();
        body[field] = value;
        assert_eq!(
            ada.post(BUDGETS, body.clone()).await.refused(400)["param"],
            param,
            "{body}"
        );
    }
    let made = ada.post(BUDGETS, good).await.ok();
    assert_eq!(
        (&made["amount_usd"], &made["hard"]),
        (&json!("1.5"), &json!(true))
    );
}
