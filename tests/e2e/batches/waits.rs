//! What makes a line wait instead of fail.

use insula_tests::{Client, TestApp, assert_invariants, eventually};
use serde_json::{Value, json};

use super::{CHAT, answers, charges, ended, get, ledger, lines, submit};
use crate::ledger::{ask, events, priced};

async fn limit(app: &TestApp, tenant: &Client, limits: Value) {
    let path = format!("/v1/insula/operator/tenants/{}/limits", tenant.tenant_id());
    app.operator()
        .await
        .put(&path, json!({"limits": limits}))
        .await
        .ok();
    // What a server has read of the tenant before is a second old at most.
    tokio::time::sleep(std::time::Duration::from_millis(1_100)).await;
}

/// Waits until the batch waits.
async fn waits(app: &TestApp) {
    eventually("the job waits for its time", async || {
        let waits: i64 = sqlx::query_scalar(
            "select count(*) from jobs where kind = 'run_batch' and state = 'ready' and run_at > now()",
        )
        .fetch_one(app.owner())
        .await
        .unwrap();
        (waits == 1).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_limit_of_requests_turns_no_line_away() {
    let (provider, app) = priced(&["ok"]).await;
    let ada = app.tenant("ada").await;
    let limits = json!([{"subject_kind": "tenant", "requests_per_minute": 10}]);
    limit(&app, &ada, limits).await;
    let id = submit(&ada, CHAT, &lines(12, CHAT, &ask("ok"))).await;
    waits(&app).await;
    let batch = get(&ada, &id).await;
    assert_eq!(batch["status"], "in_progress");
    let counts = json!({"total": 12, "completed": 5, "failed": 0});
    assert_eq!(batch["request_counts"], counts, "half of the limit");
    for _ in 0..5 {
        // The other half is for whoever waits for an answer.
        ada.post(CHAT, ask("ok")).await.ok();
    }
    ada.post(CHAT, ask("ok")).await.refused(429);
    limit(&app, &ada, json!([])).await;
    app.bring_forward("run_batch").await;
    let batch = ended(&ada, &id).await;
    let counts = json!({"total": 12, "completed": 12, "failed": 0});
    assert_eq!(batch["request_counts"], counts);
    assert_eq!(provider.count("ok").await.requests, 17);
    let good = answers(&ada, &batch, "output_file_id").await;
    let charged = ledger(&app, &ada).await;
    assert_eq!(charged.len(), 17);
    for charge in charges(&good) {
        assert!(charged.contains(&charge), "{charge:?}");
    }
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_limit_of_calls_at_once_is_kept_and_shared() {
    let (provider, app) = priced(&["late-100", "ok"]).await;
    let ada = app.tenant("ada").await;
    let limits = json!([{"subject_kind": "tenant", "concurrency": 4}]);
    limit(&app, &ada, limits).await;
    let id = submit(&ada, CHAT, &lines(30, CHAT, &ask("late-100"))).await;
    super::has_done(&ada, &id, 1).await;
    for _ in 0..10 {
        ada.post(CHAT, ask("ok")).await.ok();
    }
    let batch = ended(&ada, &id).await;
    let counts = json!({"total": 30, "completed": 30, "failed": 0});
    assert_eq!(batch["request_counts"], counts);
    assert_eq!(
        provider.count("late-100").await.requests,
        30,
        "none is called twice"
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_line_beyond_a_limit_fails_and_holds_up_nobody() {
    let (_provider, app) = priced(&["ok"]).await;
    let ada = app.tenant("ada").await;
    let limits = json!([{"subject_kind": "tenant", "tokens_per_minute": 1_000}]);
    limit(&app, &ada, limits).await;
    let mut huge = ask("ok");
    huge["max_tokens"] = json!(2_000);
    let both = super::line("huge", CHAT, &huge) + "\n" + &super::line("small", CHAT, &ask("ok"));
    let id = submit(&ada, CHAT, &both).await;
    let batch = ended(&ada, &id).await;
    let counts = json!({"total": 2, "completed": 1, "failed": 1});
    assert_eq!(batch["request_counts"], counts);
    let bad = answers(&ada, &batch, "error_file_id").await;
    let over_http = ada.post(CHAT, huge).await;
    assert_eq!(over_http.header("x-should-retry"), Some("false"));
    assert_eq!(bad[0]["response"]["body"]["error"], over_http.refused(429));
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_batch_that_waits_is_cancelled_at_once() {
    let (_provider, app) = priced(&["ok"]).await;
    let ada = app.tenant("ada").await;
    limit(
        &app,
        &ada,
        json!([{"subject_kind": "tenant", "requests_per_minute": 1}]),
    )
    .await;
    let id = submit(&ada, CHAT, &lines(3, CHAT, &ask("ok"))).await;
    waits(&app).await;
    ada.post(&format!("/v1/batches/{id}/cancel"), json!({}))
        .await
        .ok();
    let batch = ended(&ada, &id).await;
    assert_eq!(
        batch["request_counts"],
        json!({"total": 3, "completed": 1, "failed": 0})
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_provider_that_comes_back_is_asked_again() {
    let (provider, app) = priced(&["mend-1"]).await;
    let ada = app.tenant("ada").await;
    let id = submit(&ada, CHAT, &lines(1, CHAT, &ask("mend-1"))).await;
    let batch = ended(&ada, &id).await;
    assert_eq!(
        batch["request_counts"],
        json!({"total": 1, "completed": 1, "failed": 0})
    );
    assert!(provider.count("mend-1").await.requests >= 2);
    let events = events(&app, &ada).await;
    let told: Vec<_> = events
        .iter()
        .map(|event| (event.outcome.as_str(), event.cost))
        .collect();
    assert_eq!(
        told.first(),
        Some(&("failed", 0)),
        "the attempts are on the ledger"
    );
    assert_eq!(told.last(), Some(&("completed", 21_000)), "and the answer, once");
    assert_eq!(
        told.iter().filter(|(outcome, _)| *outcome == "completed").count(),
        1
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_provider_that_is_gone_is_an_answer_in_the_end() {
    let (_provider, app) = priced(&["error-500", "ok"]).await;
    let ada = app.tenant("ada").await;
    let both = super::line("bad", CHAT, &ask("error-500")) + "\n" + &super::line("good", CHAT, &ask("ok"));
    let id = submit(&ada, CHAT, &both).await;
    // Its pauses grow; a test has no time for them.
    let batch = eventually("it is over", async || {
        sqlx::query("update jobs set run_at = now() where kind = 'run_batch' and state = 'ready'")
            .execute(app.owner())
            .await
            .unwrap();
        let batch = get(&ada, &id).await;
        (batch["status"] == "completed").then_some(batch)
    })
    .await;
    assert_eq!(
        batch["request_counts"],
        json!({"total": 2, "completed": 1, "failed": 1})
    );
    let bad = answers(&ada, &batch, "error_file_id").await;
    let response = &bad[0]["response"];
    assert!(
        [502, 503].contains(&response["status_code"].as_i64().unwrap()),
        "{response}"
    );
    assert_eq!(response["body"]["error"]["type"], "server_error");
    assert!(!response.to_string().contains("secret-inner-detail"));
    assert_invariants(app.owner()).await;
}
