//! On whose behalf lines are called, and with whose money.

use insula_core::batch::BatchSettings;
use insula_tenancy::{Scope, key, tenant};
use insula_tests::{FakeProvider, Setup, TestApp, assert_invariants, eventually};
use serde_json::json;

use super::{CHAT, EMBEDDINGS, answers, charges, ended, get, ledger, line, lines, submit};
use crate::ledger::{ask, priced};

const BATCHES: [Scope; 4] = [
    Scope::BatchesRead,
    Scope::BatchesWrite,
    Scope::FilesRead,
    Scope::FilesWrite,
];

#[tokio::test]
async fn lines_go_no_further_than_the_key_of_their_batch() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (store, _) = ada.library(&[("a.txt", "Zebras graze at dawn.")]).await;
    let chats = app
        .with_scopes(&ada, &[&BATCHES[..], &[Scope::ChatWrite]].concat())
        .await;
    let question = json!([{"role": "user", "content": "When do zebras graze?"}]);
    let grounded = json!({
        "model": "insula/extractive", "messages": question,
        "data_sources": [{"type": "insula_vector_stores", "parameters": {"vector_store_ids": [store]}}],
    });
    let plain = json!({"model": "insula/extractive", "messages": question});
    let text = [line("grounded", CHAT, &grounded), line("plain", CHAT, &plain)].join("\n");
    let batch = ended(&ada, &submit(&chats, CHAT, &text).await).await;
    assert_eq!(
        batch["request_counts"],
        json!({"total": 2, "completed": 1, "failed": 1})
    );
    let refused = &answers(&ada, &batch, "error_file_id").await[0];
    assert_eq!(refused["response"]["status_code"], 403);
    let message = refused["response"]["body"]["error"]["message"].as_str().unwrap();
    assert!(message.contains("vector_stores.read"), "{message}");

    // A batch of nothing but refusals is refused itself.
    let file = super::input(
        &chats,
        &line("a", EMBEDDINGS, &json!({"model": "m", "input": "x"})),
    )
    .await;
    let new = json!({"input_file_id": file, "endpoint": EMBEDDINGS, "completion_window": "24h"});
    let error = chats.post("/v1/batches", new).await.refused(403);
    assert!(
        error["message"].as_str().unwrap().contains("embeddings.write"),
        "{error}"
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_key_that_is_revoked_calls_nothing_more() {
    let (provider, app) = priced(&["late-100"]).await;
    let ada = app.tenant("ada").await;
    let doomed = app
        .with_scopes(&ada, &[&BATCHES[..], &[Scope::ChatWrite]].concat())
        .await;
    let id = submit(&doomed, CHAT, &lines(400, CHAT, &ask("late-100"))).await;
    super::has_done(&ada, &id, 1).await;
    let mut tx = app.services.db.operator().await.unwrap();
    let keys = key::list(&mut tx, ada.tenant_id()).await.unwrap();
    let narrow = keys.iter().find(|key| key.name == "narrow").unwrap().id;
    key::revoke(&mut tx, narrow).await.unwrap();
    tx.commit().await.unwrap();
    let batch = ended(&ada, &id).await;
    assert_eq!(batch["status"], "completed");
    let (good, bad) = (
        answers(&ada, &batch, "output_file_id").await,
        answers(&ada, &batch, "error_file_id").await,
    );
    assert!(
        !good.is_empty() && good.len() < 400,
        "{} went through",
        good.len()
    );
    assert_eq!(good.len() + bad.len(), 400);
    for refused in &bad {
        assert_eq!(refused["response"]["status_code"], 401);
        assert_eq!(refused["response"]["body"]["error"]["code"], "invalid_api_key");
    }
    assert_eq!(ledger(&app, &ada).await, charges(&good));
    assert_eq!(provider.count("late-100").await.requests as usize, good.len());
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn the_batches_of_a_suspended_tenant_wait() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let body = json!({"model": "insula/extractive", "messages": [{"role": "user", "content": "x"}]});
    let id = submit(&ada, CHAT, &lines(3, CHAT, &body)).await;
    let suspend = async |suspended| {
        let mut tx = app.services.db.operator().await.unwrap();
        tenant::set_suspended(&mut tx, ada.tenant_id(), suspended)
            .await
            .unwrap();
        tx.commit().await.unwrap();
    };
    suspend(true).await;
    app.run_jobs().await;
    let (status, done): (String, i32) = sqlx::query_as("select status, completed + failed from batches")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!((status.as_str(), done), ("in_progress", 0));
    suspend(false).await;
    app.bring_forward("run_batch").await;
    app.run_jobs().await;
    let batch = eventually("the tenant is back", async || {
        let answer = ada.get(&format!("/v1/batches/{id}")).await;
        (answer.status == 200).then(|| answer.json())
    })
    .await;
    assert_eq!(
        batch["request_counts"],
        json!({"total": 3, "completed": 3, "failed": 0})
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_budget_that_is_used_up_fails_lines_and_not_the_batch() {
    let (provider, app) = priced(&["ok"]).await;
    let ada = app.tenant("ada").await;
    // An answer costs 21,000 nano-dollars; what is set apart for one is more.
    let budget = json!({"subject_kind": "tenant", "period": "total", "amount_usd": "0.0005"});
    ada.post("/v1/insula/budgets", budget).await.ok();
    let mut body = ask("ok");
    body["max_tokens"] = json!(10);
    let id = submit(&ada, CHAT, &lines(100, CHAT, &body)).await;
    let batch = ended(&ada, &id).await;
    assert_eq!(batch["status"], "completed");
    let (good, bad) = (
        answers(&ada, &batch, "output_file_id").await,
        answers(&ada, &batch, "error_file_id").await,
    );
    assert!(!good.is_empty() && !bad.is_empty(), "{}", batch["request_counts"]);
    for refused in &bad {
        assert_eq!(refused["response"]["status_code"], 429);
        assert_eq!(refused["response"]["body"]["error"]["code"], "insufficient_quota");
    }
    let events = ledger(&app, &ada).await;
    assert_eq!(events, charges(&good));
    assert!(events.iter().map(|(_, cost)| cost).sum::<i64>() <= 500_000);
    assert_eq!(provider.count("ok").await.requests as usize, good.len());
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn batches_have_a_price_of_their_own() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let priced = "price = [{ input = \"0.001\", output = \"0.002\" }]\nupstream_model =";
    let app = TestApp::with(Setup {
        routes: Some(provider.routes(&["ok"], "").replace("upstream_model =", priced)),
        batches: BatchSettings {
            price_factor: "0.5".parse().unwrap(),
            ..BatchSettings::default()
        },
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    ada.post(CHAT, ask("ok")).await.ok();
    let id = submit(&ada, CHAT, &lines(2, CHAT, &ask("ok"))).await;
    assert_eq!(ended(&ada, &id).await["status"], "completed");
    let mut costs: Vec<i64> = ledger(&app, &ada)
        .await
        .into_iter()
        .map(|(_, cost)| cost)
        .collect();
    costs.sort_unstable();
    // 11 tokens read for one nano-dollar each, 5 written for two; half of 21 is 11, as money is rounded up.
    assert_eq!(costs, [11, 11, 21]);
    assert_eq!(get(&ada, &id).await["request_counts"]["completed"], 2);
    assert_invariants(app.owner()).await;
}
