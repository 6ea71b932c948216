//! `/mcp`, as agents call it.

use insula_tenancy::Scope;
use insula_tests::{Answer, Client, TestApp};
use reqwest::Method;
use serde_json::{Value, json};

use crate::library::FACTS;

async fn send(client: &Client, message: Value) -> Answer {
    let request = client
        .request(Method::POST, "/mcp")
        .header("accept", "application/json, text/event-stream");
    client.send(request.json(&message)).await
}

async fn rpc(client: &Client, method: &str, params: Value) -> Value {
    let message = json!({"jsonrpc": "2.0", "id": 7, "method": method, "params": params});
    let answer = send(client, message).await.ok();
    assert_eq!(
        (&answer["jsonrpc"], &answer["id"]),
        (&json!("2.0"), &json!(7)),
        "{answer}"
    );
    answer
}

/// What a tool answers, which it says twice: for machines, and as text.
async fn call(client: &Client, tool: &str, arguments: Value) -> Value {
    let answer = rpc(
        client,
        "tools/call",
        json!({"name": tool, "arguments": arguments}),
    )
    .await;
    let result = &answer["result"];
    assert_ne!(result["isError"], true, "{answer}");
    let text: Value = serde_json::from_str(result["content"][0]["text"].as_str().unwrap()).unwrap();
    assert_eq!(text, result["structuredContent"]);
    text
}

/// What a tool is refused with.
async fn refused(client: &Client, tool: &str, arguments: Value) -> String {
    let answer = rpc(
        client,
        "tools/call",
        json!({"name": tool, "arguments": arguments}),
    )
    .await;
    assert_eq!(answer["result"]["isError"], true, "{answer}");
    answer["result"]["content"][0]["text"]
        .as_str()
        .unwrap()
        .to_owned()
}

