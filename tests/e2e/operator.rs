//! `/v1/insula/operator/…`: the install, for whoever runs it.

use insula::config::ServeArgs;
use insula_tenancy::operator::key;
use insula_tests::{Setup, TestApp, eventually};
use secrecy::ExposeSecret;
use serde_json::json;

use crate::walk::{Document, nobodys};

const TENANTS: &str = "/v1/insula/operator/tenants";

#[tokio::test]
async fn a_tenant_is_made_suspended_and_let_in_again() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let operator = app.operator().await;
    let made = operator.post(TENANTS, json!({"name": "carol"})).await.ok();
    assert_eq!(
        (&made["object"], &made["name"], &made["status"]),
        (&json!("insula.tenant"), &json!("carol"), &json!("active"))
    );
    for name in ["carol", "Carol", ""] {
        let error = operator.post(TENANTS, json!({"name": name})).await.refused(400);
        assert_eq!(error["param"], "name", "{name}");
    }
    let listed = operator.get(TENANTS).await.ok();
    let names: Vec<_> = listed["data"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tenant| &tenant["name"])
        .collect();
    assert_eq!(names, ["ada", "carol"]);

    let path = format!("{TENANTS}/{}", ada.tenant_id());
    for (verb, status, answered) in [("suspend", "suspended", 403), ("resume", "active", 200)] {
        let changed = operator.post(&format!("{path}/{verb}"), json!({})).await.ok();
        assert_eq!(changed["status"], status);
        assert_eq!(operator.get(&path).await.ok(), changed);
        eventually("the tenant's key is told", async || {
            (ada.get("/v1/files").await.status == answered).then_some(())
        })
        .await;
    }
    let nobody = insula_tenancy::TenantId::generate();
    operator.get(&format!("{TENANTS}/{nobody}")).await.refused(404);
    operator
        .post(&format!("{TENANTS}/{nobody}/suspend"), json!({}))
        .await
        .refused(404);
}

#[tokio::test]
async fn routes_are_shown_with_how_they_do_and_read_again() {
    let app = TestApp::without_worker().await;
    let operator = app.operator().await;
    let routes = operator.get("/v1/insula/operator/routes").await.ok();
    let extractive = routes["data"]
        .as_array()
        .unwrap()
        .iter()
        .find(|route| route["model"] == "insula/extractive")
        .unwrap_or_else(|| panic!("{routes}"));
    assert_eq!(extractive["targets"][0]["state"], "healthy");
    let reloaded = operator
        .post("/v1/insula/operator/routes/reload", json!({}))
        .await
        .ok();
    assert!(
        reloaded["models"]
            .as_array()
            .unwrap()
            .contains(&json!("insula/extractive"))
    );
}

#[tokio::test]
async fn these_operations_take_the_operators_keys_and_all_others_do_not() {
    let app = TestApp::with(Setup {
        worker: false,
        serve: ServeArgs {
            failed_attempts: 0,
            ..ServeArgs::default()
        },
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let operator = app.operator().await;
    let document = Document::fetch(&ada).await;
    let mut tx = app.services.db.operator().await.unwrap();
    let created = key::create(&mut tx, "revoked", None).await.unwrap();
    key::revoke(&mut tx, created.id).await.unwrap();
    assert!(key::revoke(&mut tx, created.id).await.is_err(), "revoked twice");
    tx.commit().await.unwrap();
    let strangers = [
        ada.with_key(""),
        ada.with_key("iok_nonsense"),
        ada.with_key(created.key.expose_secret()),
    ];
    let minted = json!({"scopes": ["models.read"]});
    let token = ada.post("/v1/insula/scoped_tokens", minted).await.ok()["token"].clone();
    let token = ada.with_key(token.as_str().unwrap());
    for operation in document.operations.iter().filter(|operation| !operation.public) {
        let call = document.call(operation, &nobodys());
        let expected = if operation.shared { 200 } else { 401 };
        assert_eq!(call.send(&operator).await.status, expected, "{}", operation.id);
    }
    let mut ids = nobodys();
    ids.insert("tenant_id", insula_tenancy::TenantId::generate().to_string());
    assert!(document.of_operator.len() >= 40);
    for operation in &document.of_operator {
        let call = document.call(operation, &ids);
        for stranger in &strangers {
            assert_eq!(call.send(stranger).await.status, 401, "{}", operation.id);
        }
        for tenant in [&ada, &token] {
            let error = call.send(tenant).await.refused(403);
            assert_eq!(error["type"], "permission_error", "{}", operation.id);
        }
        let answer = call.send(&operator).await;
        if operation.id == "open_tenant_access" {
            assert_eq!(answer.refused(403)["code"], "person_required");
            continue;
        }
        assert!(![401, 403].contains(&answer.status), "{}: {answer}", operation.id);
    }
}

#[tokio::test]
async fn keys_are_listed_without_their_secret_and_their_use_is_noted() {
    let app = TestApp::without_worker().await;
    let operator = app.operator().await;
    operator.get(TENANTS).await.ok();
    let mut tx = app.services.db.operator().await.unwrap();
    let keys = key::list(&mut tx).await.unwrap();
    assert!(keys[0].last_used_at.is_some());
    let secret = operator.key().rsplit_once('_').unwrap().1;
    let stored: i64 =
        sqlx::query_scalar("select count(*) from operator_keys k where k::text like '%' || $1 || '%'")
            .bind(secret)
            .fetch_one(app.owner())
            .await
            .unwrap();
    assert_eq!(stored, 0, "the secret is in the database");
}
