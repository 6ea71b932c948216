//! `/v1/organization/audit_logs`: every administrative act, in a chain that shows any later change.

use std::process::Output;

use futures::future::join_all;
use insula_tests::{Client, TestApp, assert_invariants, insula_binary};
use reqwest::Method;
use serde_json::{Value, json};
use sqlx::AssertSqlSafe;
use tokio::process::Command;

const LOGS: &str = "/v1/organization/audit_logs";

async fn entries(client: &Client, query: &str) -> Vec<Value> {
    let listed = client
        .get(&format!("{LOGS}?limit=100&order=asc&{query}"))
        .await
        .ok();
    assert_eq!(listed["has_more"], false);
    listed["data"].as_array().unwrap().clone()
}

fn types(entries: &[Value]) -> Vec<&str> {
    entries
        .iter()
        .map(|entry| entry["type"].as_str().unwrap())
        .collect()
}

/// `insula audit verify`
async fn verify(app: &TestApp) -> Output {
    Command::new(insula_binary().await)
        .args(["audit", "verify", "--json"])
        .env("DATABASE_URL", app.database.app_url().as_str())
        .output()
        .await
        .unwrap()
}

#[tokio::test]
async fn acts_are_logged_with_who_what_and_from_where() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    // A tenant's own acts.
    let budget = json!({"subject_kind": "tenant", "period": "day", "amount_usd": "1"});
    let budget = ada.post("/v1/insula/budgets", budget).await.ok()["id"].clone();
    let path = format!("/v1/insula/budgets/{}", budget.as_str().unwrap());
    ada.post(&path, json!({"amount_usd": "2"})).await.ok();
    ada.delete(&path).await.ok();
    let secret = "sk-very-secret-0123456789";
    let key = json!({"provider": "acme", "key": secret});
    let key = ada.post("/v1/insula/provider_keys", key).await.ok()["id"].clone();
    ada.delete(&format!("/v1/insula/provider_keys/{}", key.as_str().unwrap()))
        .await
        .ok();
    let rules = json!({"blocked_terms": [{"name": "rule", "terms": ["unspeakable"], "action": "block"}]});
    ada.put("/v1/insula/guardrails", rules).await.ok();
    let route = "/v1/insula/routes/alias";
    ada.put(route, json!({"target_model": "insula/extractive"}))
        .await
        .ok();
    ada.delete(route).await.ok();
    ada.put("/v1/insula/settings/request_logging", json!({"enabled": true}))
        .await
        .ok();
    ada.put("/v1/insula/settings/usage_retention", json!({"days": 30}))
        .await
        .ok();
    // What the operator does to it.
    let tenant = format!("/v1/insula/operator/tenants/{}", ada.tenant_id());
    let limits = json!({"limits": [{"subject_kind": "tenant", "requests_per_minute": 1000}]});
    operator.put(&format!("{tenant}/limits"), limits).await.ok();
    operator
        .put(&format!("{tenant}/budgets"), json!({"budgets": []}))
        .await
        .ok();
    operator.post(&format!("{tenant}/suspend"), json!({})).await.ok();
    operator.post(&format!("{tenant}/resume"), json!({})).await.ok();
    // Refused and repeated acts are none.
    operator.post(&format!("{tenant}/resume"), json!({})).await.ok();
    ada.delete(&path).await.refused(404);
    ada.put("/v1/insula/settings/usage_retention", json!({"days": 0}))
        .await
        .refused(400);

    let logged = entries(&ada, "").await;
    assert_eq!(
        types(&logged),
        [
            "project.created",
            "api_key.created",
            "budget.created",
            "budget.updated",
            "budget.deleted",
            "provider_key.created",
            "provider_key.deleted",
            "guardrails.updated",
            "route_override.updated",
            "route_override.deleted",
            "request_logging.updated",
            "usage_retention.updated",
            "rate_limit.updated",
            "budget.updated",
            "project.suspended",
            "project.resumed",
        ]
    );
    let all = Value::from(logged.clone()).to_string();
    assert!(!all.contains(secret) && !all.contains("unspeakable"), "{all}");
    let changed = &logged[3]["budget.updated"];
    assert_eq!(changed["id"], budget);
    assert_eq!(
        (
            &changed["before"]["amount_usd"],
            &changed["changes_requested"]["amount_usd"]
        ),
        (&json!("1"), &json!("2"))
    );
    for (at, entry) in logged.iter().enumerate() {
        assert_eq!(entry["sequence"], at + 1);
        assert_eq!(entry["project"], json!({"id": ada.tenant_id(), "name": "ada"}));
        let actor = &entry["actor"];
        let (kind, id) = match at {
            0 | 1 => ("session", &actor["session"]["user"]["id"]),
            _ => ("api_key", &actor["api_key"]["id"]),
        };
        let begins = match at {
            0 | 1 => "console",
            2..=11 => "key_",
            _ => "opk_",
        };
        assert_eq!(actor["type"], kind, "{entry}");
        assert!(id.as_str().unwrap().starts_with(begins), "{entry}");
        let from = if at < 2 { Value::Null } else { json!("127.0.0.1") };
        assert_eq!(actor["ip_address"], from, "{entry}");
    }
    // Bob sees his own; the operator everything, its own acts included.
    assert_eq!(
        types(&entries(&bob, "").await),
        ["project.created", "api_key.created"]
    );
    operator
        .put("/v1/insula/operator/plans/gold", json!({"limits": []}))
        .await
        .ok();
    let installs = entries(
        &operator,
        "event_types[]=plan.updated&event_types[]=admin_api_key.created",
    )
    .await;
    assert_eq!(types(&installs), ["admin_api_key.created", "plan.updated"]);
    assert!(installs.iter().all(|entry| entry.get("project").is_none()));
    let everything = entries(&operator, "").await;
    assert_eq!(everything.len(), logged.len() + 4);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn entries_are_found_by_what_they_are_of() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    ada.put("/v1/insula/settings/usage_retention", json!({"days": 30}))
        .await
        .ok();
    let adas = entries(&ada, "").await;
    let key = adas[2]["actor"]["api_key"]["id"].as_str().unwrap().to_owned();
    let time = adas[2]["effective_at"].as_i64().unwrap();
    for (query, count) in [
        (format!("project_ids[]={}", ada.tenant_id()), 3),
        ("project_ids[]=proj_x".to_owned(), 0),
        (format!("actor_ids[]={key}"), 1),
        ("actor_ids[]=console&event_types[]=api_key.created".to_owned(), 2),
        ("actor_emails[]=a@example.com".to_owned(), 0),
        (format!("resource_ids[]={}", ada.tenant_id()), 2),
        (
            format!("effective_at[gt]={time}&project_ids[]={}", ada.tenant_id()),
            0,
        ),
        (
            format!("effective_at[gte]={time}&event_types[]=usage_retention.updated"),
            1,
        ),
        (
            format!("effective_at[lte]={time}&event_types[]=usage_retention.updated"),
            1,
        ),
        (
            format!("effective_at[lt]={time}&event_types[]=usage_retention.updated"),
            0,
        ),
        (format!("effective_at[lt]={}", time - 3600), 0),
    ] {
        assert_eq!(entries(&operator, &query).await.len(), count, "{query}");
    }
    // A tenant cannot look past its own chain, whatever it asks for.
    assert!(
        entries(&ada, &format!("project_ids[]={}", bob.tenant_id()))
            .await
            .is_empty()
    );
    let error = ada
        .get(&format!("{LOGS}?effective_at[gt]=soon"))
        .await
        .refused(400);
    assert_eq!(error["param"], "effective_at[gt]");
    // Pages.
    let mut walked = Vec::new();
    let mut after = String::new();
    loop {
        let page = operator.get(&format!("{LOGS}?limit=2{after}")).await.ok();
        walked.extend(page["data"].as_array().unwrap().clone());
        if page["has_more"] == false {
            break;
        }
        after = format!("&after={}", page["last_id"].as_str().unwrap());
    }
    walked.reverse();
    assert_eq!(walked, entries(&operator, "").await);
}

