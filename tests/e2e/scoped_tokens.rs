//! `/v1/insula/scoped_tokens`: what a tenant's own browser app is given.

use insula_tenancy::{KeyId, Scope, key, tenant};
use insula_tests::{Client, FakeProvider, Setup, TestApp, eventually};
use serde_json::{Value, json};

const PATH: &str = "/v1/insula/scoped_tokens";
const SEARCH: &str = "vector_stores.read";
const CHAT: &str = "chat.write";

/// A client with a token of `client`'s key.
async fn mint(client: &Client, body: Value) -> Client {
    let minted = client.post(PATH, body).await.ok();
    assert_eq!(minted["object"], "insula.scoped_token");
    client.with_key(minted["token"].as_str().unwrap())
}

/// Two stores of notes about two customers each; their ids.
async fn two_stores(client: &Client) -> [String; 2] {
    let mut stores = Vec::new();
    for place in ["north", "south"] {
        let store = client.store(place, &[]).await;
        for customer in ["c1", "c2"] {
            let text = format!("The {place} depot of customer {customer} opens at seven.");
            let file = client.upload(&format!("{place}-{customer}.txt"), text).await;
            let attach = json!({"file_id": file, "attributes": {"customer": customer, "place": place}});
            client
                .post(&format!("/v1/vector_stores/{store}/files"), attach)
                .await
                .ok();
        }
        client.ready(&store).await;
        stores.push(store);
    }
    [stores.remove(0), stores.remove(0)]
}

fn customer(name: &str) -> Value {
    json!({"type": "eq", "key": "customer", "value": name})
}

async fn found(client: &Client, store: &str, filter: Option<Value>) -> Vec<String> {
    let mut body = json!({"query": "When does the depot open?", "max_num_results": 50});
    if let Some(filter) = filter {
        body["filters"] = filter;
    }
    let results = client.search(store, body).await;
    let hits = results["data"].as_array().unwrap();
    let mut names: Vec<String> = hits
        .iter()
        .map(|hit| hit["filename"].as_str().unwrap().to_owned())
        .collect();
    names.sort();
    names
}

fn grounded(stores: &[&str]) -> Value {
    json!({
        "model": "insula/extractive",
        "messages": [{"role": "user", "content": "When does the depot of customer c2 open?"}],
        "data_sources": [{"type": "insula_vector_stores", "parameters": {"vector_store_ids": stores}}],
    })
}

#[tokio::test]
async fn a_search_stays_within_the_tokens_stores_and_filter() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let [north, south] = two_stores(&ada).await;
    assert_eq!(found(&ada, &north, None).await, ["north-c1.txt", "north-c2.txt"]);
    let body = json!({"scopes": [SEARCH], "vector_store_ids": [north], "filters": customer("c1")});
    let narrow = mint(&ada, body).await;
    assert_eq!(found(&narrow, &north, None).await, ["north-c1.txt"]);

    // A filter of one's own is a further one and never a way round.
    for own in [
        customer("c2"),
        json!({"type": "or", "filters": [customer("c1"), customer("c2")]}),
        json!({"type": "ne", "key": "customer", "value": "c1"}),
        json!({"type": "eq", "key": "place", "value": "north"}),
    ] {
        let names = found(&narrow, &north, Some(own.clone())).await;
        assert!(
            names.iter().all(|name| name == "north-c1.txt"),
            "{own}: {names:?}"
        );
    }
    let both = found(
        &narrow,
        &north,
        Some(json!({"type": "eq", "key": "place", "value": "north"})),
    )
    .await;
    assert_eq!(both, ["north-c1.txt"]);

    // A store out of bounds, another tenant's, one that never was: one answer.
    let bobs = bob.store("bobs", &[]).await;
    let nobodys = insula_tenancy::VectorStoreId::generate().to_string();
    let mut told = Vec::new();
    for store in [&south, &bobs, &nobodys] {
        let path = format!("/v1/vector_stores/{store}/search");
        let error = narrow.post(&path, json!({"query": "x"})).await.refused(404);
        told.push(error.to_string().replace(store.as_str(), "ID"));
    }
    assert!(told.iter().all(|error| *error == told[0]), "{told:?}");

    let unbounded = mint(&ada, json!({"scopes": [SEARCH]})).await;
    assert_eq!(found(&unbounded, &south, None).await.len(), 2);
}

