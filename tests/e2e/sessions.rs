//! `/v1/insula/session` and around it: people who are signed in, and what they may do.

use insula_tests::{Answer, Client, TestApp, eventually};
use reqwest::Method;
use serde_json::{Value, json};

use crate::walk::{Document, nobodys};

const SESSION: &str = "/v1/insula/session";
const MEMBERS: &str = "/v1/insula/members";
const PASSWORD: &str = "three-gulls-and-a-kettle";

/// The page of a new member of `ada`'s.
async fn member(ada: &Client, role: &str) -> Client {
    ada.member(&format!("{role}@example.com"), role, PASSWORD).await
}

async fn id_of(page: &Client) -> String {
    let session = page.get(SESSION).await.ok();
    session["person"]["id"].as_str().unwrap().to_owned()
}

fn code(answer: &Answer, status: u16) -> Value {
    answer.refused(status)["code"].clone()
}

#[tokio::test]
async fn a_session_is_the_persons_until_it_signs_out() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let page = member(&ada, "developer").await;
    let session = page.get(SESSION).await.ok();
    assert_eq!(session["person"]["email"], "developer@example.com");
    assert_eq!(session["tenant"], session["tenants"][0]);
    assert_eq!(session["tenant"]["id"], json!(ada.tenant_id()));
    assert_eq!(session["operator"], false);
    assert!(
        session["scopes"]
            .as_array()
            .unwrap()
            .contains(&json!("files.write"))
    );
    // The documents of its tenant, and nobody else's.
    let file = page.upload("a.txt", "the word is canary").await;
    ada.get(&format!("/v1/files/{file}")).await.ok();
    bob.get(&format!("/v1/files/{file}")).await.refused(404);
    let bobs = bob.upload("b.txt", "another").await;
    page.get(&format!("/v1/files/{bobs}")).await.refused(404);
    assert!(page.get(MEMBERS).await.ok()["data"][0]["last_seen_at"].is_i64());

    let out = page.delete(SESSION).await;
    out.ok();
    assert!(out.header("set-cookie").unwrap().contains("Max-Age=0"));
    // The cookie that a thief has kept.
    assert_eq!(code(&page.get(SESSION).await, 401), "not_signed_in");
    assert_eq!(code(&page.get("/v1/files").await, 401), "not_signed_in");
    // A key is no session, and a session no key.
    assert_eq!(code(&ada.get(SESSION).await, 401), "not_signed_in");
}

#[tokio::test]
async fn only_the_sites_own_pages_can_use_the_cookie() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let page = ada.page();
    let invite = json!({"email": "dev@example.com", "role": "developer"});
    let invite = ada.post("/v1/insula/invites", invite).await.ok();
    let accepting = json!({"token": invite["token"], "password": PASSWORD});
    let answer = page.post("/v1/insula/invitations/accept", accepting).await;
    answer.ok();
    let given = answer.header("set-cookie").unwrap();
    assert!(given.contains("; HttpOnly; SameSite=Strict") && given.contains("; Path=/;"));
    let cookie = given.split(';').next().unwrap();
    let post = |headers: &[(&str, &str)]| {
        let request = ada.with_key("").request(Method::POST, "/v1/vector_stores");
        let request = request.header("cookie", cookie).json(&json!({"name": "x"}));
        headers
            .iter()
            .fold(request, |request, (name, value)| request.header(*name, *value))
    };
    let own = format!("http://{}", app.address);
    for (headers, status) in [
        (&[][..], 403),
        (&[("origin", "https://evil.example")], 403),
        (&[("sec-fetch-site", "cross-site")], 403),
        (&[("sec-fetch-site", "same-site")], 403),
        (&[("origin", own.as_str())], 200),
        (&[("sec-fetch-site", "same-origin")], 200),
        (
            &[("sec-fetch-site", "same-origin"), ("host", "evil.example")],
            421,
        ),
    ] {
        let answer = ada.send(post(headers)).await;
        assert_eq!(answer.status, status, "{headers:?}: {answer}");
        if status == 403 {
            assert_eq!(answer.error()["code"], "cross_origin");
        }
    }
    // Signing in is guarded as well: nobody shall work in somebody else's session unawares.
    let stranger = ada.with_key("").request(Method::POST, SESSION);
    let stranger = stranger.json(&json!({"email": "dev@example.com", "password": PASSWORD}));
    assert_eq!(code(&ada.send(stranger).await, 403), "cross_origin");
    // A key counts for more than a cookie, and needs no page.
    let both = ada
        .request(Method::POST, "/v1/vector_stores")
        .header("cookie", cookie);
    ada.send(both.json(&json!({}))).await.ok();
    let stale = ada.with_key("isk_nonsense").request(Method::GET, "/v1/files");
    ada.send(stale.header("cookie", cookie)).await.refused(401);
}

