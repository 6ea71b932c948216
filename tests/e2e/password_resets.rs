//! `insula password-reset` and `/v1/insula/password_resets`: people who have lost their password.

use insula_tenancy::session::reset;
use insula_tests::{Client, TestApp, insula_binary};
use reqwest::Method;
use secrecy::ExposeSecret;
use serde_json::{Value, json};

const SESSION: &str = "/v1/insula/session";
const RESETS: &str = "/v1/insula/operator/people/password_resets";
const PREVIEW: &str = "/v1/insula/password_resets/preview";
const ACCEPT: &str = "/v1/insula/password_resets/accept";
const OLD: &str = "three-gulls-and-a-kettle";
const NEW: &str = "an-owl-in-the-orchestra";
const EMAIL: &str = "grace@example.com";

async fn token(operator: &Client) -> String {
    let made = operator
        .post(RESETS, json!({"email": " Grace@Example.com"}))
        .await
        .ok();
    let url = made["url"].as_str().unwrap();
    url.split_once("/reset-password#").unwrap().1.to_owned()
}

async fn accept(page: &Client, token: &str, password: &str) -> insula_tests::Answer {
    page.post(ACCEPT, json!({"token": token, "password": password}))
        .await
}

#[tokio::test]
async fn a_link_chooses_a_new_password_once_and_ends_all_sessions() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let (operator, page) = (app.operator().await, ada.page());
    let before = ada.member(EMAIL, "developer", OLD).await;
    let bystander = bob.member("henry@example.com", "viewer", OLD).await;

    let made = operator.post(RESETS, json!({"email": EMAIL})).await.ok();
    assert_eq!(
        (&made["object"], &made["email"]),
        (&json!("insula.password_reset"), &json!(EMAIL))
    );
    let url = made["url"].as_str().unwrap();
    let expected = format!("http://{}/reset-password#irt_", app.address);
    assert!(url.starts_with(&expected), "{url}");
    let token = url.split_once('#').unwrap().1;
    let preview = page.post(PREVIEW, json!({"token": token})).await.ok();
    assert_eq!(
        preview,
        json!({
            "object": "insula.password_reset_preview", "email": EMAIL, "expires_at": made["expires_at"],
        })
    );
    // What is weak is refused with a reason, and costs nothing.
    assert_eq!(
        accept(&page, token, "grace@example.com").await.refused(400)["param"],
        "password"
    );
    before.get(SESSION).await.ok();

    let accepted = accept(&page, token, NEW).await;
    assert_eq!(accepted.ok()["person"]["email"], EMAIL);
    let now = page.with_session_of(&accepted);
    assert_eq!(
        now.get(SESSION).await.ok()["tenant"]["id"],
        json!(ada.tenant_id())
    );
    before.get(SESSION).await.refused(401);
    bystander.get(SESSION).await.ok();
    for (password, status) in [(OLD, 401), (NEW, 200)] {
        let answer = page
            .post(SESSION, json!({"email": EMAIL, "password": password}))
            .await;
        assert_eq!(answer.status, status, "{answer}");
    }
    assert_eq!(
        accept(&page, token, OLD).await.refused(404)["code"],
        "password_reset_not_found"
    );

    // Who made it is on record: for the install, and for the tenant that the person is in.
    let acts = operator
        .get("/v1/organization/audit_logs?event_types[]=password_reset.created&event_types[]=password_reset.accepted")
        .await
        .ok();
    let acts = acts["data"].as_array().unwrap();
    assert_eq!(acts.len(), 4, "{acts:?}");
    let own = ada
        .get("/v1/organization/audit_logs?event_types[]=password_reset.created")
        .await
        .ok();
    let actor = &own["data"][0]["actor"];
    assert!(
        actor["api_key"]["id"].as_str().unwrap().starts_with("opk_"),
        "{own}"
    );
    assert_eq!(
        bob.get("/v1/organization/audit_logs?event_types[]=password_reset.created")
            .await
            .ok()["data"],
        json!([])
    );
    assert!(!Value::from(acts.clone()).to_string().contains(token));
    let stored: String =
        sqlx::query_scalar("select coalesce(string_agg(r::text, ''), '') from password_resets r")
            .fetch_one(app.owner())
            .await
            .unwrap();
    assert!(!stored.contains(token), "{stored}");
}