#[tokio::test]
async fn acts_at_once_make_one_chain_and_what_is_not_done_is_not_logged() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let days = |client: &Client, days: i32| {
        let request = client.request(Method::PUT, "/v1/insula/settings/usage_retention");
        let (client, request) = (client.clone(), request.json(&json!({"days": days})));
        async move { client.send(request).await.status }
    };
    let acts = (1..=20).flat_map(|at| [days(&ada, at), days(&bob, at)]);
    assert!(join_all(acts).await.iter().all(|status| *status == 200));
    for client in [&ada, &bob] {
        assert_eq!(entries(client, "").await.len(), 22);
    }
    // An act whose transaction does not commit leaves nothing.
    let mut tx = app.services.db.operator().await.unwrap();
    insula_tenancy::tenant::set_suspended(&mut tx, ada.tenant_id(), true)
        .await
        .unwrap();
    drop(tx);
    assert_eq!(entries(&ada, "").await.len(), 22);
    let verified = verify(&app).await;
    let said: Value = serde_json::from_slice(&verified.stdout).unwrap();
    assert!(verified.status.success(), "{said}");
    let chains = said["chains"].as_array().unwrap();
    assert_eq!(
        chains.iter().map(|chain| &chain["entries"]).collect::<Vec<_>>(),
        [22, 22]
    );
}

