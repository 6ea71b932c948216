//! Looks of the operator's at a tenant's data: for a reason, for a while, and where the tenant sees it.

use insula::config::ServeArgs;
use insula_tests::{Answer, Client, Setup, TestApp, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use crate::walk::{Document, nobodys};

const SESSION: &str = "/v1/insula/session";
const TENANT: &str = "/v1/insula/session/tenant";
const ACCESSES: &str = "/v1/insula/accesses";
const OF_ALL: &str = "/v1/insula/operator/accesses";
const REASON: &str = "You asked why bees.txt is not found";

async fn open(runner: &Client, tenant: &Client, minutes: u64) -> Answer {
    let path = format!("/v1/insula/operator/tenants/{}/access", tenant.tenant_id());
    runner
        .post(&path, json!({"reason": REASON, "minutes": minutes}))
        .await
}

async fn enter(runner: &Client, tenant: &Client) -> Answer {
    runner
        .post(TENANT, json!({"tenant_id": tenant.tenant_id()}))
        .await
}

fn code(answer: &Answer, status: u16) -> Value {
    answer.refused(status)["code"].clone()
}

async fn events(client: &Client, event: &str) -> Vec<Value> {
    let path = format!("/v1/organization/audit_logs?limit=100&event_types[]={event}");
    client.get(&path).await.ok()["data"].as_array().unwrap().clone()
}

#[tokio::test]
async fn without_an_access_whoever_runs_the_install_reads_nothing_of_a_tenant() {
    let app = TestApp::with(Setup {
        worker: false,
        // A key knocks where it may not, again and again.
        serve: ServeArgs {
            failed_attempts: 0,
            ..ServeArgs::default()
        },
        ..Setup::default()
    })
    .await;
    let (ada, bob) = app.two_tenants().await;
    let (runner, key) = (app.runner("root@example.com").await, app.operator().await);
    let document = Document::fetch(&ada).await;
    // One that is open elsewhere opens nothing here.
    open(&runner, &bob, 30).await.ok();
    assert_eq!(enter(&runner, &ada).await.status, 404);
    let mut walked = 0;
    for operation in document
        .operations
        .iter()
        .filter(|operation| !operation.public && !operation.shared)
    {
        let call = document.call(operation, &nobodys());
        let error = call.send(&runner).await.refused(403);
        // The Open Inference Protocol has no codes.
        let expected = (!operation.path.starts_with("/v2")).then_some("no_tenant");
        assert_eq!(error["code"], json!(expected), "{}", operation.id);
        call.send(&key).await.refused(401);
        walked += 1;
    }
    assert!(walked > 80, "{walked}");
}

#[tokio::test]
async fn an_access_shows_what_a_viewer_sees_changes_nothing_and_is_told() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let runner = app.runner("root@example.com").await;
    let (store, files) = ada.library(&[("bees.txt", "Bees dance in the dark.")]).await;
    let me = runner.get(SESSION).await.ok()["person"]["id"].clone();

    let opened = open(&runner, &ada, 30).await.ok();
    let expires_at = opened["expires_at"].as_i64().unwrap();
    assert_eq!(expires_at - opened["opened_at"].as_i64().unwrap(), 1800);
    let expected = json!({
        "id": opened["id"], "object": "insula.tenant_access", "tenant_id": ada.tenant_id(), "tenant_name": "ada",
        "reason": REASON, "opened_by": me, "opened_at": opened["opened_at"], "expires_at": expires_at,
        "ended_at": null, "ended_by": null,
    });
    assert_eq!(opened, expected);
    let session = enter(&runner, &ada).await.ok();
    assert_eq!(
        session["tenant"],
        json!({"id": ada.tenant_id(), "name": "ada", "role": "viewer"})
    );
    assert_eq!(
        session["access"],
        json!({"id": opened["id"], "expires_at": expires_at, "reason": REASON})
    );
    assert_eq!(session["tenants"], json!([]));

    // It reads, and the neighbour's things stay unknown.
    assert_eq!(
        runner.get(&format!("/v1/files/{}", files[0])).await.ok()["filename"],
        "bees.txt"
    );
    let hits = runner.search(&store, json!({"query": "dance"})).await;
    assert!(hits["data"][0].to_string().contains("Bees dance"), "{hits}");
    let bobs = bob.upload("b.txt", "another").await;
    runner.get(&format!("/v1/files/{bobs}")).await.refused(404);
    for _ in 0..3 {
        runner.get("/v1/vector_stores").await.ok();
    }
    // Whatever a viewer may not do is refused, by every operation.
    let document = Document::fetch(&ada).await;
    let mut refused = 0;
    for operation in document
        .operations
        .iter()
        .filter(|operation| !operation.public && !operation.shared)
    {
        let looks = operation.method == Method::GET || operation.id.starts_with("search_");
        let answer = document.call(operation, &nobodys()).send(&runner).await;
        assert_ne!(answer.status, 401, "{}: {answer}", operation.id);
        if !looks {
            let error = answer.refused(403);
            assert!(
                error["message"].as_str().unwrap().contains("scope"),
                "{}: {error}",
                operation.id
            );
            refused += 1;
        }
    }
    assert!(refused >= 30, "{refused}");
    runner.get("/v1/insula/request_logs").await.refused(403);
    runner.get(ACCESSES).await.refused(403);

    // The tenant sees who looked, why, and at what: each kind of look once.
    let told = events(&ada, "operator_access.opened").await;
    assert_eq!(told[0]["operator_access.opened"]["data"]["reason"], REASON);
    assert_eq!(told[0]["actor"]["session"]["user"]["id"], me);
    let used = events(&ada, "operator_access.used").await;
    let mut looked: Vec<&str> = used
        .iter()
        .map(|entry| {
            entry["operator_access.used"]["data"]["operation"]
                .as_str()
                .unwrap()
        })
        .collect();
    for operation in ["get_file", "list_vector_stores", "search_vector_store"] {
        assert!(looked.contains(&operation), "{looked:?}");
    }
    let all = looked.len();
    looked.sort_unstable();
    looked.dedup();
    assert_eq!(looked.len(), all, "once each");
    assert_eq!(ada.get(ACCESSES).await.ok()["data"], json!([expected]));
    assert_eq!(bob.get(ACCESSES).await.ok()["data"], json!([]));
    assert_eq!(events(&bob, "operator_access.opened").await, Vec::<Value>::new());
    // So does whoever runs the install, in its own chain too.
    let acts = events(&app.operator().await, "operator_access.opened").await;
    assert_eq!(acts.len(), 2);
    assert!(acts.iter().any(|entry| entry["project"].is_null()), "{acts:?}");
}

