//! Signing in: by invitation, by password, and through an identity provider.

use std::time::Duration;

use insula::assembly::SiteOptions;
use insula::oidc::OidcOptions;
use insula_tests::{Client, IdentityProvider, Setup, TestApp};
use openidconnect::IssuerUrl;
use reqwest::Method;
use serde_json::{Value, json};

const SESSION: &str = "/v1/insula/session";
const ACCEPT: &str = "/v1/insula/invitations/accept";
const PREVIEW: &str = "/v1/insula/invitations/preview";
const PASSWORD: &str = "three-gulls-and-a-kettle";

async fn invite(ada: &Client, email: &str) -> Value {
    let body = json!({"email": email, "role": "developer"});
    ada.post("/v1/insula/invites", body).await.ok()
}

#[tokio::test]
async fn an_invitation_is_accepted_once_with_a_password_that_is_good_enough() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let made = invite(&ada, "Grace@Example.com").await;
    let (token, page) = (made["token"].clone(), ada.page());
    let preview = page.post(PREVIEW, json!({"token": token})).await.ok();
    assert_eq!(preview["email"], "grace@example.com");
    assert_eq!(preview["tenants"], json!([{"name": "ada", "role": "developer"}]));
    assert_eq!(
        (&preview["known"], &preview["operator"]),
        (&json!(false), &json!(false))
    );
    for weak in ["short", "password1234", "grace@example.com"] {
        let refused = page
            .post(ACCEPT, json!({"token": token, "password": weak}))
            .await
            .refused(400);
        assert_eq!(refused["param"], "password", "{refused}");
    }
    let unknown = json!({"token": "iit_0123456789abcdef_nonsense"});
    assert_eq!(
        page.post(PREVIEW, unknown).await.refused(404)["code"],
        "invitation_not_found"
    );
    // It can be taken back by its tenant and nobody else.
    let other = invite(&ada, "henry@example.com").await;
    let path = format!("/v1/insula/invites/{}", other["id"].as_str().unwrap());
    bob.delete(&path).await.refused(404);
    ada.delete(&path).await.ok();
    page.post(ACCEPT, json!({"token": other["token"], "password": PASSWORD}))
        .await
        .refused(404);

    let accepted = page
        .post(
            ACCEPT,
            json!({"token": token, "name": " Grace ", "password": PASSWORD}),
        )
        .await;
    assert_eq!(accepted.ok()["person"]["name"], "Grace");
    page.post(ACCEPT, json!({"token": token, "password": PASSWORD}))
        .await
        .refused(404);
    let listed = ada.get("/v1/insula/invites").await.ok();
    assert!(listed["data"][0]["accepted_at"].is_i64() && !listed.to_string().contains("iit_"));
    let deleted = ada
        .delete(&format!("/v1/insula/invites/{}", made["id"].as_str().unwrap()))
        .await;
    assert_eq!(deleted.status, 409);
    let members = ada.get("/v1/insula/members").await.ok();
    assert_eq!(members["data"][0]["email"], "grace@example.com");
    assert_eq!(bob.get("/v1/insula/members").await.ok()["data"], json!([]));
    // Neither password nor token is anywhere in the database.
    let stored: String =
        sqlx::query_scalar("select string_agg(p::text || i::text, '') from passwords p, invites i")
            .fetch_one(app.owner())
            .await
            .unwrap();
    assert!(stored.contains("$argon2id$") && !stored.contains(PASSWORD));
    assert!(!stored.contains(token.as_str().unwrap()));
}

#[tokio::test]
async fn a_wrong_address_and_a_wrong_password_are_told_alike_and_slow_down() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    ada.member("grace@example.com", "viewer", PASSWORD).await;
    let page = ada.page();
    let attempt = async |email: &str, password: &str| {
        page.post(SESSION, json!({"email": email, "password": password}))
            .await
    };
    let wrong = attempt("grace@example.com", "wrong-wrong-wrong").await;
    let nobody = attempt("nobody@example.com", PASSWORD).await;
    assert_eq!(wrong.refused(401)["code"], "invalid_credentials");
    assert_eq!((wrong.status, &wrong.bytes), (nobody.status, &nobody.bytes));
    attempt("no address", PASSWORD).await.refused(401);
    // A success forgives.
    attempt("Grace@example.com", PASSWORD).await.ok();
    // At once, so that nothing is gained by that: five are looked at.
    let guesses = (0..20).map(|_| attempt("grace@example.com", "wrong-wrong-wrong"));
    let answers = futures::future::join_all(guesses).await;
    let looked_at = answers.iter().filter(|answer| answer.status == 401).count();
    assert_eq!(looked_at, 5);
    let refused = answers.iter().find(|answer| answer.status == 429).unwrap();
    assert!(refused.header("retry-after").is_some(), "{refused}");
    // Whoever is right now has to wait as well, and others do not.
    sqlx::query("update sign_in_attempts set attempts = 10, last_at = now() where attempts >= 5")
        .execute(app.owner())
        .await
        .unwrap();
    attempt("grace@example.com", PASSWORD).await.refused(429);
    attempt("nobody@example.com", PASSWORD).await.refused(401);
    sqlx::query("update sign_in_attempts set last_at = last_at - interval '16 minutes'")
        .execute(app.owner())
        .await
        .unwrap();
    attempt("grace@example.com", PASSWORD).await.ok();
}

