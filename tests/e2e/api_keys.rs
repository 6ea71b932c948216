//! `/v1/insula/api_keys`: keys that tenants make for themselves.

use insula_tenancy::Scope;
use insula_tests::{Client, TestApp, assert_invariants, eventually};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const PATH: &str = "/v1/insula/api_keys";

/// A key that `by` makes, and a client that uses it.
async fn make(by: &Client, body: Value) -> (Value, Client) {
    let made = by.post(PATH, body).await.ok();
    let client = by.with_key(made["key"].as_str().unwrap());
    (made, client)
}

fn path_of(key: &Value) -> String {
    format!("{PATH}/{}", key["id"].as_str().unwrap())
}

#[tokio::test]
async fn a_tenant_makes_names_limits_rotates_and_revokes_its_keys() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let body = json!({"name": "site", "scopes": ["files.read", "models.read"], "expires_in_seconds": 3600});
    let (made, site) = make(&ada, body).await;
    assert_eq!(made["object"], "insula.api_key");
    assert_eq!(made["scopes"], json!(["files.read", "models.read"]));
    for absent in ["vector_store_ids", "limits", "revoked_at", "last_used_at"] {
        assert_eq!(made[absent], Value::Null, "{absent}");
    }
    assert_eq!(
        made["expires_at"].as_i64().unwrap() - made["created_at"].as_i64().unwrap(),
        3600
    );
    // The public part, and nothing of the secret.
    let (key, redacted) = (made["key"].as_str().unwrap(), made["redacted"].as_str().unwrap());
    let public = redacted.strip_suffix('…').unwrap();
    assert!(key.starts_with(public) && public.len() < 24, "{redacted}");
    site.get("/v1/files").await.ok();
    site.post(PATH, json!({"name": "x"})).await.refused(403);

    // Seen by its tenant, and by nobody else.
    let path = path_of(&made);
    let shown = ada.get(&path).await.ok();
    assert_eq!(shown.get("key"), None);
    assert!(shown["last_used_at"].is_i64(), "{shown}");
    let listed = ada.get(PATH).await.ok();
    let ids: Vec<&Value> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|key| &key["id"])
        .collect();
    assert_eq!((ids.len(), ids[0]), (2, &made["id"]));
    assert_eq!(
        shown["created_by"], listed["data"][1]["id"],
        "by the tenant's first key"
    );
    bob.get(&path).await.refused(404);
    bob.post(&path, json!({"name": "mine"})).await.refused(404);
    bob.post(&format!("{path}/rotate"), json!({})).await.refused(404);
    bob.delete(&path).await.refused(404);

    let limits = json!({"requests_per_minute": 5, "tokens_per_minute": null, "concurrency": 2});
    let changed = ada
        .post(&path, json!({"name": "shop", "limits": limits}))
        .await
        .ok();
    assert_eq!((&changed["name"], &changed["limits"]), (&json!("shop"), &limits));
    let changed = ada.post(&path, json!({"limits": null})).await.ok();
    assert_eq!(
        (&changed["name"], &changed["limits"]),
        (&json!("shop"), &Value::Null)
    );

    // Both work for a while, and the old one no longer than before.
    let rotated = ada
        .post(&format!("{path}/rotate"), json!({"grace_seconds": 60}))
        .await
        .ok();
    assert_eq!(
        (&rotated["name"], &rotated["scopes"]),
        (&changed["name"], &made["scopes"])
    );
    ada.with_key(rotated["key"].as_str().unwrap())
        .get("/v1/files")
        .await
        .ok();
    site.get("/v1/files").await.ok();
    let old = ada.get(&path).await.ok();
    assert!(old["expires_at"].as_i64().unwrap() <= made["created_at"].as_i64().unwrap() + 120);
    ada.post(&format!("{path}/rotate"), json!({})).await.refused(409);

    assert_eq!(ada.delete(&path_of(&rotated)).await.ok()["deleted"], true);
    eventually("the key is revoked", async || {
        let successor = ada.with_key(rotated["key"].as_str().unwrap());
        (successor.get("/v1/files").await.status == 401).then_some(())
    })
    .await;
    assert!(ada.get(&path_of(&rotated)).await.ok()["revoked_at"].is_i64());
    ada.delete(&path_of(&rotated)).await.ok();
    ada.post(&format!("{}/rotate", path_of(&rotated)), json!({}))
        .await
        .refused(409);

    let log = ada.get("/v1/organization/audit_logs?limit=100").await.ok();
    let acts: Vec<(&str, &str)> = log["data"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|entry| entry["actor"]["api_key"]["id"] == shown["created_by"])
        .map(|entry| (entry["type"].as_str().unwrap(), entry["id"].as_str().unwrap()))
        .collect();
    let kinds: Vec<&str> = acts.iter().rev().map(|(kind, _)| *kind).collect();
    let (created, updated) = ("api_key.created", "api_key.updated");
    assert_eq!(
        kinds,
        [created, updated, updated, created, updated, "api_key.deleted"]
    );
    assert!(!log.to_string().contains(&key[20..]), "no secret is in the log");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn nobody_makes_a_key_that_can_do_more_than_they_can() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let scopes = [Scope::ApiKeysRead, Scope::ApiKeysWrite, Scope::FilesRead];
    let clerk = app.with_scopes(&ada, &scopes).await;
    let (made, _) = make(&clerk, json!({"name": "all of mine"})).await;
    let names: Vec<&str> = scopes.iter().map(|scope| scope.as_str()).collect();
    assert_eq!(made["scopes"].as_array().unwrap().len(), 3);
    assert!(
        names
            .iter()
            .all(|name| made["scopes"].as_array().unwrap().contains(&json!(name)))
    );

    let more = clerk
        .post(
            PATH,
            json!({"name": "x", "scopes": ["files.read", "files.write"]}),
        )
        .await;
    assert!(
        more.refused(403)["message"]
            .as_str()
            .unwrap()
            .contains("files.write")
    );
    // Nor does a rotation put a key that can do more into their hands.
    let (strong, _) = make(
        &ada,
        json!({"name": "strong", "scopes": ["files.read", "chat.write"]}),
    )
    .await;
    let stolen = clerk
        .post(&format!("{}/rotate", path_of(&strong)), json!({}))
        .await;
    assert!(
        stolen.refused(403)["message"]
            .as_str()
            .unwrap()
            .contains("chat.write")
    );
    assert_eq!(
        ada.get(&path_of(&strong)).await.ok()["expires_at"],
        Value::Null,
        "it goes on"
    );

    // A limited key cannot free itself, nor a child of it.
    let limited = json!({"name": "limited", "limits": {"requests_per_minute": 10}});
    let (own, limited) = make(&ada, limited).await;
    let (child, _) = make(
        &limited,
        json!({"name": "child", "limits": {"requests_per_minute": 20, "concurrency": 1}}),
    )
    .await;
    assert_eq!(
        child["limits"],
        json!({"requests_per_minute": 10, "tokens_per_minute": null, "concurrency": 1})
    );
    let freed = limited.post(&path_of(&own), json!({"limits": null})).await.ok();
    assert_eq!(freed["limits"]["requests_per_minute"], 10);

    for (body, param) in [
        (json!({}), "name"),
        (json!({"name": " "}), "name"),
        (json!({"name": "x", "scopes": []}), "scopes"),
        (
            json!({"name": "x", "scopes": ["files.read", "nope"]}),
            "scopes[1]",
        ),
        (
            json!({"name": "x", "expires_in_seconds": 0}),
            "expires_in_seconds",
        ),
        (
            json!({"name": "x", "limits": {"concurrency": -1}}),
            "limits.concurrency",
        ),
        (json!({"name": "x", "vector_store_ids": []}), "vector_store_ids"),
    ] {
        assert_eq!(
            ada.post(PATH, body.clone()).await.refused(400)["param"],
            param,
            "{body}"
        );
    }
    let foreign = json!({"name": "x", "vector_store_ids": ["vs_nope"]});
    assert_eq!(
        ada.post(PATH, foreign).await.refused(404)["param"],
        "vector_store_ids[0]"
    );
    let error = ada
        .post(
            &format!("{}/rotate", path_of(&strong)),
            json!({"grace_seconds": 9_999_999}),
        )
        .await;
    assert_eq!(error.refused(400)["param"], "grace_seconds");
}

