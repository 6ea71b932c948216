//! Lists, as the SDKs walk them: the next `after` is the id of the last object, until `has_more` is false.

use insula_tests::{Client, TestApp};
use serde_json::{Value, json};

fn ids(list: &Value) -> Vec<String> {
    list["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|object| object["id"].as_str().unwrap().to_owned())
        .collect()
}

/// Walks a list to its end, checking the envelope of every page.
async fn walk(client: &Client, path: &str, limit: usize, order: &str) -> Vec<String> {
    let mut walked: Vec<String> = Vec::new();
    loop {
        let after = walked.last().map(|id| format!("&after={id}")).unwrap_or_default();
        let page = client
            .get(&format!("{path}?limit={limit}&order={order}{after}"))
            .await
            .ok();
        let found = ids(&page);
        assert_eq!(page["object"], "list");
        assert!(found.len() <= limit);
        assert_eq!(page["first_id"].as_str(), found.first().map(String::as_str));
        assert_eq!(page["last_id"].as_str(), found.last().map(String::as_str));
        walked.extend(found);
        if page["has_more"] == false {
            return walked;
        }
        assert!(walked.len() < 100, "the walk does not end");
    }
}

/// Checks a list of seven objects, whose ids in the order of their making are given.
async fn check(client: &Client, path: &str, max: u32, made: &[String]) {
    let newest_first: Vec<String> = made.iter().rev().cloned().collect();
    for limit in [1, 2, 3, 7, 10] {
        assert_eq!(
            walk(client, path, limit, "asc").await,
            made,
            "{path}, {limit} at a time"
        );
        assert_eq!(
            walk(client, path, limit, "desc").await,
            newest_first,
            "{path}, {limit} at a time"
        );
    }
    assert_eq!(
        ids(&client.get(path).await.ok()),
        newest_first,
        "newest first by default"
    );

    let get = async |query: String| client.get(&format!("{path}?{query}")).await;
    // Backwards: the two just before the cursor, in the list's own direction.
    let page = get(format!("limit=2&order=asc&before={}", made[4])).await.ok();
    assert_eq!(
        (ids(&page), &page["has_more"]),
        (made[2..4].to_vec(), &json!(true))
    );
    let page = get(format!("limit=5&order=asc&before={}", made[2])).await.ok();
    assert_eq!(
        (ids(&page), &page["has_more"]),
        (made[..2].to_vec(), &json!(false))
    );
    let page = get(format!("order=asc&after={}&before={}", made[1], made[4]))
        .await
        .ok();
    assert_eq!(ids(&page), made[2..4].to_vec());
    let page = get(format!("order=asc&after={}", made[6])).await.ok();
    let end = json!({"object": "list", "data": [], "first_id": null, "last_id": null, "has_more": false});
    assert_eq!(page, end);

    for limit in [
        "0",
        "-1",
        &(max + 1).to_string(),
        "x",
        "1.5",
        "99999999999999999999",
    ] {
        assert_eq!(
            get(format!("limit={limit}")).await.refused(400)["param"],
            "limit",
            "limit={limit}"
        );
    }
    assert_eq!(get("order=up".into()).await.refused(400)["param"], "order");
    for cursor in ["after", "before"] {
        for wrong in ["nonsense", "%00", "file-%F0%9F%92%A5", &"x".repeat(5000)] {
            let error = get(format!("{cursor}={wrong}")).await.refused(400);
            assert_eq!(
                error["param"],
                cursor,
                "{cursor}={}",
                &wrong[..wrong.len().min(20)]
            );
        }
    }
}

/// Gives several objects the same time, which happens within a second and must not lose any.
async fn tie(app: &TestApp, table: &str) {
    let statement = format!("update {table} set created_at = date_trunc('day', created_at)");
    sqlx::query(sqlx::AssertSqlSafe(statement))
        .execute(app.owner())
        .await
        .unwrap();
}

#[tokio::test]
async fn vector_stores() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(ada.store(&format!("s{n}"), &[]).await);
        bob.store("between", &[]).await;
    }
    check(&ada, "/v1/vector_stores", 100, &made).await;
    tie(&app, "vector_stores").await;
    check(&ada, "/v1/vector_stores", 100, &made).await;
}

#[tokio::test]
async fn files() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let mut made = Vec::new();
    for n in 0..7 {
        made.push(ada.upload(&format!("{n}.txt"), "x").await);
        bob.upload("between.txt", "x").await;
    }
    check(&ada, "/v1/files", 10_000, &made).await;
    tie(&app, "files").await;
    check(&ada, "/v1/files", 10_000, &made).await;
}

#[tokio::test]
async fn files_of_a_store() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let (store, other) = (ada.store("s", &[]).await, ada.store("other", &[]).await);
    let path = format!("/v1/vector_stores/{store}/files");
    let mut made = Vec::new();
    for n in 0..7 {
        let file = ada.upload(&format!("{n}.txt"), "x").await;
        ada.post(&path, json!({"file_id": file})).await.ok();
        ada.post(
            &format!("/v1/vector_stores/{other}/files"),
            json!({"file_id": file}),
        )
        .await
        .ok();
        made.push(file);
    }
    check(&ada, &path, 100, &made).await;
    tie(&app, "vector_store_files").await;
    check(&ada, &path, 100, &made).await;
    // A file that exists, but not in this store, is no cursor of it.
    let elsewhere = ada.upload("elsewhere.txt", "x").await;
    assert_eq!(
        ada.get(&format!("{path}?after={elsewhere}")).await.refused(400)["param"],
        "after"
    );
}

#[tokio::test]
async fn assistants() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let mut made = Vec::new();
    for n in 0..7 {
        let new = json!({"name": format!("a{n}"), "model": "insula/extractive"});
        made.push(
            ada.post("/v1/insula/assistants", new.clone()).await.ok()["id"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        bob.post("/v1/insula/assistants", new).await.ok();
    }
    check(&ada, "/v1/insula/assistants", 100, &made).await;
    tie(&app, "assistants").await;
    check(&ada, "/v1/insula/assistants", 100, &made).await;
}

#[tokio::test]
async fn a_cursor_that_is_deleted_during_a_walk_is_refused_and_not_a_fresh_start() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let store = ada.store("s", &[]).await;
    ada.delete(&format!("/v1/vector_stores/{store}")).await.ok();
    assert_eq!(
        ada.get(&format!("/v1/vector_stores?after={store}"))
            .await
            .refused(400)["param"],
        "after"
    );
}
