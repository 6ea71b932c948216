//! Responses that go on from others, and conversations.

use insula_tests::{Client, TestApp};
use serde_json::{Value, json};

use super::{respond, text};
use crate::ledger::priced;
use crate::library::FACTS;

/// The texts that the provider was sent last.
async fn sent(provider: &insula_tests::FakeProvider) -> Vec<Value> {
    let body = provider.count("ok").await.body;
    let messages = body["messages"].as_array().unwrap();
    messages
        .iter()
        .map(|message| message["content"].clone())
        .collect()
}

async fn token(of: &Client, end_user: &str) -> Client {
    let scopes = ["chat.write", "responses.read", "responses.write"];
    let mut body = json!({"scopes": scopes});
    if !end_user.is_empty() {
        body["end_user"] = json!(end_user);
    }
    let minted = of.post("/v1/insula/scoped_tokens", body).await.ok();
    of.with_key(minted["token"].as_str().unwrap())
}

#[tokio::test]
async fn a_response_goes_on_from_the_one_before() {
    let (provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    let answer = "Hello from the provider [1].";
    let ask = |input: &str, previous: &Value| json!({"model": "fake/ok", "input": input, "previous_response_id": previous, "instructions": input});
    let first = respond(&ada, ask("one", &json!(null))).await;
    assert_eq!(text(&first), answer);
    let second = respond(&ada, ask("two", &first["id"])).await;
    assert_eq!(second["previous_response_id"], first["id"]);
    // Instructions are not carried over.
    assert_eq!(
        sent(&provider).await,
        [json!("two"), json!("one"), json!(answer), json!("two")]
    );
    let third = respond(&ada, ask("three", &second["id"])).await;
    assert_eq!(sent(&provider).await.len(), 6);

    // A response has one answer and may have many successors.
    respond(&ada, ask("other", &first["id"])).await;
    assert_eq!(sent(&provider).await.len(), 4);

    let foreign = bob.post("/v1/responses", ask("mine?", &first["id"])).await;
    let unknown = bob
        .post(
            "/v1/responses",
            ask("mine?", &json!(insula_tenancy::ResponseId::generate())),
        )
        .await;
    assert_eq!(foreign.refused(404)["param"], "previous_response_id");
    assert_eq!(foreign.status, unknown.status);

    let items = ada
        .get(&format!(
            "/v1/responses/{}/input_items",
            second["id"].as_str().unwrap()
        ))
        .await
        .ok();
    assert_eq!(items["data"][0]["content"][0]["text"], "two");

    // One that is missing breaks the chain, rather than leaving a hole.
    ada.delete(&format!("/v1/responses/{}", first["id"].as_str().unwrap()))
        .await
        .ok();
    let broken = ada
        .post("/v1/responses", ask("four", &third["id"]))
        .await
        .refused(400);
    assert_eq!(broken["param"], "previous_response_id");
}

#[tokio::test]
async fn items_can_be_sent_again_or_named() {
    let (provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    let first = respond(&ada, json!({"model": "fake/ok", "input": "one"})).await;
    let mut items = vec![json!({"role": "user", "content": "one"})];
    items.extend(first["output"].as_array().unwrap().clone());
    items.push(json!({"role": "user", "content": [{"type": "input_text", "text": "two"}]}));
    respond(&ada, json!({"model": "fake/ok", "input": items})).await;
    assert_eq!(sent(&provider).await.len(), 3);
    let named = json!({"type": "item_reference", "id": first["output"][0]["id"]});
    let body = json!({"model": "fake/ok", "input": [named, {"role": "user", "content": "two"}]});
    respond(&ada, body.clone()).await;
    assert_eq!(sent(&provider).await[0], "Hello from the provider [1].");
    bob.post("/v1/responses", body).await.refused(404);
}

#[tokio::test]
async fn a_conversation_gathers_what_is_said() {
    let (provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    let body = json!({"items": [{"role": "system", "content": "Be brief."}], "metadata": {"topic": "bees"}});
    let conversation = ada.post("/v1/conversations", body).await.ok();
    let id = conversation["id"].as_str().unwrap();
    assert!(id.starts_with("conv_"));
    assert_eq!(conversation["metadata"], json!({"topic": "bees"}));
    let path = format!("/v1/conversations/{id}");
    assert_eq!(ada.get(&path).await.ok(), conversation);

    let first = respond(
        &ada,
        json!({"model": "fake/ok", "input": "one", "conversation": id}),
    )
    .await;
    assert_eq!(first["conversation"], json!({"id": id}));
    let unkept = json!({"model": "fake/ok", "input": "two", "conversation": {"id": id}, "store": false});
    respond(&ada, unkept).await;
    let said = sent(&provider).await;
    assert_eq!(
        (said.len(), &said[0], &said[3]),
        (4, &json!("Be brief."), &json!("two"))
    );
    let added = ada
        .post(
            &format!("{path}/items"),
            json!({"items": [{"role": "user", "content": "three"}]}),
        )
        .await
        .ok();
    let items = ada.get(&format!("{path}/items?order=asc")).await.ok();
    let items = items["data"].as_array().unwrap();
    assert_eq!(items.len(), 6);
    assert_eq!(items[5], added["data"][0]);

    // Pages have an order that holds.
    let mut walked = Vec::new();
    let mut after = String::new();
    loop {
        let page = ada
            .get(&format!("{path}/items?limit=4&order=asc{after}"))
            .await
            .ok();
        walked.extend(page["data"].as_array().unwrap().clone());
        if page["has_more"] == false {
            break;
        }
        after = format!("&after={}", page["last_id"].as_str().unwrap());
    }
    assert_eq!(&walked, items);

    let item = format!("{path}/items/{}", items[0]["id"].as_str().unwrap());
    assert_eq!(ada.get(&item).await.ok(), items[0]);
    for path in [&path, &item, &format!("{path}/items")] {
        bob.get(path).await.refused(404);
    }
    assert_eq!(ada.delete(&item).await.ok()["id"], id);
    ada.get(&item).await.refused(404);

    let updated = ada
        .post(&path, json!({"metadata": {"topic": "wasps"}}))
        .await
        .ok();
    assert_eq!(updated["metadata"], json!({"topic": "wasps"}));
    assert_eq!(ada.get("/v1/conversations").await.ok()["data"][0]["id"], id);
    assert_eq!(bob.get("/v1/conversations").await.ok()["data"], json!([]));
    let deleted = ada.delete(&path).await.ok();
    assert_eq!(deleted["object"], "conversation.deleted");
    ada.get(&path).await.refused(404);
    // What was answered in it is kept by itself.
    ada.get(&format!("/v1/responses/{}", first["id"].as_str().unwrap()))
        .await
        .ok();
    let too_many = vec![json!({"role": "user", "content": "x"}); 21];
    let refused = ada.post("/v1/conversations", json!({"items": too_many})).await;
    assert_eq!(refused.refused(400)["param"], "items");
}

#[tokio::test]
async fn what_breaks_off_is_not_added_to_its_conversation() {
    let (_provider, app) = priced(&["short"]).await;
    let ada = app.tenant("ada").await;
    let id = ada.post("/v1/conversations", json!({})).await.ok()["id"].clone();
    let body = json!({"model": "fake/short", "input": "one", "conversation": id, "stream": true});
    let mut stream = ada.stream("/v1/responses", body).await;
    let mut last = String::new();
    while let Some((name, _)) = stream.next_named().await {
        last = name;
    }
    assert_eq!(last, "response.failed");
    let items = ada
        .get(&format!("/v1/conversations/{}/items", id.as_str().unwrap()))
        .await
        .ok();
    assert_eq!(items["data"], json!([]));
}

#[tokio::test]
async fn a_token_sees_what_is_its_end_users() {
    let (_provider, app) = priced(&["ok"]).await;
    let ada = app.tenant("ada").await;
    let (one, other, nobody) = (
        token(&ada, "one").await,
        token(&ada, "other").await,
        token(&ada, "").await,
    );
    let mine = respond(&one, json!({"model": "fake/ok", "input": "one"})).await;
    let by_key = respond(&ada, json!({"model": "fake/ok", "input": "one", "user": "one"})).await;
    for response in [&mine, &by_key] {
        let path = format!("/v1/responses/{}", response["id"].as_str().unwrap());
        for client in [&one, &ada] {
            client.get(&path).await.ok();
        }
        for client in [&other, &nobody] {
            client.get(&path).await.refused(404);
            client.delete(&path).await.refused(404);
            let body = json!({"model": "fake/ok", "input": "two", "previous_response_id": response["id"]});
            client.post("/v1/responses", body).await.refused(404);
            let named = json!([{"type": "item_reference", "id": response["output"][0]["id"]}]);
            client
                .post("/v1/responses", json!({"model": "fake/ok", "input": named}))
                .await
                .refused(404);
        }
    }
    // What nobody could ever read is not kept.
    let unkept = respond(&nobody, json!({"model": "fake/ok", "input": "one"})).await;
    assert_eq!(unkept["store"], false);
    nobody.post("/v1/conversations", json!({})).await.refused(400);

    let conversation = ada.post("/v1/conversations", json!({"user": "one"})).await.ok();
    let path = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap());
    one.get(&path).await.ok();
    assert_eq!(
        one.get("/v1/conversations").await.ok()["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    for client in [&other, &nobody] {
        client.get(&path).await.refused(404);
        assert_eq!(client.get("/v1/conversations").await.ok()["data"], json!([]));
    }
}

#[tokio::test]
async fn what_is_said_is_kept_for_as_long_as_the_tenant_says() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    ada.library(&FACTS[..1]).await;
    let path = "/v1/insula/settings/conversation_retention";
    let unset = json!({"responses_days": 30, "conversations_days": null});
    assert_eq!(ada.get(path).await.ok(), unset);
    let respond = async |input: &str| {
        let response = respond(&ada, json!({"model": "insula/extractive", "input": input})).await;
        format!("/v1/responses/{}", response["id"].as_str().unwrap())
    };
    let (old, new) = (respond("old").await, respond("new").await);
    let conversation = ada.post("/v1/conversations", json!({})).await.ok();
    let conversation = format!("/v1/conversations/{}", conversation["id"].as_str().unwrap());
    let age = async |table: &str, what: &str, id: &str, days: i32| {
        let id = uuid::Uuid::parse_str(id.rsplit('_').next().unwrap()).unwrap();
        let statement =
            format!("update {table} set {what} = now() - make_interval(days => $2) where id = $1");
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .bind(id)
            .bind(days)
            .execute(app.owner())
            .await
            .unwrap();
    };
    age("responses", "created_at", &old, 31).await;
    age("conversations", "last_used_at", &conversation, 400).await;
    app.bring_forward("housekeeping").await;
    app.run_jobs().await;
    ada.get(&old).await.refused(404);
    ada.get(&new).await.ok();
    ada.get(&conversation).await.ok();

    ada.put(path, json!({"responses_days": null, "conversations_days": 365}))
        .await
        .ok();
    age("responses", "created_at", &new, 4_000).await;
    app.bring_forward("housekeeping").await;
    app.run_jobs().await;
    ada.get(&new).await.ok();
    ada.get(&conversation).await.refused(404);
    ada.put(path, json!({"responses_days": 0, "conversations_days": null}))
        .await
        .ok();
    let unkept = json!({"model": "insula/extractive", "input": "new", "store": true});
    assert_eq!(super::respond(&ada, unkept).await["store"], false);
    let days = |responses: i32, conversations: i32| json!({"responses_days": responses, "conversations_days": conversations});
    for (body, param) in [
        (days(-1, 1), "responses_days"),
        (days(3651, 1), "responses_days"),
        (days(1, 0), "conversations_days"),
    ] {
        assert_eq!(ada.put(path, body).await.refused(400)["param"], param);
    }
}
