//! `/v1/organization/projects`: tenants, their keys and service accounts, as OpenAI's administration shows them.

use insula_tests::{Answer, Client, TestApp, eventually};
use reqwest::Method;
use serde_json::{Value, json};

const PROJECTS: &str = "/v1/organization/projects";

async fn project(operator: &Client, name: &str) -> String {
    let made = operator.post(PROJECTS, json!({"name": name})).await.ok();
    made["id"].as_str().unwrap().to_owned()
}

fn ids(list: &Value) -> Vec<&str> {
    let data = list["data"].as_array().unwrap();
    data.iter().map(|item| item["id"].as_str().unwrap()).collect()
}

async fn post_nothing(client: &Client, path: &str) -> Answer {
    client.send(client.request(Method::POST, path)).await
}

#[tokio::test]
async fn a_project_is_made_renamed_and_archived_for_good() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let operator = app.operator().await;
    let made = operator.post(PROJECTS, json!({"name": "متجر Berlin"})).await.ok();
    assert_eq!(
        (
            &made["object"],
            &made["name"],
            &made["status"],
            &made["archived_at"]
        ),
        (
            &json!("organization.project"),
            &json!("متجر Berlin"),
            &json!("active"),
            &Value::Null
        )
    );
    assert_eq!(made["tenant_name"], "berlin");
    // Two may be called the same, and one of them is found on the command line under another name.
    let second = operator.post(PROJECTS, json!({"name": "Berlin!"})).await.ok();
    assert_eq!(second["name"], "Berlin!");
    let name = second["tenant_name"].as_str().unwrap();
    assert!(name.starts_with("berlin-") && name.len() == 19, "{name}");
    for name in [
        json!(""),
        json!(" "),
        json!("x".repeat(257)),
        json!("a\0b"),
        json!(7),
        Value::Null,
    ] {
        let error = operator.post(PROJECTS, json!({"name": name})).await.refused(400);
        assert_eq!(error["param"], "name", "{name}");
    }

    let path = format!("{PROJECTS}/{}", made["id"].as_str().unwrap());
    let renamed = operator.post(&path, json!({"name": "Shop"})).await.ok();
    assert_eq!(
        (&renamed["name"], &renamed["tenant_name"]),
        (&json!("Shop"), &json!("berlin"))
    );
    assert_eq!(operator.post(&path, json!({})).await.ok(), renamed);
    assert_eq!(operator.get(&path).await.ok(), renamed);
    let as_tenant = format!("/v1/insula/operator/tenants/{}", made["id"].as_str().unwrap());
    assert_eq!(operator.get(&as_tenant).await.ok()["name"], "berlin");

    // A tenant that was made otherwise is a project, too.
    let adas = format!("{PROJECTS}/{}", ada.tenant_id());
    assert_eq!(operator.get(&adas).await.ok()["name"], "ada");
    assert_eq!(ada.get("/v1/files").await.status, 200);
    let archived = post_nothing(&operator, &format!("{adas}/archive")).await.ok();
    assert_eq!(archived["status"], "archived");
    assert!(archived["archived_at"].is_i64());
    eventually("the project's key is told", async || {
        (ada.get("/v1/files").await.status == 403).then_some(())
    })
    .await;
    let again = post_nothing(&operator, &format!("{adas}/archive")).await.ok();
    assert_eq!(again, archived, "archived once");
    let error = operator.post(&adas, json!({"name": "x"})).await.refused(400);
    assert_eq!(error["code"], "project_archived");
    let accounts = format!("{adas}/service_accounts");
    let error = operator.post(&accounts, json!({"name": "x"})).await.refused(400);
    assert_eq!(error["code"], "project_archived");
    let resume = format!("/v1/insula/operator/tenants/{}/resume", ada.tenant_id());
    operator.post(&resume, json!({})).await.refused(400);
    assert_eq!(ada.get("/v1/files").await.status, 403);

    let nobody = format!("{PROJECTS}/{}", insula_tenancy::TenantId::generate());
    operator.get(&nobody).await.refused(404);
    operator.post(&nobody, json!({"name": "x"})).await.refused(404);
    post_nothing(&operator, &format!("{nobody}/archive"))
        .await
        .refused(404);
}

