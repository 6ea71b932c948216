//! `Idempotency-Key` for answers: asked again, they are given again, and paid once.

use insula_tenancy::Scope;
use insula_tests::{Answer, Client, assert_invariants, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use super::ledger::{ask, ask_streamed, events, events_once, priced};

const PATH: &str = "/v1/chat/completions";

async fn send(of: &Client, key: &str, body: &Value) -> Answer {
    let request = of.request(Method::POST, PATH).json(body);
    of.send(request.header("idempotency-key", key)).await
}

fn replayed(answer: &Answer) -> bool {
    answer.header("idempotent-replayed") == Some("true")
}

#[tokio::test]
async fn an_answer_is_made_and_charged_once() {
    let (provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    for (key, body) in [("whole", ask("ok")), ("streamed", ask_streamed("ok"))] {
        let before = provider.count("ok").await.requests;
        let first = send(&ada, key, &body).await;
        let again = send(&ada, key, &body).await;
        assert_eq!((first.status, again.status), (200, 200), "{first} {again}");
        assert_eq!((replayed(&first), replayed(&again)), (false, true));
        assert_eq!(first.bytes, again.bytes);
        assert_eq!(first.header("content-type"), again.header("content-type"));
        assert_eq!(provider.count("ok").await.requests, before + 1);
        let other = send(&ada, key, &ask("other")).await;
        assert_eq!(other.refused(400)["code"], "idempotency_key_in_use");
        assert!(
            !replayed(&send(&bob, key, &body).await),
            "a key is the tenant's own"
        );
    }
    let charged = events(&app, &ada).await;
    assert_eq!(charged.len(), 2, "{charged:?}");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn who_may_see_something_else_does_not_get_the_answer() {
    let (_provider, app) = priced(&["ok"]).await;
    let ada = app.tenant("ada").await;
    let mint = async |end_user: &str| {
        let body = json!({"scopes": ["chat.write"], "end_user": end_user});
        let minted = ada.post("/v1/insula/scoped_tokens", body).await.ok();
        ada.with_key(minted["token"].as_str().unwrap())
    };
    let (one, other) = (mint("one").await, mint("other").await);
    send(&one, "k", &ask("ok")).await.ok();
    assert!(replayed(&send(&mint("one").await, "k", &ask("ok")).await));
    // Bounded in another way, or not at all: it might be another answer.
    let lesser = app.with_scopes(&ada, &[Scope::ChatWrite]).await;
    for different in [&other, &ada, &lesser] {
        let refused = send(different, "k", &ask("ok")).await;
        assert_eq!(refused.refused(400)["code"], "idempotency_key_in_use");
    }
}

#[tokio::test]
async fn who_asks_again_too_early_is_told_to_wait_and_who_leaves_finds_the_answer() {
    let (provider, app) = priced(&["late-3000"]).await;
    let ada = app.tenant("ada").await;
    let body = ask("late-3000");
    // A client that loses patience.
    let impatient = tokio::time::timeout(std::time::Duration::from_millis(400), send(&ada, "k", &body));
    assert!(impatient.await.is_err());
    let early = send(&ada, "k", &body).await;
    assert_eq!(early.refused(409)["code"], "idempotency_key_under_way");
    assert_eq!(early.header("x-should-retry"), Some("true"));
    assert!(early.header("retry-after").is_some());
    let late = eventually("the answer", async || {
        let answer = send(&ada, "k", &body).await;
        (answer.status == 200).then_some(answer)
    })
    .await;
    assert!(replayed(&late), "the first request went on without its client");
    assert_eq!(provider.count("late-3000").await.requests, 1);
    let charged = events_once(&app, &ada, 1).await;
    assert_eq!((charged.len(), charged[0].outcome.as_str()), (1, "completed"));
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn what_failed_or_broke_off_may_be_tried_again() {
    let (provider, app) = priced(&["error-500", "cut", "slow"]).await;
    let ada = app.tenant("ada").await;
    let again = async |key: &'static str, body: Value| {
        eventually("the key is free", async || {
            let answer = send(&ada, key, &body).await;
            (answer.status != 409).then_some(answer)
        })
        .await
    };
    send(&ada, "refused", &ask("error-500")).await.refused(502);
    let second = again("refused", ask("error-500")).await;
    assert!(second.status == 502 && !replayed(&second), "{second}");
    send(&ada, "cut", &ask_streamed("cut")).await;
    assert!(!replayed(&again("cut", ask_streamed("cut")).await));
    assert_eq!(provider.count("cut").await.requests, 2);

    // A stream ends with its client.
    let request = ada.request(Method::POST, PATH).json(&ask_streamed("slow"));
    let left = request.header("idempotency-key", "left").send().await.unwrap();
    drop(left);
    eventually("the provider is told", async || {
        (provider.count("slow").await.aborted == 1).then_some(())
    })
    .await;
    let second = again("left", ask_streamed("slow")).await;
    assert!(second.status == 200 && !replayed(&second), "{second}");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_claim_of_a_server_that_died_ends_by_itself() {
    let (_provider, app) = priced(&["ok", "hang"]).await;
    let ada = app.tenant("ada").await;
    let hanging = tokio::spawn({
        let ada = ada.clone();
        async move { send(&ada, "k", &ask("hang")).await }
    });
    eventually("the claim", async || {
        let claimed: i64 = sqlx::query_scalar("select count(*) from idempotency_keys")
            .fetch_one(app.owner())
            .await
            .unwrap();
        (claimed == 1).then_some(())
    })
    .await;
    sqlx::query("update idempotency_keys set claimed_until = now() - interval '1 second'")
        .execute(app.owner())
        .await
        .unwrap();
    // The key is free, even for another request.
    let next = send(&ada, "k", &ask("ok")).await;
    assert!(next.status == 200 && !replayed(&next), "{next}");
    hanging.await.unwrap().refused(502);
    let kept = send(&ada, "k", &ask("ok")).await;
    assert!(
        replayed(&kept),
        "the one that lost its claim leaves the other's alone"
    );
}