#[tokio::test]
async fn a_viewer_looks_and_changes_nothing() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let viewer = member(&ada, "viewer").await;
    let document = Document::fetch(&ada).await;
    let mut refused = 0;
    for operation in document.operations.iter().filter(|operation| !operation.public) {
        let answer = document.call(operation, &nobodys()).send(&viewer).await;
        let looks = operation.method == Method::GET || operation.id.starts_with("search_");
        let private = [
            "list_request_logs",
            "get_request_log",
            "list_audit_logs",
            "list_accesses",
            "download_export",
            "get_search_analytics",
        ]
        .contains(&operation.id.as_str());
        if looks && !private {
            assert_ne!(answer.status, 403, "{}: {answer}", operation.id);
        } else {
            let error = answer.refused(403);
            assert!(
                error["message"].as_str().unwrap().contains("scope"),
                "{}: {error}",
                operation.id
            );
            refused += 1;
        }
        assert_ne!(answer.status, 401, "{}: {answer}", operation.id);
    }
    assert!(refused >= 30, "only {refused} operations change something");
    for operation in &document.of_operator {
        let mut ids = nobodys();
        ids.insert("tenant_id", ada.tenant_id().to_string());
        document.call(operation, &ids).send(&viewer).await.refused(403);
    }
}

#[tokio::test]
async fn who_tries_what_it_may_not_is_in_the_audit_log_once() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let viewer = member(&ada, "viewer").await;
    for _ in 0..3 {
        viewer.post("/v1/vector_stores", json!({})).await.refused(403);
    }
    let denied = ada
        .get("/v1/organization/audit_logs?event_types[]=access.denied")
        .await
        .ok();
    let denied = denied["data"].as_array().unwrap();
    assert_eq!(denied.len(), 1, "{denied:?}");
    assert_eq!(denied[0]["access.denied"]["id"], "vector_stores.write");
    assert_eq!(
        denied[0]["actor"]["session"]["user"]["id"],
        json!(id_of(&viewer).await)
    );
}

#[tokio::test]
async fn what_is_about_sessions_needs_one() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let document = Document::fetch(&ada).await;
    assert!(document.of_people.len() >= 10);
    for operation in document.of_people.iter().filter(|operation| !operation.public) {
        let call = document.call(operation, &nobodys());
        for stranger in [&ada, &ada.page()] {
            assert_eq!(
                code(&call.send(stranger).await, 401),
                "not_signed_in",
                "{}",
                operation.id
            );
        }
    }
}

#[tokio::test]
async fn a_role_and_its_end_are_effective_at_once() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let (owner, admin, dev) = (
        ada.member("owner@example.com", "admin", PASSWORD).await,
        member(&ada, "admin").await,
        member(&ada, "developer").await,
    );
    // A key is an admin: it makes no owners. The first is made by the operator.
    let path = format!("{MEMBERS}/{}", id_of(&owner).await);
    ada.post(&path, json!({"role": "owner"})).await.refused(403);
    let organization = format!(
        "/v1/organization/projects/{}/users/{}",
        ada.tenant_id(),
        id_of(&owner).await
    );
    app.operator()
        .await
        .post(&organization, json!({"role": "owner"}))
        .await
        .ok();
    admin.post(&path, json!({"role": "viewer"})).await.refused(403);
    admin.delete(&path).await.refused(403);
    assert_eq!(
        code(&owner.post(&path, json!({"role": "viewer"})).await, 400),
        "last_owner"
    );
    assert_eq!(code(&owner.delete(&path).await, 400), "last_owner");

    let devs = format!("{MEMBERS}/{}", id_of(&dev).await);
    bob.post(&devs, json!({"role": "viewer"})).await.refused(404);
    dev.post("/v1/vector_stores", json!({})).await.ok();
    assert_eq!(
        admin.post(&devs, json!({"role": "viewer"})).await.ok()["role"],
        "viewer"
    );
    dev.post("/v1/vector_stores", json!({})).await.refused(403);
    admin.delete(&devs).await.ok();
    assert_eq!(code(&dev.get("/v1/vector_stores").await, 403), "no_tenant");
    assert_eq!(dev.get(SESSION).await.ok()["tenant"], Value::Null);
    // Who did it is known.
    let acts = owner
        .get("/v1/organization/audit_logs?event_types[]=user.deleted")
        .await
        .ok();
    let actor = &acts["data"][0]["actor"]["session"]["user"]["id"];
    assert_eq!(*actor, json!(id_of(&admin).await));
}