#[tokio::test]
async fn an_agent_finds_reads_and_asks() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, files) = ada.library(&FACTS).await;

    let hello = json!({
        "protocolVersion": "2025-06-18", "capabilities": {}, "clientInfo": {"name": "test", "version": "1"},
    });
    let info = rpc(&ada, "initialize", hello).await["result"].clone();
    assert_eq!(info["serverInfo"]["name"], "insula");
    assert!(info["capabilities"].get("tools").is_some(), "{info}");
    let noted = send(
        &ada,
        json!({"jsonrpc": "2.0", "method": "notifications/initialized"}),
    )
    .await;
    assert_eq!(noted.status, 202, "{noted}");

    let tools = rpc(&ada, "tools/list", json!({})).await["result"]["tools"].clone();
    let names: Vec<&str> = tools
        .as_array()
        .unwrap()
        .iter()
        .map(|tool| {
            assert_eq!(tool["annotations"]["readOnlyHint"], true);
            assert_eq!(tool["inputSchema"]["type"], "object");
            tool["name"].as_str().unwrap()
        })
        .collect();
    assert_eq!(names, ["search", "fetch", "ask"]);

    let question = "How do honeybees show the direction of flowers?";
    let found = call(&ada, "search", json!({"query": question})).await;
    let best = &found["results"][0];
    assert_eq!(
        (&best["title"], &best["id"]),
        (&json!("bees.txt"), &json!(format!("{store}/{}", files[2])))
    );
    let few = json!({"query": question, "vector_store_ids": [store], "max_num_results": 1});
    assert_eq!(
        call(&ada, "search", few).await["results"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    let read = call(&ada, "fetch", json!({"id": best["id"]})).await;
    assert_eq!(
        (&read["title"], &read["next_offset"]),
        (&json!("bees.txt"), &json!(null))
    );
    assert_eq!(read["text"], FACTS[2].1.trim());
    let rest = call(&ada, "fetch", json!({"id": best["id"], "offset": 10})).await;
    assert_eq!(rest["text"], FACTS[2].1.trim()[10..]);
    let asked = call(&ada, "ask", json!({"question": question})).await;
    assert!(
        asked["answer"].as_str().unwrap().contains("waggle dance"),
        "{asked}"
    );
    assert_eq!(asked["citations"][0]["file_id"], json!(files[2]));

    // Nothing of it is another tenant's to see.
    assert_eq!(
        call(&bob, "search", json!({"query": question})).await,
        json!({"results": []})
    );
    let foreign = refused(&bob, "fetch", json!({"id": best["id"]})).await;
    let unknown = format!("{}/{}", insula_tenancy::VectorStoreId::generate(), files[2]);
    let never = refused(&bob, "fetch", json!({"id": unknown})).await;
    assert_eq!(
        foreign.replace(best["id"].as_str().unwrap(), "ID"),
        never.replace(&unknown, "ID")
    );
    refused(
        &bob,
        "search",
        json!({"query": question, "vector_store_ids": [store]}),
    )
    .await;
    refused(
        &bob,
        "ask",
        json!({"question": question, "vector_store_ids": [store]}),
    )
    .await;
}

#[tokio::test]
async fn a_token_reads_within_its_bounds() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (open, _) = ada.library(&FACTS[..2]).await;
    let (closed, _) = ada.library(&FACTS[2..]).await;
    let files = ada
        .get(&format!("/v1/vector_stores/{open}/files?order=asc"))
        .await
        .ok();
    let ids: Vec<String> = (0..2)
        .map(|n| files["data"][n]["id"].as_str().unwrap().to_owned())
        .collect();
    let path = format!("/v1/vector_stores/{open}/files/{}", ids[0]);
    ada.post(&path, json!({"attributes": {"public": true}}))
        .await
        .ok();
    let mint = async |bounds: Value| {
        let mut body = json!({"scopes": ["vector_stores.read"]});
        body.as_object_mut()
            .unwrap()
            .extend(bounds.as_object().unwrap().clone());
        let minted = ada.post("/v1/insula/scoped_tokens", body).await.ok();
        ada.with_key(minted["token"].as_str().unwrap())
    };
    let one_store = mint(json!({"vector_store_ids": [open]})).await;
    let found = call(&one_store, "search", json!({"query": "How do honeybees dance?"})).await;
    let found = found["results"].as_array().unwrap().clone();
    assert!(
        !found.is_empty()
            && found
                .iter()
                .all(|hit| hit["id"].as_str().unwrap().starts_with(&open)),
        "{found:?}"
    );
    refused(
        &one_store,
        "search",
        json!({"query": "x", "vector_store_ids": [closed]}),
    )
    .await;
    let some_files = mint(json!({"filters": {"type": "eq", "key": "public", "value": true}})).await;
    call(&some_files, "fetch", json!({"id": format!("{open}/{}", ids[0])})).await;
    refused(&some_files, "fetch", json!({"id": format!("{open}/{}", ids[1])})).await;
    // Answers cost: a token that may only read gets none.
    let said = refused(&one_store, "ask", json!({"question": "What?"})).await;
    assert!(said.contains("chat.write"), "{said}");
}

#[tokio::test]
async fn strangers_and_mistakes_are_told_so() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let list = json!({"jsonrpc": "2.0", "id": 1, "method": "tools/list"});
    for stranger in ["", "isk_nonsense"] {
        let answer = send(&ada.with_key(stranger), list.clone()).await;
        assert_eq!(answer.refused(401)["code"], "invalid_api_key");
    }
    let chats = app.with_scopes(&ada, &[Scope::ChatWrite]).await;
    send(&chats, list).await.refused(403);
    ada.get("/mcp").await.refused(405);
    let nonsense = ada.post_bytes("/mcp", "application/json", "{").await;
    assert!((400..500).contains(&nonsense.status), "{nonsense}");

    let said = refused(&ada, "search", json!({})).await;
    assert!(said.contains("'query'"), "{said}");
    for (tool, arguments) in [
        ("search", json!({"query": " "})),
        ("search", json!({"query": 7})),
        ("search", json!({"query": "x", "max_num_results": 51})),
        ("search", json!({"query": "x", "vector_store_ids": []})),
        ("search", json!({"query": "x", "filters": {"type": "like"}})),
        ("fetch", json!({"id": "nothing"})),
        ("ask", json!({"question": "x", "model": "nothing"})),
    ] {
        refused(&ada, tool, arguments).await;
    }
    let unknown = rpc(&ada, "tools/call", json!({"name": "delete", "arguments": {}})).await;
    assert_eq!(unknown["error"]["code"], -32602, "{unknown}");
}