#[tokio::test]
async fn a_bound_key_reaches_its_stores_and_nothing_else() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (north, _) = ada
        .library(&[("north.txt", "The north depot opens at seven.")])
        .await;
    let (south, _) = ada
        .library(&[("south.txt", "The south depot opens at nine.")])
        .await;
    let foreign = bob.store("bobs", &[]).await;
    let (made, bound) = make(&ada, json!({"name": "northern", "vector_store_ids": [north]})).await;
    assert_eq!(made["vector_store_ids"], json!([north]));
    let search = |client: Client, store: String| async move {
        client
            .post(
                &format!("/v1/vector_stores/{store}/search"),
                json!({"query": "When does the depot open?"}),
            )
            .await
    };
    let hits = search(bound.clone(), north.clone()).await.ok();
    assert_eq!(hits["data"][0]["filename"], "north.txt");
    // Another store of the tenant's, another tenant's, and one that never was: one answer.
    let nobodys = insula_tenancy::VectorStoreId::generate().to_string();
    let mut told = Vec::new();
    for store in [&south, &foreign, &nobodys] {
        let error = search(bound.clone(), store.clone()).await.refused(404);
        told.push(error.to_string().replace(store.as_str(), "ID"));
    }
    assert!(told.iter().all(|error| *error == told[0]), "{told:?}");
    for path in ["/v1/files", "/v1/vector_stores", PATH, "/v1/insula/usage"] {
        bound.get(path).await.refused(403);
    }
    bound.post(PATH, json!({"name": "wider"})).await.refused(403);
    let ask = |stores: &[&String]| {
        json!({
            "model": "insula/extractive",
            "messages": [{"role": "user", "content": "When does the north depot open?"}],
            "data_sources": [{"type": "insula_vector_stores", "parameters": {"vector_store_ids": stores}}],
        })
    };
    bound.post("/v1/chat/completions", ask(&[&north])).await.ok();
    bound
        .post("/v1/chat/completions", ask(&[&north, &south]))
        .await
        .refused(404);

    // A token that the key signs for more is still within the key's own bounds.
    let token = insula_tenancy::token::NewToken {
        scopes: vec![Scope::VectorStoresRead],
        vector_stores: Some(vec![north.parse().unwrap(), south.parse().unwrap()]),
        filter: None,
        end_user: None,
        lifetime: std::time::Duration::from_secs(60),
    };
    let secret = bound.key().to_owned().into();
    let token = app.authenticator.mint(&secret, token).await.unwrap().token;
    let token = ada.with_key(token.expose_secret());
    search(token.clone(), north.clone()).await.ok();
    search(token, south.clone()).await.refused(404);

    // The successor is bound as well, whoever rotates it.
    let mut tx = app.services.db.operator().await.unwrap();
    let id = made["id"].as_str().unwrap().parse().unwrap();
    let successor = insula_tenancy::key::rotate(&mut tx, id, std::time::Duration::from_secs(60))
        .await
        .unwrap();
    tx.commit().await.unwrap();
    let successor = ada.with_key(successor.key.expose_secret());
    search(successor.clone(), north.clone()).await.ok();
    search(successor, south.clone()).await.refused(404);
}