#[tokio::test]
async fn sessions_end_by_themselves() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let page = ada.member("grace@example.com", "viewer", PASSWORD).await;
    for change in [
        "last_seen_at = now() - interval '8 days'",
        "expires_at = now() - interval '1 second'",
    ] {
        let page = ada.sign_in("grace@example.com", PASSWORD).await;
        page.get(SESSION).await.ok();
        let statement = format!("update sessions set {change}");
        sqlx::query(sqlx::AssertSqlSafe(statement))
            .execute(app.owner())
            .await
            .unwrap();
        page.get(SESSION).await.refused(401);
    }
    page.get(SESSION).await.refused(401);
}

/// A server whose people may come from `provider`.
async fn with_provider(provider: &IdentityProvider) -> TestApp {
    let oidc = OidcOptions {
        issuer: IssuerUrl::new(provider.issuer()).unwrap(),
        client_id: IdentityProvider::CLIENT_ID.into(),
        client_secret: Some(IdentityProvider::CLIENT_SECRET.into()),
        name: "Acme".into(),
    };
    TestApp::with(Setup {
        worker: false,
        site: SiteOptions {
            oidc: Some(oidc),
            ..SiteOptions::default()
        },
        ..Setup::default()
    })
    .await
}

/// Goes to the provider and comes back, as a browser does. Where it is led, and with which cookies.
async fn round_trip(page: &Client, provider: &IdentityProvider) -> (String, Vec<String>) {
    let leaving = page.get("/v1/insula/sign_in/oidc").await;
    assert_eq!(leaving.status, 303, "{leaving}");
    let state_cookie = leaving
        .header("set-cookie")
        .unwrap()
        .split(';')
        .next()
        .unwrap()
        .to_owned();
    let back = provider.authorize(leaving.header("location").unwrap()).await;
    come_back(page, &back, &state_cookie).await
}

async fn come_back(page: &Client, back: &str, cookie: &str) -> (String, Vec<String>) {
    let path = &back[back.find("/v1/").expect("our address")..];
    let request = page.request(Method::GET, path).header("cookie", cookie);
    let answer = page.send(request).await;
    assert_eq!(answer.status, 303, "{answer}");
    let cookies = answer.headers.get_all("set-cookie").iter();
    let cookies = cookies.map(|cookie| cookie.to_str().unwrap().split(';').next().unwrap().to_owned());
    (answer.header("location").unwrap().to_owned(), cookies.collect())
}

#[tokio::test]
async fn whom_the_identity_provider_vouches_for_is_signed_in_if_invited() {
    let provider = IdentityProvider::start().await;
    let app = with_provider(&provider).await;
    let ada = app.tenant("ada").await;
    let page = ada.page();
    let options = page.get("/v1/insula/sign_in").await.ok();
    assert_eq!(options["oidc"], json!({"name": "Acme"}));

    provider.person("sub-1", "grace@example.com", true);
    let (location, _) = round_trip(&page, &provider).await;
    assert_eq!(location, "/sign-in?error=not_invited");
    let made = invite(&ada, "grace@example.com").await;
    provider.person("sub-1", "grace@example.com", false);
    let (location, _) = round_trip(&page, &provider).await;
    assert_eq!(
        location, "/sign-in?error=not_invited",
        "an address that nobody has verified"
    );
    provider.person("sub-1", "grace@example.com", true);
    let (location, cookies) = round_trip(&page, &provider).await;
    assert_eq!(location, "/");
    let session = cookies
        .iter()
        .find(|cookie| cookie.starts_with("insula-session=ist_"))
        .unwrap();
    let request = page
        .request(Method::GET, SESSION)
        .header("cookie", session.as_str());
    let told = page.send(request).await.ok();
    assert_eq!(
        (&told["person"]["email"], &told["tenant"]["name"]),
        (&json!("grace@example.com"), &json!("ada"))
    );
    // The invitation is used up by it, and the person is known by its id there from now on.
    page.post(PREVIEW, json!({"token": made["token"]}))
        .await
        .refused(404);
    provider.person("sub-1", "grace.hopper@example.com", true);
    assert_eq!(round_trip(&page, &provider).await.0, "/");
    provider.person("sub-2", "grace.hopper@example.com", true);
    assert_eq!(round_trip(&page, &provider).await.0, "/sign-in?error=not_invited");
    // Whoever was given a known person's address since is not that person, invited or not.
    provider.person("sub-2", "grace@example.com", true);
    assert_eq!(round_trip(&page, &provider).await.0, "/sign-in?error=not_invited");
    let made = invite(&ada, "grace@example.com").await;
    assert_eq!(round_trip(&page, &provider).await.0, "/sign-in?error=not_invited");
    page.post(PREVIEW, json!({"token": made["token"]})).await.ok();
    provider.person("sub-1", "grace@example.com", true);
    assert_eq!(round_trip(&page, &provider).await.0, "/");
}