#[tokio::test]
async fn an_end_is_effective_at_once_whoever_makes_it() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let runner = app.runner("root@example.com").await;
    let file = ada.upload("a.txt", "a text").await;
    ada.store("store", &[&file]).await;
    let job = ada.get("/v1/insula/jobs").await.ok()["data"][0]["id"].clone();
    let stream = format!("/v1/insula/jobs/{}/events", job.as_str().unwrap());
    let ends: [&dyn Fn(String) -> (Client, String); 2] =
        [&|id| (ada.clone(), format!("{ACCESSES}/{id}/end")), &|id| {
            (runner.clone(), format!("{OF_ALL}/{id}/end"))
        }];
    for end in ends {
        let id = open(&runner, &ada, 5).await.ok()["id"]
            .as_str()
            .unwrap()
            .to_owned();
        enter(&runner, &ada).await.ok();
        let mut events = runner.events(&stream).await;
        events.next_named().await.expect("the state of the job");
        let (who, path) = end(id);
        bob.post(&path.replace("/operator", ""), json!({}))
            .await
            .refused(404);
        let ended = who.post(&path, json!({})).await.ok();
        assert!(
            ended["ended_at"].is_i64() && ended["ended_by"].is_string(),
            "{ended}"
        );
        assert_eq!(code(&runner.get("/v1/files").await, 403), "no_tenant");
        let session = runner.get(SESSION).await.ok();
        assert_eq!(
            (&session["tenant"], &session["access"]),
            (&Value::Null, &Value::Null)
        );
        enter(&runner, &ada).await.refused(404);
        eventually("the stream ends", async || {
            events.next_named().await.is_none().then_some(())
        })
        .await;
        assert_eq!(who.post(&path, json!({})).await.ok(), ended, "once is enough");
    }
    assert_eq!(self::events(&ada, "operator_access.ended").await.len(), 2);
}

