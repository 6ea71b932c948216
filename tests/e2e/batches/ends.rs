//! Batches that do not come to their last line.

use insula_tests::{Client, TestApp, assert_invariants};
use serde_json::{Value, json};

use super::{CHAT, answers, charges, ended, get, has_done, ids, ledger, lines, submit};
use crate::ledger::{ask, priced};

/// Asks for the end of a batch.
async fn cancel(client: &Client, id: &str) -> insula_tests::Answer {
    client.post(&format!("/v1/batches/{id}/cancel"), json!({})).await
}

/// Every line is in one of the files, and what was answered is charged and nothing else.
async fn assert_whole(app: &TestApp, ada: &Client, batch: &Value, code: &str) {
    let good = answers(ada, batch, "output_file_id").await;
    let rest = answers(ada, batch, "error_file_id").await;
    assert!(!good.is_empty() && !rest.is_empty(), "{batch}");
    assert_eq!(
        batch["request_counts"],
        json!({"total": 60, "completed": good.len(), "failed": 0})
    );
    for not_called in &rest {
        assert_eq!(
            (&not_called["response"], &not_called["error"]["code"]),
            (&Value::Null, &json!(code))
        );
        assert!(not_called["error"]["message"].as_str().unwrap().contains("not"));
    }
    let mut all: Vec<usize> = ids(&good)
        .into_iter()
        .chain(ids(&rest))
        .map(|id| id.parse().unwrap())
        .collect();
    all.sort_unstable();
    assert_eq!(all, (0..60).collect::<Vec<_>>());
    assert_eq!(ledger(app, ada).await, charges(&good));
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn what_was_answered_before_a_cancellation_is_kept() {
    let (_provider, app) = priced(&["late-100"]).await;
    let ada = app.tenant("ada").await;
    let id = submit(&ada, CHAT, &lines(60, CHAT, &ask("late-100"))).await;
    has_done(&ada, &id, 1).await;
    let asked = cancel(&ada, &id).await.ok();
    assert_eq!(asked["status"], "cancelling");
    assert!(asked["cancelling_at"].is_i64() && asked["cancelled_at"].is_null());
    assert_eq!(
        cancel(&ada, &id).await.ok()["cancelling_at"],
        asked["cancelling_at"],
        "twice is once"
    );
    let batch = ended(&ada, &id).await;
    assert_eq!(batch["status"], "cancelled");
    assert!(batch["cancelled_at"].is_i64() && batch["finalizing_at"].is_null());
    assert_whole(&app, &ada, &batch, "batch_cancelled").await;
    assert_eq!(cancel(&ada, &id).await.ok()["status"], "cancelled");
}

#[tokio::test]
async fn a_batch_that_was_not_begun_is_cancelled_without_a_call() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let body = json!({"model": "insula/extractive", "messages": [{"role": "user", "content": "x"}]});
    let id = submit(&ada, CHAT, &lines(3, CHAT, &body)).await;
    assert_eq!(cancel(&ada, &id).await.ok()["status"], "cancelling");
    app.run_jobs().await;
    let batch = get(&ada, &id).await;
    assert_eq!(
        (&batch["status"], &batch["output_file_id"]),
        (&json!("cancelled"), &Value::Null)
    );
    assert!(ledger(&app, &ada).await.is_empty());

    let id = submit(&ada, CHAT, &lines(3, CHAT, &body)).await;
    app.run_jobs().await;
    assert_eq!(get(&ada, &id).await["status"], "completed");
    let error = cancel(&ada, &id).await.refused(400);
    assert!(
        error["message"].as_str().unwrap().contains("completed"),
        "{error}"
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn after_a_day_a_batch_ends_with_what_there_is() {
    let (_provider, app) = priced(&["late-100"]).await;
    let ada = app.tenant("ada").await;
    let id = submit(&ada, CHAT, &lines(60, CHAT, &ask("late-100"))).await;
    has_done(&ada, &id, 1).await;
    sqlx::query("update batches set expires_at = now() where tenant_id = $1")
        .bind(ada.tenant_id())
        .execute(app.owner())
        .await
        .unwrap();
    let batch = ended(&ada, &id).await;
    assert_eq!(batch["status"], "expired");
    assert!(
        batch["expired_at"].is_i64() && batch["finalizing_at"].is_i64() && batch["completed_at"].is_null()
    );
    assert_whole(&app, &ada, &batch, "batch_expired").await;
}

#[tokio::test]
async fn answers_wait_for_room_and_are_not_called_again() {
    let (provider, app) = priced(&["ok"]).await;
    let ada = app.tenant("ada").await;
    sqlx::query("insert into tenant_quotas (tenant_id, max_files) values ($1, 1)")
        .bind(ada.tenant_id())
        .execute(app.owner())
        .await
        .unwrap();
    let id = submit(&ada, CHAT, &lines(3, CHAT, &ask("ok"))).await;
    insula_tests::eventually("it waits", async || {
        let waits: i64 = sqlx::query_scalar(
            "select count(*) from jobs where kind = 'run_batch' and state = 'ready' and not due",
        )
        .fetch_one(app.owner())
        .await
        .unwrap();
        (waits == 1).then_some(())
    })
    .await;
    assert_eq!(get(&ada, &id).await["status"], "finalizing");
    assert_eq!(cancel(&ada, &id).await.refused(400)["param"], Value::Null);
    sqlx::query("update tenant_quotas set max_files = 2")
        .execute(app.owner())
        .await
        .unwrap();
    app.bring_forward("run_batch").await;
    let batch = ended(&ada, &id).await;
    assert_eq!(batch["status"], "completed");
    let good = answers(&ada, &batch, "output_file_id").await;
    assert_eq!(ledger(&app, &ada).await, charges(&good));
    assert_eq!(provider.count("ok").await.requests, 3);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_batch_that_was_buried_can_be_sent_on_its_way_again() {
    let (_provider, app) = priced(&["late-100"]).await;
    let ada = app.tenant("ada").await;
    let id = submit(&ada, CHAT, &lines(60, CHAT, &ask("late-100"))).await;
    has_done(&ada, &id, 1).await;
    // As if its worker had died at every attempt.
    sqlx::query("update jobs set attempt = max_attempts, lease_until = now() - interval '1 second' where kind = 'run_batch' and state in ('running', 'ready')")
        .execute(app.owner())
        .await
        .unwrap();
    let batch = ended(&ada, &id).await;
    assert_eq!(
        (&batch["status"], &batch["errors"]["data"][0]["code"]),
        (&json!("failed"), &json!("server_error"))
    );
    let dead = ada.get("/v1/insula/jobs?kind=run_batch&status=dead").await.ok();
    let job = dead["data"][0]["id"].as_str().unwrap();
    ada.post(&format!("/v1/insula/jobs/{job}/retry"), json!({}))
        .await
        .ok();
    let batch = ended(&ada, &id).await;
    assert_eq!(
        batch["request_counts"],
        json!({"total": 60, "completed": 60, "failed": 0})
    );
    let good = answers(&ada, &batch, "output_file_id").await;
    assert_eq!(ledger(&app, &ada).await, charges(&good));
    assert_invariants(app.owner()).await;
}