#[tokio::test]
async fn whoever_changes_an_entry_is_found_out() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    for at in 1..=5 {
        for client in [&ada, &bob] {
            client
                .put("/v1/insula/settings/usage_retention", json!({"days": at}))
                .await
                .ok();
        }
    }
    assert!(verify(&app).await.status.success());
    // The server's own roles cannot.
    for role in ["insula_tenant", "insula_operator", "insula_system"] {
        for statement in ["update audit_logs set actor = 'x'", "delete from audit_logs"] {
            let mut connection = app.owner().acquire().await.unwrap();
            let attempt = format!("begin; set local role {role}; {statement}");
            let refused = sqlx::raw_sql(AssertSqlSafe(attempt))
                .execute(&mut *connection)
                .await;
            assert!(refused.is_err(), "{role}: {statement}");
            sqlx::raw_sql("rollback").execute(&mut *connection).await.unwrap();
        }
    }
    // Whoever owns the tables can, and it shows.
    let adas = format!("tenant_id = '{}'", ada.tenant_id().uuid());
    let at = format!("where {adas} and seq = 4");
    for (change, back, seq) in [
        (
            format!("update audit_logs set actor = 'key_0' || actor {at}"),
            format!("update audit_logs set actor = substr(actor, 6) {at}"),
            4,
        ),
        (
            format!(r#"update audit_logs set details = replace(details, '"days":2', '"days":9') {at}"#),
            format!(r#"update audit_logs set details = replace(details, '"days":9', '"days":2') {at}"#),
            4,
        ),
        (
            format!("update audit_logs set address = null {at}"),
            format!("update audit_logs set address = '127.0.0.1' {at}"),
            4,
        ),
        (
            format!("update audit_logs set created_at = created_at - interval '1 microsecond' {at}"),
            format!("update audit_logs set created_at = created_at + interval '1 microsecond' {at}"),
            4,
        ),
        (
            format!("update audit_logs set seq = 99 {at}"),
            format!("update audit_logs set seq = 4 where {adas} and seq = 99"),
            4,
        ),
        (
            // With a hash that fits its own words: the next one's does not.
            format!("update audit_logs set hash = sha256(hash) where {adas} and seq = 7"),
            "select 1".to_owned(),
            7,
        ),
    ] {
        let run = async |statement: &str| {
            let done = sqlx::raw_sql(AssertSqlSafe(statement.to_owned()))
                .execute(app.owner())
                .await;
            done.unwrap_or_else(|error| panic!("{statement}: {error}"));
        };
        run(&change).await;
        let found = verify(&app).await;
        assert!(!found.status.success(), "{change}");
        let said: Value = serde_json::from_slice(&found.stdout).unwrap();
        assert_eq!(
            (&said["broken"]["chain"], &said["broken"]["sequence"]),
            (&json!(ada.tenant_id()), &json!(seq)),
            "{change}"
        );
        run(&back).await;
    }
}