#[tokio::test]
async fn what_comes_back_from_elsewhere_or_twice_signs_nobody_in() {
    let provider = IdentityProvider::start().await;
    let app = with_provider(&provider).await;
    let ada = app.tenant("ada").await;
    invite(&ada, "grace@example.com").await;
    provider.person("sub-1", "grace@example.com", true);
    let page = ada.page();
    let leave = async || {
        let leaving = page.get("/v1/insula/sign_in/oidc").await;
        let cookie = leaving
            .header("set-cookie")
            .unwrap()
            .split(';')
            .next()
            .unwrap()
            .to_owned();
        (
            provider.authorize(leaving.header("location").unwrap()).await,
            cookie,
        )
    };
    let failed = "/sign-in?error=invalid_credentials";
    let (back, cookie) = leave().await;
    // Somebody else's browser has no cookie, or another one.
    assert_eq!(come_back(&page, &back, "insula-oidc=other").await.0, failed);
    assert_eq!(come_back(&page, &back, "a=b").await.0, failed);
    assert_eq!(come_back(&page, &back, &cookie).await.0, "/");
    assert_eq!(come_back(&page, &back, &cookie).await.0, failed, "twice");
    // A code of another sign-in, whose token was made for another nonce.
    let ((first, _), (second, cookie)) = (leave().await, leave().await);
    let code = |url: &str| {
        url.split("code=")
            .nth(1)
            .unwrap()
            .split('&')
            .next()
            .unwrap()
            .to_owned()
    };
    let mixed = second.replace(&code(&second), &code(&first));
    assert_eq!(come_back(&page, &mixed, &cookie).await.0, failed);
    // The provider refused.
    let (back, cookie) = leave().await;
    let refused = back.replace("code=", "error=access_denied&no=");
    assert_eq!(come_back(&page, &refused, &cookie).await.0, failed);
    // A provider that is away is an answer, not a wait.
    drop(provider);
    let app = with_provider(&IdentityProvider::gone()).await;
    let page = app.tenant("bob").await.page();
    let answer = tokio::time::timeout(Duration::from_secs(10), page.get("/v1/insula/sign_in/oidc")).await;
    assert_eq!(answer.expect("an answer").status, 502);
}

#[tokio::test]
async fn who_sees_an_invitations_token_does_not_get_into_somebodys_account() {
    let provider = IdentityProvider::start().await;
    let app = with_provider(&provider).await;
    let (ada, bob) = app.two_tenants().await;
    let page = ada.page();
    provider.person("sub-1", "grace@example.com", true);
    invite(&ada, "grace@example.com").await;
    assert_eq!(round_trip(&page, &provider).await.0, "/");
    // She has no password here. Bob, who invites her, knows the token and chooses none for her.
    let token = invite(&bob, "grace@example.com").await["token"].clone();
    let preview = page.post(PREVIEW, json!({"token": token})).await.ok();
    assert_eq!(preview["known"], true);
    let refused = page
        .post(ACCEPT, json!({"token": token, "password": PASSWORD}))
        .await;
    assert_eq!(refused.refused(401)["code"], "invalid_credentials");
    let sign_in = json!({"email": "grace@example.com", "password": PASSWORD});
    page.post(SESSION, sign_in).await.refused(401);
    // She accepts it by coming from where she is known.
    assert_eq!(round_trip(&page, &provider).await.0, "/");
    page.post(PREVIEW, json!({"token": token})).await.refused(404);

    // Bob was first: he has made her account by her invitation. It is hers once she comes herself.
    provider.person("sub-2", "hedy@example.com", true);
    let bobs = bob.member("hedy@example.com", "viewer", PASSWORD).await;
    bobs.get(SESSION).await.ok();
    invite(&ada, "hedy@example.com").await;
    assert_eq!(round_trip(&page, &provider).await.0, "/");
    bobs.get(SESSION).await.refused(401);
    let sign_in = json!({"email": "hedy@example.com", "password": PASSWORD});
    page.post(SESSION, sign_in).await.refused(401);
}