#[tokio::test]
async fn a_keys_own_limit_holds_beside_the_operators_and_the_tightest_counts() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    let limits = json!({"limits": [{"subject_kind": "key", "requests_per_minute": 3}]});
    let path = format!("/v1/insula/operator/tenants/{}/limits", ada.tenant_id());
    operator
        .send(operator.request(Method::PUT, &path).json(&limits))
        .await
        .ok();
    let (_, tight) = make(
        &ada,
        json!({"name": "tight", "limits": {"requests_per_minute": 2}}),
    )
    .await;
    let (_, wide) = make(
        &ada,
        json!({"name": "wide", "limits": {"requests_per_minute": 50}}),
    )
    .await;
    let (_, bobs) = make(
        &bob,
        json!({"name": "bobs", "limits": {"requests_per_minute": 1}}),
    )
    .await;
    for (client, most) in [(&tight, 2), (&wide, 3), (&bobs, 1)] {
        for call in 1..=most + 1 {
            let body =
                json!({"model": "insula/extractive", "messages": [{"role": "user", "content": "Hello?"}]});
            let answer = client.post("/v1/chat/completions", body).await;
            if call <= most {
                answer.ok();
            } else {
                assert_eq!(answer.refused(429)["code"], "rate_limit_exceeded");
            }
        }
    }
}