#[tokio::test]
async fn a_conversation_and_the_models_stay_within_them_too() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let [north, south] = two_stores(&ada).await;
    for (name, stores) in [
        ("both", vec![&north, &south]),
        ("southern", vec![&south]),
        ("free", vec![]),
    ] {
        let new = json!({"name": name, "model": "insula/extractive", "vector_store_ids": stores});
        ada.post("/v1/insula/assistants", new).await.ok();
    }
    let scopes = [CHAT, SEARCH, "models.read"];
    let body = json!({"scopes": scopes, "vector_store_ids": [north], "filters": customer("c2")});
    let narrow = mint(&ada, body).await;
    let cited = |answer: Value| {
        let annotations = answer["choices"][0]["message"]["annotations"].clone();
        let annotations = annotations.as_array().cloned().unwrap_or_default();
        let names = annotations
            .iter()
            .map(|one| one["file_citation"]["filename"].as_str().unwrap().to_owned());
        names.collect::<Vec<_>>()
    };
    let answer = narrow
        .post("/v1/chat/completions", grounded(&[&north]))
        .await
        .ok();
    assert_eq!(cited(answer), ["north-c2.txt"]);
    let error = narrow
        .post("/v1/chat/completions", grounded(&[&north, &south]))
        .await
        .refused(404);
    assert_eq!(error["param"], "data_sources[0].parameters.vector_store_ids[1]");

    // Of an assistant's stores those remain that are within the bounds; without any it does not exist.
    let ask = |model: &str| {
        let mut body = grounded(&[]);
        body["model"] = json!(model);
        body.as_object_mut().unwrap().remove("data_sources");
        body
    };
    let answer = narrow.post("/v1/chat/completions", ask("both")).await.ok();
    assert_eq!(cited(answer), ["north-c2.txt"]);
    for gone in ["southern", "nobodys"] {
        let error = narrow.post("/v1/chat/completions", ask(gone)).await.refused(404);
        assert_eq!(error["code"], "model_not_found", "{gone}");
        narrow.get(&format!("/v1/models/{gone}")).await.refused(404);
    }
    narrow.get("/v1/models/both").await.ok();
    let models = narrow.get("/v1/models").await.ok().to_string();
    assert!(models.contains("\"both\"") && models.contains("\"free\"") && !models.contains("\"southern\""));

    // A token that may chat but not search reads no store through an answer.
    let chat_only = mint(&ada, json!({"scopes": [CHAT]})).await;
    chat_only
        .post("/v1/chat/completions", grounded(&[&north]))
        .await
        .refused(403);
}

