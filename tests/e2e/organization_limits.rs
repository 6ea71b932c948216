//! What the operator lets a project have, in OpenAI's words: requests and tokens by model, which models, and how much money.

use std::time::Duration;

use insula_tests::{Answer, Client, TestApp, eventually};
use serde_json::{Value, json};

use crate::ledger::{ask, priced};

const CHAT: &str = "/v1/chat/completions";

fn path(of: &Client, rest: &str) -> String {
    format!("/v1/organization/projects/{}/{rest}", of.tenant_id())
}

/// What a server has read of a tenant before is a second old at most.
async fn a_second_later() {
    tokio::time::sleep(Duration::from_millis(1_100)).await;
}

async fn limit_of(operator: &Client, of: &Client, model: &str) -> Value {
    let listed = operator.get(&path(of, "rate_limits")).await.ok();
    let limits = listed["data"].as_array().unwrap();
    limits
        .iter()
        .find(|limit| limit["model"] == model)
        .unwrap()
        .clone()
}

#[tokio::test]
async fn rate_limits_are_told_by_model_and_hold() {
    let (_provider, app) = priced(&["ok", "slow"]).await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    let limit = limit_of(&operator, &ada, "fake/ok").await;
    assert_eq!(
        (
            &limit["object"],
            &limit["max_requests_per_1_minute"],
            &limit["max_tokens_per_1_minute"]
        ),
        (&json!("project.rate_limit"), &Value::Null, &Value::Null)
    );
    limit_of(&operator, &ada, "all-MiniLM-L6-v2").await;
    let one = path(&ada, &format!("rate_limits/{}", limit["id"].as_str().unwrap()));
    let changed = operator
        .post(&one, json!({"max_requests_per_1_minute": 1}))
        .await
        .ok();
    assert_eq!(changed["max_requests_per_1_minute"], 1);
    let changed = operator
        .post(&one, json!({"max_tokens_per_1_minute": 100_000}))
        .await
        .ok();
    assert_eq!(
        (
            &changed["max_requests_per_1_minute"],
            &changed["max_tokens_per_1_minute"]
        ),
        (&json!(1), &json!(100_000)),
        "what is not named stays"
    );
    assert_eq!(limit_of(&operator, &ada, "fake/ok").await, changed);
    assert_eq!(
        limit_of(&operator, &bob, "fake/ok").await,
        limit,
        "of another, nothing changed"
    );
    a_second_later().await;
    assert_eq!(ada.post(CHAT, ask("ok")).await.status, 200);
    assert_eq!(
        ada.post(CHAT, ask("ok")).await.refused(429)["code"],
        "rate_limit_exceeded"
    );
    for _ in 0..2 {
        assert_eq!(bob.post(CHAT, ask("ok")).await.status, 200);
    }
    // As the operator's own words have it.
    let shown = operator
        .get(&format!("/v1/insula/operator/tenants/{}/limits", ada.tenant_id()))
        .await
        .ok();
    assert_eq!(shown["limits"][0]["subject"], "fake/ok");

    for (body, param) in [
        (
            json!({"max_requests_per_1_minute": -1}),
            "max_requests_per_1_minute",
        ),
        (
            json!({"max_requests_per_1_minute": "many"}),
            "max_requests_per_1_minute",
        ),
        (json!({"max_requests_per_1_day": 5}), "max_requests_per_1_day"),
        (
            json!({"batch_1_day_max_input_tokens": 5}),
            "batch_1_day_max_input_tokens",
        ),
    ] {
        assert_eq!(
            operator.post(&one, body.clone()).await.refused(400)["param"],
            param,
            "{body}"
        );
    }
    operator
        .post(&path(&ada, "rate_limits/rl-bm9ib2R5"), json!({}))
        .await
        .refused(404);
    // Pages by name.
    let mut names = Vec::new();
    let mut after = String::new();
    loop {
        let page = operator
            .get(&path(&ada, &format!("rate_limits?limit=1{after}")))
            .await
            .ok();
        names.extend(
            page["data"]
                .as_array()
                .unwrap()
                .iter()
                .map(|limit| limit["model"].as_str().unwrap().to_owned()),
        );
        if page["has_more"] == false {
            break;
        }
        after = format!("&after={}", page["last_id"].as_str().unwrap());
    }
    let all = operator.get(&path(&ada, "rate_limits")).await.ok();
    let all: Vec<&str> = all["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|limit| limit["model"].as_str().unwrap())
        .collect();
    assert_eq!(names, all);
    assert!(all.len() >= 4 && all.is_sorted());
}

/// What an answer says, but for the name that was asked for.
fn told(answer: &Answer, name: &str) -> (u16, String) {
    (
        answer.status,
        String::from_utf8_lossy(&answer.bytes).replace(name, "NAME"),
    )
}

#[tokio::test]
async fn a_model_that_is_not_permitted_is_answered_like_one_that_never_was() {
    let (_provider, app) = priced(&["ok", "slow"]).await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    let permissions = path(&ada, "model_permissions");
    assert_eq!(
        operator.get(&permissions).await.ok(),
        json!({"object": "project.model_permissions", "mode": "deny_list", "model_ids": []})
    );
    ada.put("/v1/insula/routes/mine", json!({"target_model": "fake/ok"}))
        .await
        .ok();
    let (store, _) = ada.library(&[("a.txt", "The keeper lives on the island.")]).await;
    let denied = json!({"mode": "deny_list", "model_ids": ["fake/ok", "all-MiniLM-L6-v2"]});
    let set = operator.post(&permissions, denied).await.ok();
    assert_eq!(operator.get(&permissions).await.ok(), set);
    a_second_later().await;
    let chat = async |model: &str| {
        let mut body = ask("ok");
        body["model"] = json!(model);
        told(&ada.post(CHAT, body).await, model)
    };
    let unknown = chat("fake/nonesuch").await;
    assert_eq!(unknown.0, 404);
    for name in ["fake/ok", "mine"] {
        assert_eq!(chat(name).await, unknown, "{name}");
    }
    assert_eq!(chat("insula/extractive").await.0, 200);
    let embed = async |client: &Client, model: &str| {
        told(
            &client
                .post("/v1/embeddings", json!({"model": model, "input": "x"}))
                .await,
            model,
        )
    };
    assert_eq!(
        embed(&ada, "all-MiniLM-L6-v2").await,
        embed(&ada, "nonesuch").await
    );
    assert_eq!(embed(&bob, "all-MiniLM-L6-v2").await.0, 200);
    let new = async |model: &str| {
        told(
            &ada.post("/v1/vector_stores", json!({"embedding_model": model}))
                .await,
            model,
        )
    };
    assert_eq!(new("all-MiniLM-L6-v2").await, new("nonesuch").await);
    // What is there stays of use.
    let found = ada
        .search(&store, json!({"query": "Where does the keeper live?"}))
        .await;
    assert_eq!(found["data"].as_array().unwrap().len(), 1);
    let models = async |client: &Client| client.get("/v1/models").await.ok()["data"].to_string();
    let (adas, bobs) = (models(&ada).await, models(&bob).await);
    for name in ["fake/ok", "all-MiniLM-L6-v2"] {
        assert!(
            !adas.contains(&format!("\"{name}\"")) && bobs.contains(&format!("\"{name}\"")),
            "{name}"
        );
        ada.get(&format!("/v1/models/{name}")).await.refused(404);
    }
    assert!(!adas.contains("\"mine\""));

    operator
        .post(
            &permissions,
            json!({"mode": "allow_list", "model_ids": ["fake/ok"]}),
        )
        .await
        .ok();
    a_second_later().await;
    assert_eq!(chat("fake/ok").await.0, 200);
    assert_eq!(chat("mine").await.0, 200);
    assert_eq!(chat("insula/extractive").await, unknown);

    let deleted = operator.delete(&permissions).await.ok();
    assert_eq!(
        deleted,
        json!({"object": "project.model_permissions.deleted", "deleted": true})
    );
    assert_eq!(operator.delete(&permissions).await.ok()["deleted"], false);
    a_second_later().await;
    assert_eq!(chat("insula/extractive").await.0, 200);
    for (body, param) in [
        (json!({"mode": "maybe", "model_ids": []}), "mode"),
        (json!({"mode": "allow_list"}), "model_ids"),
        (json!({"mode": "allow_list", "model_ids": [""]}), "model_ids"),
        (
            json!({"mode": "allow_list", "model_ids": ["a", 7]}),
            "model_ids[1]",
        ),
    ] {
        assert_eq!(
            operator.post(&permissions, body.clone()).await.refused(400)["param"],
            param,
            "{body}"
        );
    }
}

/// Money that a tenant has spent this month, in nano-dollars.
async fn has_spent(app: &TestApp, of: &Client, nanos: i64) {
    sqlx::query(
        "insert into usage_hours select $1, date_trunc('hour', now(), 'UTC'), 'chat.completions', 'earlier',
                '00000000-0000-0000-0000-000000000000', 1, 0, 0, 0, 0, 0, 0, $2, 1",
    )
    .bind(of.tenant_id())
    .bind(nanos)
    .execute(app.owner())
    .await
    .unwrap();
}

#[tokio::test]
async fn a_spend_limit_counts_what_was_spent_and_refuses_more() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    has_spent(&app, &ada, 5_000_000_000).await;
    let limit = path(&ada, "spend_limit");
    operator.get(&limit).await.refused(404);
    operator.delete(&limit).await.refused(404);
    let cents = |cents: i64| json!({"threshold_amount": cents, "currency": "USD", "interval": "month"});
    let set = operator.post(&limit, cents(400)).await.ok();
    assert_eq!(
        set,
        json!({
            "object": "project.spend_limit", "threshold_amount": 400, "currency": "USD", "interval": "month",
            "enforcement": {"status": "enforcing"},
        })
    );
    a_second_later().await;
    assert_eq!(
        ada.post(CHAT, ask("ok")).await.refused(429)["code"],
        "insufficient_quota"
    );
    assert_eq!(bob.post(CHAT, ask("ok")).await.status, 200);
    // The operator's other budgets are others.
    let budgets = format!("/v1/insula/operator/tenants/{}/budgets", ada.tenant_id());
    operator.put(&budgets, json!({"budgets": []})).await.ok();
    assert_eq!(operator.get(&limit).await.ok(), set);
    let raised = operator.post(&limit, cents(100_000)).await.ok();
    assert_eq!(raised["enforcement"]["status"], "inactive");
    a_second_later().await;
    assert_eq!(ada.post(CHAT, ask("ok")).await.status, 200);
    for (body, param) in [
        (cents(-1), "threshold_amount"),
        (cents(i64::MAX), "threshold_amount"),
        (
            json!({"threshold_amount": 1, "currency": "EUR", "interval": "month"}),
            "currency",
        ),
        (
            json!({"threshold_amount": 1, "currency": "USD", "interval": "week"}),
            "interval",
        ),
        (
            json!({"currency": "USD", "interval": "month"}),
            "threshold_amount",
        ),
    ] {
        assert_eq!(
            operator.post(&limit, body.clone()).await.refused(400)["param"],
            param,
            "{body}"
        );
    }
    let gone = operator.delete(&limit).await.ok();
    assert_eq!(
        gone,
        json!({"object": "project.spend_limit.deleted", "deleted": true})
    );
    operator.get(&limit).await.refused(404);
}