#[tokio::test]
async fn a_link_dies_with_a_newer_one_with_a_sign_in_with_a_change_and_with_time() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let (operator, page) = (app.operator().await, ada.page());
    let session = ada.member(EMAIL, "developer", OLD).await;

    let older = token(&operator).await;
    let newer = token(&operator).await;
    accept(&page, &older, NEW).await.refused(404);
    page.post(PREVIEW, json!({"token": newer})).await.ok();
    // A failed attempt is nobody's proof.
    page.post(SESSION, json!({"email": EMAIL, "password": NEW}))
        .await
        .refused(401);
    page.post(PREVIEW, json!({"token": newer})).await.ok();
    ada.sign_in(EMAIL, OLD).await;
    page.post(PREVIEW, json!({"token": newer})).await.refused(404);

    let third = token(&operator).await;
    let change = json!({"current_password": OLD, "new_password": NEW});
    session.post("/v1/insula/session/password", change).await.ok();
    accept(&page, &third, OLD).await.refused(404);

    let late = token(&operator).await;
    sqlx::query("update password_resets set expires_at = now()")
        .execute(app.owner())
        .await
        .unwrap();
    page.post(PREVIEW, json!({"token": late})).await.refused(404);
    accept(&page, &late, OLD).await.refused(404);
    ada.sign_in(EMAIL, NEW).await;
}

#[tokio::test]
async fn of_many_who_accept_at_once_one_does_and_guessing_slows_down() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let (operator, page) = (app.operator().await, ada.page());
    ada.member(EMAIL, "developer", OLD).await;
    let link = token(&operator).await;
    let passwords: Vec<String> = (0..4).map(|n| format!("{NEW}-{n}")).collect();
    let racing = passwords.iter().map(|password| accept(&page, &link, password));
    let answers = futures::future::join_all(racing).await;
    let won: Vec<usize> = (0..4).filter(|n| answers[*n].status == 200).collect();
    assert_eq!(won.len(), 1, "{answers:?}");
    ada.sign_in(EMAIL, &passwords[won[0]]).await;

    let link = token(&operator).await;
    let mut statuses = Vec::new();
    for _ in 0..8 {
        statuses.push(accept(&page, &link, "weak").await.status);
    }
    assert!(statuses.contains(&400) && statuses.contains(&429), "{statuses:?}");
}

#[tokio::test]
async fn only_whoever_runs_the_install_makes_a_link() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    ada.member(EMAIL, "developer", OLD).await;
    let owner = ada.member("admin@example.com", "admin", OLD).await;
    let body = json!({"email": EMAIL});
    for tenant in [&ada, &owner] {
        tenant.post(RESETS, body.clone()).await.refused(403);
    }
    let runner = app.runner("root@example.com").await;
    runner.post(RESETS, body).await.ok();
    let operator = app.operator().await;
    let unknown = operator
        .post(RESETS, json!({"email": "nobody@example.com"}))
        .await
        .refused(404);
    assert_eq!(unknown["param"], "email");
    assert_eq!(
        operator.post(RESETS, json!({"email": "x"})).await.refused(400)["param"],
        "email"
    );
    // Another site's page cannot use a link, and a key of another kind is none.
    let link = token(&operator).await;
    let foreign = ada.with_key("").request(Method::POST, ACCEPT);
    let foreign = foreign.json(&json!({"token": link, "password": NEW}));
    ada.send(foreign).await.refused(403);
    let page = ada.page();
    for token in ["", "irt_0123456789abcdef_x", ada.key(), operator.key()] {
        page.post(PREVIEW, json!({"token": token})).await.refused(404);
    }
}

#[tokio::test]
async fn the_command_line_makes_one_too() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    ada.member(EMAIL, "developer", OLD).await;
    let binary = insula_binary().await;
    let run = async |email: &str| {
        tokio::process::Command::new(&binary)
            .args([
                "password-reset",
                email,
                "--json",
                "--public-url",
                "https://insula.example/",
            ])
            .env("DATABASE_URL", app.database.app_url().as_str())
            .output()
            .await
            .unwrap()
    };
    let output = run(EMAIL).await;
    let made: Value = serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{output:?}"));
    let link = made["link"].as_str().unwrap();
    let token = link
        .strip_prefix("https://insula.example/reset-password#")
        .unwrap();
    accept(&ada.page(), token, NEW).await.ok();
    let acts = app
        .operator()
        .await
        .get("/v1/organization/audit_logs?event_types[]=password_reset.created")
        .await
        .ok();
    assert_eq!(acts["data"][0]["actor"]["session"]["user"]["id"], "console");
    let unknown = run("nobody@example.com").await;
    assert!(
        !unknown.status.success() && unknown.stdout.is_empty(),
        "{unknown:?}"
    );
}

#[tokio::test]
async fn whoever_is_removed_has_no_link_left() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let session = ada.member(EMAIL, "developer", OLD).await.get(SESSION).await.ok();
    let mut tx = app.services.db.operator().await.unwrap();
    let made = reset::create(&mut tx, EMAIL).await.unwrap().unwrap();
    let person = session["person"]["id"].as_str().unwrap().parse().unwrap();
    insula_tenancy::member::delete_person(&mut tx, person)
        .await
        .unwrap();
    tx.commit().await.unwrap();
    accept(&ada.page(), made.token.expose_secret(), NEW)
        .await
        .refused(404);
}
