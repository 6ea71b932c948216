//! Every operation × no key, a bad key, a key that lacks its scope.

use std::collections::BTreeMap;

use insula_tenancy::{KeyId, Scope, key, tenant};
use insula_tests::{TestApp, eventually};

use super::{Document, furnish, nobodys, two_models};

#[tokio::test]
async fn without_a_good_key_every_operation_is_401() {
    let app = two_models().await;
    let ada = app.tenant("ada").await;
    let ids = furnish(&app, &ada, "canary").await;
    let document = Document::fetch(&ada).await;
    let mut tx = app.services.db.operator().await.unwrap();
    let first = key::list(&mut tx, ada.tenant_id()).await.unwrap()[0].id;
    let revoked = revoked_key(&mut tx, first).await;
    tx.commit().await.unwrap();
    let revoked = ada.with_key(&revoked);
    eventually("the key is revoked", async || {
        (revoked.get("/v1/files").await.status == 401).then_some(())
    })
    .await;
    let strangers = [ada.with_key(""), ada.with_key("isk_nonsense"), revoked];
    let mut walked = 0;
    for operation in document.operations.iter().filter(|operation| !operation.public) {
        let call = document.call(operation, &ids);
        for stranger in &strangers {
            let answer = call.send(stranger).await;
            assert_eq!(answer.status, 401, "{}: {answer}", operation.id);
            assert_eq!(answer.error()["code"], "invalid_api_key", "{}", operation.id);
        }
        walked += 1;
    }
    assert!(walked >= 20);
    // All is as it was.
    assert_eq!(
        ada.get(&format!("/v1/vector_stores/{}", ids["vector_store_id"]))
            .await
            .ok()["name"],
        "canary"
    );
}

/// A key that was good and is revoked.
async fn revoked_key(tx: &mut insula_tenancy::OperatorTx, of: KeyId) -> String {
    use secrecy::ExposeSecret;
    let successor = key::rotate(tx, of, std::time::Duration::from_secs(3600))
        .await
        .unwrap();
    key::revoke(tx, successor.id).await.unwrap();
    successor.key.expose_secret().to_owned()
}

#[tokio::test]
async fn of_a_suspended_tenant_every_operation_is_refused() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let document = Document::fetch(&ada).await;
    let mut tx = app.services.db.operator().await.unwrap();
    tenant::set_suspended(&mut tx, ada.tenant_id(), true)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    eventually("it is known", async || {
        (ada.get("/v1/files").await.status == 403).then_some(())
    })
    .await;
    for operation in document.operations.iter().filter(|operation| !operation.public) {
        let answer = document.call(operation, &nobodys()).send(&ada).await;
        assert_eq!(answer.status, 403, "{}: {answer}", operation.id);
        answer.error();
    }
}

#[tokio::test]
async fn every_operation_needs_a_scope_and_says_which() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let document = Document::fetch(&ada).await;
    let mut lacking = BTreeMap::new();
    for scope in Scope::ALL {
        let others: Vec<Scope> = Scope::ALL
            .iter()
            .copied()
            .filter(|other| other != scope)
            .collect();
        lacking.insert(*scope, app.with_scopes(&ada, &others).await);
    }
    for operation in document.operations.iter().filter(|operation| !operation.public) {
        // Ids of nobody, so that what is allowed does no harm.
        let call = document.call(operation, &nobodys());
        let mut needed = Vec::new();
        for (scope, client) in &lacking {
            let answer = call.send(client).await;
            assert_ne!(answer.status, 401, "{}: {answer}", operation.id);
            if answer.status == 403 {
                let error = answer.error();
                assert_eq!(error["type"], "permission_error", "{}", operation.id);
                assert!(
                    error["message"].as_str().unwrap().contains(scope.as_str()),
                    "{}: {error}",
                    operation.id
                );
                needed.push(scope.as_str());
            } else if answer.status != 200 {
                answer.error();
            }
        }
        let verb = if operation.method == reqwest::Method::GET || operation.id.starts_with("search_") {
            ".read"
        } else {
            ".write"
        };
        assert!(!needed.is_empty(), "{} needs no scope", operation.id);
        assert!(
            needed.iter().any(|scope| scope.ends_with(verb)),
            "{} needs {needed:?}",
            operation.id
        );
    }
}

#[tokio::test]
async fn only_probes_are_public() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let document = Document::fetch(&ada).await;
    let public: Vec<&str> = document
        .operations
        .iter()
        .filter(|operation| operation.public)
        .map(|operation| operation.id.as_str())
        .collect();
    let probes = [
        "get_liveness",
        "get_readiness",
        "get_inference_liveness",
        "get_inference_readiness",
    ];
    assert_eq!(public, probes);
}