#[tokio::test]
async fn a_person_of_two_tenants_works_in_one_at_a_time() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let carl = app.tenant("carl").await;
    let page = ada.member("dora@example.com", "developer", PASSWORD).await;
    // Who has a password is asked for it; the link alone takes no account over.
    let invite = json!({"email": "dora@example.com", "role": "viewer"});
    let invite = bob.post("/v1/insula/invites", invite).await.ok();
    let token = json!({"token": invite["token"]});
    let preview = page.post("/v1/insula/invitations/preview", token).await.ok();
    assert_eq!(
        (&preview["known"], &preview["tenants"][0]["role"]),
        (&json!(true), &json!("viewer"))
    );
    let wrong = json!({"token": invite["token"], "password": "another-long-pass-phrase"});
    let answer = page.post("/v1/insula/invitations/accept", wrong).await;
    assert_eq!(code(&answer, 401), "invalid_credentials");
    let right = json!({"token": invite["token"], "password": PASSWORD});
    page.post("/v1/insula/invitations/accept", right).await.ok();

    let session = page.get(SESSION).await.ok();
    let names: Vec<_> = session["tenants"]
        .as_array()
        .unwrap()
        .iter()
        .map(|tenant| &tenant["name"])
        .collect();
    assert_eq!(names, ["ada", "bob"]);
    assert_eq!(session["tenant"]["name"], "ada");
    let store = page.post("/v1/vector_stores", json!({})).await.ok()["id"].clone();
    let switch = |to: &Client| json!({"tenant_id": to.tenant_id()});
    let there = page.post("/v1/insula/session/tenant", switch(&bob)).await.ok();
    assert_eq!(
        (&there["tenant"]["name"], &there["tenant"]["role"]),
        (&json!("bob"), &json!("viewer"))
    );
    page.get(&format!("/v1/vector_stores/{}", store.as_str().unwrap()))
        .await
        .refused(404);
    page.post("/v1/vector_stores", json!({})).await.refused(403);
    // Another window still believes to be in the other tenant.
    let believing = |tenant: &Client| {
        let request = page.request(Method::GET, "/v1/vector_stores");
        page.send(request.header("insula-tenant", tenant.tenant_id().to_string()))
    };
    assert_eq!(code(&believing(&ada).await, 409), "tenant_switched");
    believing(&bob).await.ok();
    // A tenant that it is no member of is like one that there is not.
    let foreign = page
        .post("/v1/insula/session/tenant", switch(&carl))
        .await
        .refused(404);
    let unknown = insula_tenancy::TenantId::generate().to_string();
    let unknown_answer = page
        .post("/v1/insula/session/tenant", json!({"tenant_id": unknown}))
        .await
        .refused(404);
    assert_eq!(
        foreign.to_string().replace(&carl.tenant_id().to_string(), "x"),
        unknown_answer.to_string().replace(&unknown, "x")
    );
}

#[tokio::test]
async fn sessions_are_listed_and_ended_at_once_and_a_new_password_ends_the_others() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let here = member(&ada, "developer").await;
    let there = ada.sign_in("developer@example.com", PASSWORD).await;
    let stranger = member(&ada, "viewer").await;
    let sessions = here.get("/v1/insula/sessions").await.ok();
    let sessions = sessions["data"].as_array().unwrap();
    assert_eq!(sessions.len(), 2);
    let other = sessions
        .iter()
        .find(|session| session["current"] == false)
        .unwrap();
    let path = format!("/v1/insula/sessions/{}", other["id"].as_str().unwrap());
    stranger.delete(&path).await.refused(404);
    here.delete(&path).await.ok();
    assert_eq!(code(&there.get(SESSION).await, 401), "not_signed_in");
    here.delete(&path).await.refused(404);

    let there = ada.sign_in("developer@example.com", PASSWORD).await;
    let change = "/v1/insula/session/password";
    let with = |current: &str, new: &str| json!({"current_password": current, "new_password": new});
    let answer = here
        .post(change, with("wrong-wrong-wrong", "a-fjord-full-of-violins"))
        .await;
    assert_eq!(code(&answer, 401), "invalid_credentials");
    let weak = here
        .post(change, with(PASSWORD, "password1234"))
        .await
        .refused(400);
    assert_eq!(weak["param"], "new_password");
    here.post(change, with(PASSWORD, "a-fjord-full-of-violins"))
        .await
        .ok();
    here.get(SESSION).await.ok();
    assert_eq!(code(&there.get(SESSION).await, 401), "not_signed_in");
    let old = json!({"email": "developer@example.com", "password": PASSWORD});
    here.post(SESSION, old).await.refused(401);
    ada.sign_in("developer@example.com", "a-fjord-full-of-violins")
        .await;

    let profile = json!({"name": "Dev", "language": "ar"});
    let session = here.post("/v1/insula/session/profile", profile).await.ok();
    assert_eq!(
        (&session["person"]["name"], &session["language"]),
        (&json!("Dev"), &json!("ar"))
    );
    here.post("/v1/insula/session/profile", json!({"language": "tlh"}))
        .await
        .refused(400);
}