#[tokio::test]
async fn the_tokens_end_user_is_the_one_that_counts() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let app = TestApp::with(Setup {
        routes: Some(provider.routes(&["ok"], "")),
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let narrow = mint(&ada, json!({"scopes": [CHAT], "end_user": "u-17"})).await;
    let body = json!({
        "model": "fake/ok", "messages": [{"role": "user", "content": "Hello?"}], "user": "somebody-else",
    });
    narrow.post("/v1/chat/completions", body).await.ok();
    assert_eq!(provider.count("ok").await.body["user"], "u-17");
}

#[tokio::test]
async fn a_token_narrows_its_key_makes_no_token_and_dies_with_the_key() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let scopes = [Scope::ScopedTokensWrite, Scope::ModelsRead];
    let narrow_key = app.with_scopes(&ada, &scopes).await;
    let error = narrow_key
        .post(PATH, json!({"scopes": [CHAT]}))
        .await
        .refused(403);
    assert!(error["message"].as_str().unwrap().contains(CHAT), "{error}");
    let other = app.with_scopes(&ada, &[Scope::ModelsRead]).await;
    other
        .post(PATH, json!({"scopes": ["models.read"]}))
        .await
        .refused(403);

    let token = mint(&narrow_key, json!({"scopes": ["models.read"], "expires_in": 60})).await;
    token.get("/v1/models").await.ok();
    token
        .post(PATH, json!({"scopes": ["models.read"]}))
        .await
        .refused(403);
    token.get("/v1/files").await.refused(403);

    // One character of each part changed.
    for (position, _) in token.key().match_indices('.').chain([(token.key().len(), "")]) {
        let mut bytes = token.key().as_bytes().to_vec();
        let at = position - 4;
        bytes[at] = if bytes[at] == b'A' { b'B' } else { b'A' };
        let tampered = token.with_key(std::str::from_utf8(&bytes).unwrap());
        let error = tampered.get("/v1/models").await.refused(401);
        assert_eq!(error["code"], "invalid_api_key");
    }

    let state = async |status| {
        eventually("it is known", async || {
            (token.get("/v1/models").await.status == status).then_some(())
        })
        .await;
    };
    for (suspended, status) in [(true, 403), (false, 200)] {
        let mut tx = app.services.db.operator().await.unwrap();
        tenant::set_suspended(&mut tx, ada.tenant_id(), suspended)
            .await
            .unwrap();
        tx.commit().await.unwrap();
        state(status).await;
    }
    let mut tx = app.services.db.operator().await.unwrap();
    let public_id = narrow_key.key().split('_').nth(1).unwrap();
    let keys = key::list(&mut tx, ada.tenant_id()).await.unwrap();
    let id: KeyId = keys.iter().find(|key| key.public_id == public_id).unwrap().id;
    key::revoke(&mut tx, id).await.unwrap();
    tx.commit().await.unwrap();
    state(401).await;
}

#[tokio::test]
async fn a_key_from_before_there_were_tokens_learns_to_sign_them_when_it_is_used() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let token = mint(&ada, json!({"scopes": ["models.read"]})).await;
    sqlx::query("update api_keys set token_key = null")
        .execute(app.owner())
        .await
        .unwrap();
    let state = async |status| {
        eventually("it is known", async || {
            (token.get("/v1/models").await.status == status).then_some(())
        })
        .await;
    };
    state(401).await;
    ada.get("/v1/models").await.ok();
    state(200).await;
}

#[tokio::test]
async fn bad_requests_are_refused_with_their_reason() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let bobs = bob.store("bobs", &[]).await;
    for (body, param) in [
        (json!({}), "scopes"),
        (json!({"scopes": []}), "scopes"),
        (json!({"scopes": ["files.write"]}), "scopes[0]"),
        (json!({"scopes": [CHAT], "expires_in": 86401}), "expires_in"),
        (json!({"scopes": [CHAT], "expires_in": 0}), "expires_in"),
        (json!({"scopes": [CHAT], "end_user": " "}), "end_user"),
        (
            json!({"scopes": [CHAT], "vector_store_ids": []}),
            "vector_store_ids",
        ),
        (
            json!({"scopes": [CHAT], "filters": {"type": "like"}}),
            "filters.type",
        ),
        (
            json!({"scopes": [CHAT], "filters": {"type": "and", "filters": []}}),
            "filters",
        ),
    ] {
        let error = ada.post(PATH, body.clone()).await.refused(400);
        assert_eq!(error["param"], param, "{body}: {error}");
    }
    for store in [bobs.as_str(), "vs_x"] {
        let body = json!({"scopes": [SEARCH], "vector_store_ids": [store]});
        let error = ada.post(PATH, body).await.refused(404);
        assert_eq!(error["param"], "vector_store_ids[0]");
    }
}