#[tokio::test]
async fn a_spend_alert_tells_once_it_is_passed_and_refuses_nothing() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    // A breath below one cent.
    has_spent(&app, &ada, 9_999_999).await;
    let alerts = path(&ada, "spend_alerts");
    let alert = |cents: i64| {
        json!({
            "threshold_amount": cents, "currency": "USD", "interval": "month",
            "notification_channel": {"type": "email", "recipients": ["ops@example.com"]},
        })
    };
    let made = operator.post(&alerts, alert(1)).await.ok();
    assert_eq!(
        (&made["object"], &made["threshold_amount"]),
        (&json!("project.spend_alert"), &json!(1))
    );
    assert_eq!(
        made["notification_channel"],
        json!({"type": "email", "recipients": ["ops@example.com"], "subject_prefix": null})
    );
    let one = format!("{alerts}/{}", made["id"].as_str().unwrap());
    assert_eq!(operator.get(&one).await.ok(), made);
    assert_eq!(operator.get(&alerts).await.ok()["data"], json!([made]));
    a_second_later().await;
    for _ in 0..2 {
        assert_eq!(ada.post(CHAT, ask("ok")).await.status, 200);
    }
    let told = eventually("the alert is told", async || {
        let told: Vec<i32> =
            sqlx::query_scalar("select percent from budget_alerts where told_at is not null")
                .fetch_all(app.owner())
                .await
                .unwrap();
        (!told.is_empty()).then_some(told)
    })
    .await;
    assert_eq!(told, [100]);
    let changed = operator.post(&one, alert(7)).await.ok();
    assert_eq!(
        (&changed["threshold_amount"], &changed["id"]),
        (&json!(7), &made["id"])
    );
    // Another project's.
    let elsewhere = one.replace(&ada.tenant_id().to_string(), &bob.tenant_id().to_string());
    operator.get(&elsewhere).await.refused(404);
    operator.post(&elsewhere, alert(7)).await.refused(404);
    operator.delete(&elsewhere).await.refused(404);
    for (body, param) in [
        (alert(0), "threshold_amount"),
        (
            json!({"threshold_amount": 1, "currency": "USD", "interval": "month"}),
            "notification_channel",
        ),
        (
            json!({"threshold_amount": 1, "currency": "USD", "interval": "month",
                   "notification_channel": {"type": "email", "recipients": []}}),
            "notification_channel.recipients",
        ),
        (
            json!({"threshold_amount": 1, "currency": "USD", "interval": "month",
                   "notification_channel": {"type": "pigeon", "recipients": ["a@b"]}}),
            "notification_channel.type",
        ),
    ] {
        assert_eq!(
            operator.post(&alerts, body.clone()).await.refused(400)["param"],
            param,
            "{body}"
        );
    }
    assert_eq!(
        operator.delete(&one).await.ok()["object"],
        "project.spend_alert.deleted"
    );
    operator.get(&one).await.refused(404);
    assert_eq!(operator.get(&alerts).await.ok()["data"], json!([]));
}