#[tokio::test]
async fn who_runs_the_install_uses_the_operators_operations_with_a_session() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let body = json!({
        "email": "root@example.com", "role": "owner", "projects": [{"id": ada.tenant_id(), "role": "admin"}],
    });
    let invite = app
        .operator()
        .await
        .post("/v1/organization/invites", body)
        .await
        .ok();
    let page = ada.page();
    let accept = json!({"token": invite["token"], "password": PASSWORD});
    let answer = page.post("/v1/insula/invitations/accept", accept).await;
    assert_eq!(answer.ok()["operator"], true);
    let page = page.with_session_of(&answer);
    page.get("/v1/insula/operator/tenants").await.ok();
    let made = page
        .post("/v1/insula/operator/tenants", json!({"name": "carl"}))
        .await
        .ok();
    // It sees all tenants' acts, and one tenant's where its page is in that.
    let acts = page.get("/v1/organization/audit_logs").await.ok();
    let latest = &acts["data"][0];
    assert_eq!(
        (&latest["type"], &latest["project"]["id"]),
        (&json!("project.created"), &made["id"])
    );
    assert_eq!(
        latest["actor"]["session"]["user"]["id"],
        json!(id_of(&page).await)
    );
    let request = page.request(Method::GET, "/v1/organization/audit_logs");
    let own = page
        .send(request.header("insula-tenant", ada.tenant_id().to_string()))
        .await
        .ok();
    let of = |entry: &Value| entry["project"]["id"] == json!(ada.tenant_id());
    assert!(own["data"].as_array().unwrap().iter().all(of));
    // Of the other tenant's documents it sees nothing: it is no member there.
    let carls = json!({"tenant_id": made["id"]});
    page.post("/v1/insula/session/tenant", carls).await.refused(404);
    // An operator no more, and at once.
    let path = format!("/v1/organization/users/{}", id_of(&page).await);
    let second = json!({"email": "second@example.com", "role": "owner"});
    let second = app
        .operator()
        .await
        .post("/v1/organization/invites", second)
        .await
        .ok();
    let accept = json!({"token": second["token"], "password": "an-owl-in-the-orchestra"});
    page.page()
        .post("/v1/insula/invitations/accept", accept)
        .await
        .ok();
    app.operator()
        .await
        .post(&path, json!({"role": "reader"}))
        .await
        .ok();
    page.get("/v1/insula/operator/tenants").await.refused(403);
}

#[tokio::test]
async fn a_stream_ends_with_the_session() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let page = member(&ada, "developer").await;
    let file = page.upload("a.txt", "a text").await;
    page.store("store", &[&file]).await;
    let job = page.get("/v1/insula/jobs").await.ok()["data"][0]["id"].clone();
    let mut events = page
        .events(&format!("/v1/insula/jobs/{}/events", job.as_str().unwrap()))
        .await;
    events.next_named().await.expect("the state of the job");
    page.delete(SESSION).await.ok();
    eventually("the stream ends", async || {
        events.next_named().await.is_none().then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_members_acts_are_its_own_in_the_audit_log_and_suspension_shuts_it_out() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let admin = member(&ada, "admin").await;
    let budget = json!({"subject_kind": "tenant", "period": "day", "amount_usd": "5"});
    admin.post("/v1/insula/budgets", budget).await.ok();
    let acts = admin
        .get("/v1/organization/audit_logs?event_types[]=budget.created")
        .await
        .ok();
    assert_eq!(
        acts["data"][0]["actor"]["session"]["user"]["id"],
        json!(id_of(&admin).await)
    );
    assert_eq!(acts["data"][0]["actor"]["session"]["ip_address"], "127.0.0.1");
    let path = format!("/v1/insula/operator/tenants/{}/suspend", ada.tenant_id());
    app.operator().await.post(&path, json!({})).await.ok();
    let refused = admin.get("/v1/files").await.refused(403);
    assert!(
        refused["message"].as_str().unwrap().contains("suspended"),
        "{refused}"
    );
    admin.get(SESSION).await.ok();
}
