//! `/v1/insula/search_analytics`: what was searched for, and what was not found.

use insula_tests::{Client, TestApp, eventually};
use serde_json::{Value, json};

const PATH: &str = "/v1/insula/search_analytics";
const SETTINGS: &str = "/v1/insula/settings/search_analytics";

/// The report, once it knows of so many searches.
async fn report(client: &Client, searches: i64) -> Value {
    eventually("the searches are noted", async || {
        let report = client.get(PATH).await.ok();
        assert!(report["searches"].as_i64().unwrap() <= searches, "{report}");
        (report["searches"] == searches).then_some(report)
    })
    .await
}

fn queries(list: &Value) -> Vec<(&str, i64)> {
    let list = list.as_array().unwrap().iter();
    list.map(|found| {
        (
            found["query"].as_str().unwrap(),
            found["searches"].as_i64().unwrap(),
        )
    })
    .collect()
}

#[tokio::test]
async fn queries_are_kept_only_for_who_wants_it_and_searches_are_counted_for_all() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, _) = ada
        .library(&[("a.txt", "The keeper of the lighthouse lives on the island.")])
        .await;
    let search = |query: &'static str, of: &'static str| {
        let filter = json!({"type": "eq", "key": "of", "value": of});
        let body = match of {
            "" => json!({"query": query}),
            _ => json!({"query": query, "filters": filter}),
        };
        let (ada, path) = (ada.clone(), format!("/v1/vector_stores/{store}/search"));
        async move { ada.post(&path, body).await.ok() }
    };
    search("before anybody asked", "").await;
    let counted = report(&ada, 1).await;
    assert!(counted["mean_top_score"].as_f64().unwrap() > 0.0);
    for list in ["top", "zero", "low"] {
        assert_eq!(counted[list], json!([]), "{list}");
    }
    let off = json!({"object": "insula.search_analytics_settings", "enabled": false, "retention_days": 30});
    assert_eq!(ada.get(SETTINGS).await.ok(), off);

    let on = json!({"enabled": true, "retention_days": 7});
    assert_eq!(ada.put(SETTINGS, on).await.ok()["retention_days"], 7);
    // A guardrail that minds personal data takes it out of what is kept, too.
    let rules = json!({"personal_data": [{"kinds": ["email"], "action": "flag", "places": ["input"]}]});
    ada.put("/v1/insula/guardrails", rules).await.ok();
    search("Where does the keeper live?", "").await;
    search("where does the  KEEPER live?", "").await;
    search("zebra@example.com quantum", "nobody").await;
    let grounded = json!({
        "model": "insula/extractive", "messages": [{"role": "user", "content": "Who keeps the lighthouse?"}],
        "data_sources": [{"type": "insula_vector_stores", "parameters": {"vector_store_ids": [store]}}],
    });
    ada.post("/v1/chat/completions", grounded).await.ok();
    let found = report(&ada, 5).await;
    assert_eq!(found["zero_result"], 1);
    assert_eq!(queries(&found["zero"]), [("[EMAIL] quantum", 1)]);
    let top = queries(&found["top"]);
    assert_eq!(top[0].1, 2, "however it is written: {top:?}");
    assert!(
        top[0].0.eq_ignore_ascii_case("Where does the keeper live?"),
        "{top:?}"
    );
    assert!(
        top.contains(&("Who keeps the lighthouse?", 1)),
        "for chats too: {top:?}"
    );
    assert_eq!(top.len(), 3);
    for low in found["low"].as_array().unwrap() {
        assert!(low["mean_top_score"].as_f64().unwrap() < 0.7);
    }
    assert_eq!(report(&bob, 0).await["mean_top_score"], Value::Null);
    // Found the next time, it is lacking no more.
    search("zebra@example.com quantum", "").await;
    let found = report(&ada, 6).await;
    assert_eq!((&found["zero_result"], &found["zero"]), (&json!(1), &json!([])));

    // What is older than the tenant keeps it goes; the sums stay.
    sqlx::query("update searches set created_at = created_at - interval '8 days'")
        .execute(app.owner())
        .await
        .unwrap();
    app.bring_forward("housekeeping").await;
    eventually("old queries are gone", async || {
        let left: i64 = sqlx::query_scalar("select count(*) from searches")
            .fetch_one(app.owner())
            .await
            .unwrap();
        (left == 0).then_some(())
    })
    .await;
    assert_eq!(ada.get(PATH).await.ok()["searches"], 6);
    ada.put(SETTINGS, json!({"enabled": false})).await.ok();
    search("after it was turned off", "").await;
    assert_eq!(report(&ada, 7).await["top"], json!([]));

    let log = ada.get("/v1/organization/audit_logs").await.ok();
    let acts = log["data"].as_array().unwrap().iter();
    assert_eq!(
        acts.filter(|act| act["type"] == "search_analytics.updated")
            .count(),
        2
    );
}

#[tokio::test]
async fn what_makes_no_sense_is_refused() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for (body, param) in [
        (json!({}), "enabled"),
        (json!({"enabled": "yes"}), "enabled"),
        (json!({"enabled": true, "retention_days": 0}), "retention_days"),
        (json!({"enabled": true, "retention_days": 366}), "retention_days"),
    ] {
        assert_eq!(
            ada.put(SETTINGS, body.clone()).await.refused(400)["param"],
            param,
            "{body}"
        );
    }
    for (query, param) in [
        ("start_time=x", "start_time"),
        ("start_time=1000000000&end_time=2000000000", "start_time"),
        ("start_time=2000000000&end_time=1000000000", "end_time"),
    ] {
        assert_eq!(
            ada.get(&format!("{PATH}?{query}")).await.refused(400)["param"],
            param,
            "{query}"
        );
    }
}
