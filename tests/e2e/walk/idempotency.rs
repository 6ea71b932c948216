//! Every creation × the same request again: made once, answered twice.

use insula_tests::{Answer, Client};
use reqwest::Method;

use super::{Call, Document, furnish, two_models};

/// Creations whose answer has a secret that nobody keeps: a repetition gets everything but that.
const SHOWN_ONCE: [(&str, &str); 1] = [("create_api_key", "key")];

async fn send(call: &Call, client: &Client, key: &str) -> Answer {
    client
        .send(call.request(client).header("idempotency-key", key))
        .await
}

#[tokio::test]
async fn a_repeated_creation_makes_nothing_and_gets_the_first_answer() {
    let app = two_models().await;
    let (ada, bob) = app.two_tenants().await;
    let (adas, bobs) = (furnish(&app, &ada, "ada").await, furnish(&app, &bob, "bob").await);
    let document = Document::fetch(&ada).await;
    let mut walked = 0;
    for operation in &document.operations {
        let creates = operation.method == Method::POST && operation.id.starts_with("create_");
        if creates {
            assert!(
                operation.is_repeatable,
                "{} takes no Idempotency-Key",
                operation.id
            );
        }
        if !operation.is_repeatable {
            continue;
        }
        let what = &operation.id;
        let call = document.call(operation, &adas);
        let first = send(&call, &ada, what).await;
        assert_eq!(first.status, 200, "{what}: {first}");
        assert_eq!(first.header("idempotent-replayed"), None, "{what}");
        let again = send(&call, &ada, what).await;
        assert_eq!(again.status, 200, "{what}: {again}");
        match SHOWN_ONCE.iter().find(|(id, _)| id == what) {
            None => assert_eq!(again.bytes, first.bytes, "{what}"),
            Some((_, secret)) => {
                let mut told = first.json();
                assert!(told[secret].take().is_string(), "{what}: {first}");
                assert_eq!(again.json(), told, "{what}");
            }
        }
        assert_eq!(again.header("idempotent-replayed"), Some("true"), "{what}");
        assert_eq!(again.header("content-type"), Some("application/json"), "{what}");

        let other = send(&call.changed(), &ada, what).await;
        assert_eq!(other.refused(400)["code"], "idempotency_key_in_use", "{what}");
        // The key is the tenant's own.
        let bobs = send(&document.call(operation, &bobs), &bob, what).await;
        assert_eq!(bobs.header("idempotent-replayed"), None, "{what}: {bobs}");
        walked += 1;
    }
    assert!(walked >= 4, "only {walked} creations were repeated");
}

#[tokio::test]
async fn of_requests_that_race_with_one_key_one_creates_and_all_get_its_answer() {
    let app = two_models().await;
    let ada = app.tenant("ada").await;
    let create = || {
        let body = serde_json::json!({"name": "raced"});
        let request = ada.request(Method::POST, "/v1/vector_stores").json(&body);
        ada.send(request.header("idempotency-key", "race"))
    };
    let answers = futures::future::join_all((0..8).map(|_| create())).await;
    for answer in &answers {
        assert_eq!((answer.status, &answer.bytes), (200, &answers[0].bytes));
    }
    let fresh = answers
        .iter()
        .filter(|answer| answer.header("idempotent-replayed").is_none());
    assert_eq!(fresh.count(), 1);
    let stores = ada.get("/v1/vector_stores").await.ok();
    assert_eq!(stores["data"].as_array().unwrap().len(), 1);
}

#[tokio::test]
async fn a_refused_request_leaves_its_key_free_and_a_day_later_a_key_is_free_again() {
    let app = two_models().await;
    let ada = app.tenant("ada").await;
    let create = |body: serde_json::Value| {
        let request = ada.request(Method::POST, "/v1/vector_stores").json(&body);
        ada.send(request.header("idempotency-key", "k"))
    };
    let unknown = insula_tenancy::FileId::generate();
    create(serde_json::json!({"file_ids": [unknown]}))
        .await
        .refused(404);
    let first = create(serde_json::json!({"name": "a"})).await.ok();
    sqlx::query("update idempotency_keys set created_at = now() - interval '25 hours'")
        .execute(app.owner())
        .await
        .unwrap();
    let second = create(serde_json::json!({"name": "a"})).await.ok();
    assert_ne!(first["id"], second["id"]);
}
