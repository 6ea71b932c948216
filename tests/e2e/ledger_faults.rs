//! Everything that can go wrong behind the gateway, and that the ledger is right after each.

use std::collections::BTreeMap;
use std::time::Duration;

use futures::future::join_all;
use insula_tests::{Answer, Client, FakeProvider, Setup, TestApp, assert_invariants, eventually};
use serde_json::json;

use super::ledger::{ask, ask_streamed};

const PATH: &str = "/v1/chat/completions";

/// What the provider does to a call.
const FAULTS: [&str; 16] = [
    "hang",
    "late-2000",
    "slow",
    "error-500",
    "error-503",
    "limit-429",
    "bad-400",
    "too-long",
    "html",
    "cut",
    "short",
    "garbage",
    "flood",
    "no-usage",
    "no-done",
    "two-choices",
];

async fn start(models: &[&str], proxy: bool) -> (FakeProvider, TestApp) {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let timeouts = "timeouts = { first_token = 0.5, between_chunks = 0.5, total = 1 }";
    let price = "price = [{ input = \"1\", output = \"2\" }]\nretries = 0\ncooldown = { failures = 1000 }";
    let routes = provider
        .routes(models, timeouts)
        .replace("upstream_model =", &format!("{price}\nupstream_model ="));
    let app = TestApp::with(Setup {
        routes: Some(routes),
        worker: false,
        proxy,
        ..Setup::default()
    })
    .await;
    (provider, app)
}

/// The events of all tenants, by the id of their request.
async fn ledger(app: &TestApp) -> BTreeMap<String, String> {
    sqlx::query_as("select 'req_' || replace(id::text, '-', ''), outcome from usage_events")
        .fetch_all(app.owner())
        .await
        .unwrap()
        .into_iter()
        .collect()
}

fn id(answer: &Answer) -> String {
    answer.header("x-request-id").unwrap().to_owned()
}

fn alive_tasks() -> usize {
    tokio::runtime::Handle::current().metrics().num_alive_tasks()
}

/// Every fault once, whole and streamed, with a look at the ledger after each.
async fn every_fault(app: &TestApp, ada: &Client, called: &mut usize) {
    for fault in FAULTS {
        for body in [ask(fault), ask_streamed(fault)] {
            let answer = ada.post(PATH, body.clone()).await;
            *called += 1;
            assert!(app.services.meter.settled(Duration::from_secs(10)).await);
            let ledger = ledger(app).await;
            assert_eq!(ledger.len(), *called, "after {body}: {answer}");
            let outcome = ledger[&id(&answer)].as_str();
            let text = String::from_utf8_lossy(&answer.bytes);
            let whole = match body["stream"] == true {
                true => text.contains("data: [DONE]"),
                false => answer.status == 200,
            };
            assert_eq!(outcome == "completed", whole, "after {body}: {outcome}, {answer}");
        }
    }
}

#[tokio::test]
async fn after_every_fault_of_a_provider_the_ledger_has_the_requests_and_nothing_is_left_over() {
    let (_provider, app) = start(&[&FAULTS[..], &["ok"]].concat(), false).await;
    let ada = app.tenant("ada").await;
    let budget = json!({"subject_kind": "tenant", "period": "month", "amount_usd": "10"});
    ada.post("/v1/insula/budgets", budget).await.ok();
    let mut called = 0;
    every_fault(&app, &ada, &mut called).await;
    // Connections that may be used again are there by now; a second time must not leave more.
    let before = alive_tasks();
    every_fault(&app, &ada, &mut called).await;
    eventually("no task is left over", async || {
        (alive_tasks() <= before).then_some(())
    })
    .await;
    ada.post(PATH, ask("ok")).await.ok();
    assert_invariants(app.owner()).await;
}

/// What becomes of the database while calls are made.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Slow,
    Silent,
    Cut,
    Gone,
}

#[tokio::test]
async fn whatever_becomes_of_the_database_every_answer_is_on_the_ledger_once() {
    let (_provider, app) = start(&["ok", "paced-8-30"], true).await;
    let ada = app.tenant("ada").await;
    let budget = json!({"subject_kind": "tenant", "period": "month", "amount_usd": "10"});
    ada.post("/v1/insula/budgets", budget).await.ok();
    ada.post(PATH, ask("ok")).await.ok();
    let proxy = app.proxy.as_ref().unwrap();
    let mut answered = 0;
    for fault in [Fault::Slow, Fault::Silent, Fault::Cut, Fault::Gone] {
        match fault {
            Fault::Slow => proxy.delay(Duration::from_millis(150)),
            Fault::Silent => proxy.stall(true),
            Fault::Cut => proxy.cut(),
            Fault::Gone => proxy.refuse(true),
        }
        let calls = (0..24).map(|n| match n % 2 {
            0 => ada.post(PATH, ask("ok")),
            _ => ada.post(PATH, ask_streamed("paced-8-30")),
        });
        let heal = async {
            tokio::time::sleep(Duration::from_millis(1500)).await;
            proxy.delay(Duration::ZERO);
            proxy.stall(false);
            proxy.refuse(false);
        };
        let (answers, ()) = tokio::join!(join_all(calls), heal);
        eventually("it works again", async || {
            let answer = ada.post(PATH, ask("ok")).await;
            (answer.status == 200).then_some(())
        })
        .await;
        assert!(
            app.services.meter.settled(Duration::from_secs(30)).await,
            "{fault:?}"
        );
        let ledger = ledger(&app).await;
        for answer in &answers {
            assert!(
                answer.status == 200 || answer.status == 503,
                "{fault:?}: {answer}"
            );
            let outcome = ledger.get(&id(answer)).map(String::as_str);
            if answer.status == 200 {
                assert_eq!(outcome, Some("completed"), "{fault:?}: {answer}");
                answered += 1;
            }
        }
        assert_invariants(app.owner()).await;
    }
    assert!(
        answered >= 12,
        "calls go on while the database is away: {answered}"
    );
}