#[tokio::test]
async fn projects_are_paged_without_archived_ones_unless_they_are_asked_for() {
    let app = TestApp::without_worker().await;
    let operator = app.operator().await;
    let mut made = Vec::new();
    for at in 0..5 {
        made.push(project(&operator, &format!("project {at}")).await);
    }
    post_nothing(&operator, &format!("{PROJECTS}/{}/archive", made[2]))
        .await
        .ok();
    let first = operator.get(&format!("{PROJECTS}?limit=2")).await.ok();
    assert_eq!(ids(&first), [&made[4], &made[3]]);
    assert_eq!(
        (&first["has_more"], &first["last_id"]),
        (&json!(true), &json!(made[3]))
    );
    let rest = operator
        .get(&format!("{PROJECTS}?limit=10&after={}", made[3]))
        .await
        .ok();
    assert_eq!(ids(&rest), [&made[1], &made[0]]);
    assert_eq!(rest["has_more"], false);
    let all = operator
        .get(&format!("{PROJECTS}?include_archived=true&order=asc"))
        .await
        .ok();
    assert_eq!(ids(&all), made.iter().collect::<Vec<_>>());
    for bad in ["limit=0", "limit=101", "include_archived=perhaps", "order=up"] {
        operator.get(&format!("{PROJECTS}?{bad}")).await.refused(400);
    }
    let nobody = insula_tenancy::TenantId::generate();
    let error = operator
        .get(&format!("{PROJECTS}?after={nobody}"))
        .await
        .refused(400);
    assert_eq!(error["param"], "after");
}

#[tokio::test]
async fn a_service_accounts_key_is_shown_once_works_and_ends_with_it() {
    let app = TestApp::without_worker().await;
    let operator = app.operator().await;
    let (shop, other) = (
        project(&operator, "shop").await,
        project(&operator, "other").await,
    );
    let accounts = format!("{PROJECTS}/{shop}/service_accounts");
    let made = operator.post(&accounts, json!({"name": "ci"})).await.ok();
    assert_eq!(
        (&made["object"], &made["name"], &made["role"]),
        (
            &json!("organization.project.service_account"),
            &json!("ci"),
            &json!("member")
        )
    );
    let key = &made["api_key"];
    assert_eq!(key["object"], "organization.project.service_account.api_key");
    let value = key["value"].as_str().unwrap();
    let client = app.client(shop.parse().unwrap(), value);
    assert_eq!(client.get("/v1/files").await.status, 200);

    let keys = format!("{PROJECTS}/{shop}/api_keys");
    let listed = operator.get(&keys).await.ok();
    let shown = &listed["data"][0];
    assert_eq!(ids(&listed), [key["id"].as_str().unwrap()]);
    assert_eq!(shown["object"], "organization.project.api_key");
    assert_eq!(shown["owner"]["type"], "service_account");
    assert_eq!(shown["owner"]["service_account"]["id"], made["id"]);
    assert_eq!(shown["owner_project_access"], "active");
    assert!(shown["last_used_at"].is_i64(), "it was used: {shown}");
    let redacted = shown["redacted_value"].as_str().unwrap();
    let (public, secret) = value.rsplit_once('_').unwrap();
    assert!(redacted.starts_with(public) && !listed.to_string().contains(secret));
    let one = format!("{keys}/{}", key["id"].as_str().unwrap());
    assert_eq!(operator.get(&one).await.ok(), *shown);

    // Another project's ids are nobody's here.
    let elsewhere = |path: &str| path.replace(&shop, &other);
    let account = format!("{accounts}/{}", made["id"].as_str().unwrap());
    for path in [&one, &account] {
        operator.get(&elsewhere(path)).await.refused(404);
        operator.delete(&elsewhere(path)).await.refused(404);
        operator.post(&elsewhere(path), json!({})).await.refused(404);
    }
    assert_eq!(ids(&operator.get(&elsewhere(&keys)).await.ok()), [""; 0]);
    assert_eq!(client.get("/v1/files").await.status, 200);

    let second = operator
        .post(
            &format!("{account}/api_keys"),
            json!({"name": "narrow", "scopes": ["models.read"], "expires_in_seconds": 3600}),
        )
        .await
        .ok();
    let narrow = app.client(shop.parse().unwrap(), second["value"].as_str().unwrap());
    assert_eq!(narrow.get("/v1/models").await.status, 200);
    assert_eq!(narrow.get("/v1/files").await.status, 403);
    assert!(second["expires_at"].as_i64().unwrap() - second["created_at"].as_i64().unwrap() == 3600);
    // It may do more from now on.
    let change = format!("{keys}/{}", second["id"].as_str().unwrap());
    let changed = operator.post(&change, json!({"scopes": []})).await.ok();
    assert!(changed["scopes"].as_array().unwrap().len() > 10);
    eventually("it may", async || {
        (narrow.get("/v1/files").await.status == 200).then_some(())
    })
    .await;

    let renamed = operator
        .post(&account, json!({"name": "cd", "role": "owner"}))
        .await
        .ok();
    assert_eq!(
        (&renamed["name"], &renamed["role"]),
        (&json!("cd"), &json!("owner"))
    );
    assert_eq!(operator.get(&account).await.ok(), renamed);

    // One key can go alone; with the account all others go.
    let gone = operator.delete(&one).await.ok();
    assert_eq!(
        gone,
        json!({"id": key["id"], "object": "organization.project.api_key.deleted", "deleted": true})
    );
    operator.get(&one).await.refused(404);
    operator.delete(&one).await.refused(404);
    eventually("its key is refused", async || {
        (client.get("/v1/files").await.status == 401).then_some(())
    })
    .await;
    let gone = operator.delete(&account).await.ok();
    assert_eq!(gone["object"], "organization.project.service_account.deleted");
    eventually("the other too", async || {
        (narrow.get("/v1/files").await.status == 401).then_some(())
    })
    .await;
    operator.get(&account).await.refused(404);
    assert_eq!(ids(&operator.get(&keys).await.ok()), [""; 0]);
}