#[tokio::test]
async fn time_suspension_and_another_role_end_it_too() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let (runner, other) = (
        app.runner("root@example.com").await,
        app.runner("second@example.com").await,
    );
    open(&runner, &ada, 30).await.ok();
    enter(&runner, &ada).await.ok();
    runner.get("/v1/files").await.ok();
    // Another session of another person has nothing of it.
    enter(&other, &ada).await.refused(404);

    let suspend = async |verb: &str| {
        let path = format!("/v1/insula/operator/tenants/{}/{verb}", ada.tenant_id());
        other.post(&path, json!({})).await.ok();
    };
    suspend("suspend").await;
    assert_eq!(code(&runner.get("/v1/files").await, 403), "tenant_suspended");
    assert_eq!(code(&open(&runner, &ada, 30).await, 400), "tenant_suspended");
    suspend("resume").await;
    runner.get("/v1/files").await.ok();

    sqlx::query("update tenant_accesses set expires_at = now() - interval '1 second'")
        .execute(app.owner())
        .await
        .unwrap();
    assert_eq!(code(&runner.get("/v1/files").await, 403), "no_tenant");
    // The worker notes it, as nobody's doing.
    eventually("the end is noted", async || {
        let ended = ada.get(ACCESSES).await.ok()["data"][0].clone();
        (ended["ended_by"] == "system").then_some(())
    })
    .await;
    assert_eq!(
        events(&ada, "operator_access.ended").await[0]["actor"]["session"]["user"]["id"],
        "system"
    );

    open(&runner, &ada, 30).await.ok();
    enter(&runner, &ada).await.ok();
    let me = runner.get(SESSION).await.ok()["person"]["id"]
        .as_str()
        .unwrap()
        .to_owned();
    let role = json!({"role": "reader"});
    other
        .post(&format!("/v1/organization/users/{me}"), role)
        .await
        .ok();
    assert_eq!(code(&runner.get("/v1/files").await, 403), "no_tenant");
    assert!(ada.get(ACCESSES).await.ok()["data"][0]["ended_at"].is_i64());
}

#[tokio::test]
async fn it_takes_a_person_a_reason_and_a_bound() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let runner = app.runner("root@example.com").await;
    let path = format!("/v1/insula/operator/tenants/{}/access", ada.tenant_id());
    let good = json!({"reason": REASON});
    assert_eq!(
        code(&app.operator().await.post(&path, good.clone()).await, 403),
        "person_required"
    );
    ada.post(&path, good.clone()).await.refused(403);
    for (body, param) in [
        (json!({}), "reason"),
        (json!({"reason": "why not"}), "reason"),
        (json!({"reason": "          x"}), "reason"),
        (json!({"reason": "x".repeat(501)}), "reason"),
        (json!({"reason": "a reason with \u{0}"}), "reason"),
        (json!({"reason": REASON, "minutes": 4}), "minutes"),
        (json!({"reason": REASON, "minutes": 241}), "minutes"),
    ] {
        assert_eq!(
            runner.post(&path, body.clone()).await.refused(400)["param"],
            param,
            "{body}"
        );
    }
    let unknown = insula_tenancy::TenantId::generate();
    runner
        .post(
            &format!("/v1/insula/operator/tenants/{unknown}/access"),
            good.clone(),
        )
        .await
        .refused(404);

    // A newer one takes the place of the one before.
    let first = runner.post(&path, good.clone()).await.ok();
    let second = runner
        .post(&path, json!({"reason": REASON, "minutes": null}))
        .await
        .ok();
    open(&runner, &bob, 5).await.ok();
    let listed = async |query: &str| {
        let list = runner.get(&format!("{OF_ALL}?{query}")).await.ok();
        let ids = list["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|access| access["id"].clone());
        ids.collect::<Vec<_>>()
    };
    let of_ada = format!("tenant_id={}", ada.tenant_id());
    assert_eq!(listed(&of_ada).await, [second["id"].clone(), first["id"].clone()]);
    assert_eq!(
        listed(&format!("{of_ada}&open=true")).await,
        [second["id"].clone()]
    );
    assert_eq!(
        listed(&format!("{of_ada}&open=false")).await,
        [first["id"].clone()]
    );
    assert_eq!(listed("open=true").await.len(), 2);
    assert_eq!(
        listed(&format!(
            "{of_ada}&limit=1&after={}",
            second["id"].as_str().unwrap()
        ))
        .await,
        [first["id"].clone()]
    );
    assert_eq!(
        runner.get(&format!("{OF_ALL}?open=maybe")).await.refused(400)["param"],
        "open"
    );

    // Whoever is a member has its role there, and no use for an access.
    let body = json!({"email": "root@example.com", "role": "viewer"});
    let invite = ada.post("/v1/insula/invites", body).await.ok();
    let accept = json!({"token": invite["token"], "password": TestApp::PASSWORD});
    ada.page()
        .post("/v1/insula/invitations/accept", accept)
        .await
        .ok();
    runner.post(&path, good).await.refused(409);
    assert_eq!(enter(&runner, &ada).await.ok()["access"], Value::Null);
}