#[tokio::test]
async fn what_is_wrong_with_a_service_account_is_said() {
    let app = TestApp::without_worker().await;
    let operator = app.operator().await;
    let shop = project(&operator, "shop").await;
    let accounts = format!("{PROJECTS}/{shop}/service_accounts");
    for (body, param) in [
        (json!({}), "name"),
        (json!({"name": ""}), "name"),
        (
            json!({"name": "a", "scopes": ["files.read", "nonsense"]}),
            "scopes[1]",
        ),
        (
            json!({"name": "a", "expires_in_seconds": 0}),
            "expires_in_seconds",
        ),
        (
            json!({"name": "a", "expires_in_seconds": -1}),
            "expires_in_seconds",
        ),
        (
            json!({"name": "a", "expires_in_seconds": u64::MAX}),
            "expires_in_seconds",
        ),
        (
            json!({"name": "a", "expires_in_seconds": 9, "create_service_account_only": true}),
            "expires_in_seconds",
        ),
    ] {
        let error = operator.post(&accounts, body.clone()).await.refused(400);
        assert_eq!(error["param"], param, "{body}");
    }
    assert_eq!(
        ids(&operator.get(&accounts).await.ok()),
        [""; 0],
        "nothing was made"
    );
    let alone = json!({"name": "later", "create_service_account_only": true});
    let alone = operator.post(&accounts, alone).await.ok();
    assert_eq!(
        (&alone["role"], &alone["api_key"]),
        (&json!("none"), &Value::Null)
    );
    let path = format!("{accounts}/{}", alone["id"].as_str().unwrap());
    let error = operator
        .post(&path, json!({"role": "emperor"}))
        .await
        .refused(400);
    assert_eq!(error["param"], "role");
    let listed = operator.get(&accounts).await.ok();
    assert_eq!(ids(&listed), [alone["id"].as_str().unwrap()]);
    // A key of nobody in particular.
    let ada = app.tenant("ada").await;
    let keys = operator
        .get(&format!(
            "{PROJECTS}/{}/api_keys?owner_project_access=active",
            ada.tenant_id()
        ))
        .await
        .ok();
    assert_eq!(keys["data"][0]["owner"], json!({}));
    let inactive = operator
        .get(&format!(
            "{PROJECTS}/{}/api_keys?owner_project_access=inactive",
            ada.tenant_id()
        ))
        .await
        .ok();
    assert_eq!(ids(&inactive), [""; 0]);
}
