//! Whatever goes wrong speaks the error shape and has a request id.

use insula_tests::TestApp;
use reqwest::Method;
use serde_json::{Value, json};

#[tokio::test]
async fn unknown_routes_and_methods() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for path in [
        "/v1",
        "/v1/",
        "/v1/nothing",
        "/v2/models",
        "/v1/files/",
        "/v1/vector_stores//files",
        "/%00",
        "/v1/%FF",
    ] {
        let error = ada.get(path).await.refused(404);
        assert!(
            ["unknown_url", "null"].contains(&error["code"].as_str().unwrap_or("null")),
            "{path}: {error}"
        );
    }
    for (method, path) in [
        (Method::PUT, "/v1/files"),
        (Method::PATCH, "/v1/vector_stores"),
        (Method::DELETE, "/v1/vector_stores"),
        (Method::GET, "/v1/embeddings"),
        (Method::GET, "/v1/chat/completions"),
    ] {
        let answer = ada.send(ada.request(method.clone(), path)).await;
        answer.refused(405);
        assert!(answer.header("allow").is_some(), "{method} {path}");
    }
    // For a stranger these are the same as for anybody.
    app.client(ada.tenant_id(), "")
        .get("/v1/nothing")
        .await
        .refused(404);
}

#[tokio::test]
async fn bodies_that_are_no_request() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let nested = format!("{}1{}", "[".repeat(200_000), "]".repeat(200_000));
    for (content_type, body, status) in [
        ("application/json", "", 400),
        ("application/json", "{", 400),
        ("application/json", "[]", 400),
        ("application/json", "null", 400),
        ("application/json", "\"text\"", 400),
        ("application/json", "{\"name\": NaN}", 400),
        ("application/json", "{\"name\": 1e999}", 400),
        ("application/json", "{\"name\": \"\\ud800\"}", 400),
        ("application/json", "{} trailing", 400),
        ("application/json", nested.as_str(), 400),
        ("application/json; charset=utf-8", "{", 400),
        ("text/plain", "{}", 400),
        ("application/x-www-form-urlencoded", "name=x", 400),
        ("", "{}", 400),
    ] {
        let answer = ada
            .post_bytes("/v1/vector_stores", content_type, body.to_owned())
            .await;
        let shown: String = body.chars().take(30).collect();
        assert_eq!(answer.status, status, "{content_type} {shown:?}: {answer}");
        answer.error();
    }
    let invalid_utf8 = ada
        .post_bytes(
            "/v1/vector_stores",
            "application/json",
            &b"{\"name\": \"\xff\"}"[..],
        )
        .await;
    invalid_utf8.refused(400);
    assert_eq!(
        ada.get("/v1/vector_stores").await.ok()["data"],
        json!([]),
        "something was made of it"
    );
    ada.post_bytes("/v1/vector_stores", "application/json; charset=utf-8", "{}")
        .await
        .ok();
}

#[tokio::test]
async fn bodies_that_are_too_large() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let large = |bytes: usize| format!("{{\"name\": \"{}\"}}", "x".repeat(bytes));
    ada.post_bytes("/v1/vector_stores", "application/json", large(3 * 1024 * 1024))
        .await
        .refused(413);
    let many = large(20 * 1024 * 1024);
    ada.post_bytes("/v1/embeddings", "application/json", many)
        .await
        .refused(413);
}

#[tokio::test]
async fn deep_and_hostile_documents_as_bodies() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for name in [
        "bignum.json",
        "deep.json",
        "dup_keys.json",
        "lone_surrogate.json",
        "nul_escape.json",
    ] {
        let Some(path) = insula_tests::shared_data(&format!("hostile/{name}")) else {
            return;
        };
        let body = std::fs::read(path).unwrap();
        for route in [
            "/v1/vector_stores",
            "/v1/chat/completions",
            "/v1/embeddings",
            "/v1/insula/assistants",
        ] {
            let answer = ada.post_bytes(route, "application/json", body.clone()).await;
            assert!(answer.status < 500, "{name} to {route}: {answer}");
            if answer.status != 200 {
                answer.error();
            }
        }
    }
}

#[tokio::test]
async fn ids_that_are_none() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let long = "x".repeat(9_000);
    let real = ada.upload("a.txt", "x").await;
    let other_kind = real.replace("file-", "vs_");
    for id in [
        "x",
        "..%2F..%2Fetc",
        "%00",
        "%0d%0aSet-Cookie:%20a",
        "🦀",
        &long,
        &other_kind,
        &real.to_uppercase(),
    ] {
        for path in [
            format!("/v1/files/{id}"),
            format!("/v1/files/{id}/content"),
            format!("/v1/vector_stores/{id}/files"),
        ] {
            let answer = ada.get(&path).await;
            assert_eq!(answer.status, 404, "{answer}");
            let message = answer.error()["message"].as_str().unwrap().to_owned();
            assert!(
                message.len() < 300 && !message.contains(['\0', '\r', '\n']),
                "{message:?}"
            );
        }
    }
}

#[tokio::test]
async fn every_text_field_takes_hostile_text_as_text() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for text in [
        "'; drop table files; --",
        "{{7*7}}",
        "${jndi:ldap://x}",
        "<script>alert(1)</script>",
        "=cmd|'/c'!A1",
        "\u{202e}abc",
        "👩‍👩‍👧‍👦",
    ] {
        let store = ada
            .post(
                "/v1/vector_stores",
                json!({"name": text, "metadata": {"k": text}}),
            )
            .await
            .ok();
        assert_eq!(
            (&store["name"], &store["metadata"]["k"]),
            (&json!(text), &json!(text))
        );
    }
    // What Postgres cannot store is the caller's mistake, not ours.
    for body in [
        json!({"name": "a\u{0}b"}),
        json!({"metadata": {"k": "a\u{0}b"}}),
        json!({"metadata": {"a\u{0}b": "v"}}),
        json!({"description": "\u{0}"}),
    ] {
        ada.post("/v1/vector_stores", body).await.refused(400);
    }
}

#[tokio::test]
async fn keys_are_checked_before_bodies_and_never_repeated() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    let mut bodies: Vec<Value> = Vec::new();
    for key in [
        "isk_wrong",
        "sk-openai-secret",
        &ada.key().to_lowercase(),
        &format!("{}x", ada.key()),
    ] {
        let answer = ada
            .with_key(key)
            .post_bytes("/v1/vector_stores", "application/json", "{ not json")
            .await;
        let error = answer.refused(401);
        assert_eq!(
            (&error["code"], &error["type"]),
            (&json!("invalid_api_key"), &json!("invalid_request_error"))
        );
        assert!(!error.to_string().contains(key));
        bodies.push(answer.json());
    }
    assert!(
        bodies.iter().all(|body| *body == bodies[0]),
        "the caller can tell why: {bodies:?}"
    );
    let request = || ada.with_key("").request(Method::GET, "/v1/files");
    for value in ["Basic c2VjcmV0", "Bearer", "Bearer ", ada.key()] {
        ada.send(request().header("authorization", value))
            .await
            .refused(401);
    }
    ada.send(request().header("authorization", format!("bEaReR {}", ada.key())))
        .await
        .ok();
    let twice = request()
        .bearer_auth(ada.key())
        .header("authorization", format!("Bearer {}", ada.key()));
    ada.send(twice).await.refused(400);
}

#[tokio::test]
async fn no_header_chooses_the_tenant() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let file = ada.upload("a.txt", "x").await;
    let request = bob
        .request(Method::GET, &format!("/v1/files/{file}"))
        .header("openai-organization", ada.tenant_id().to_string())
        .header("openai-project", ada.tenant_id().to_string())
        .header("x-tenant-id", ada.tenant_id().to_string())
        .header("x-forwarded-for", "127.0.0.1")
        .header("openai-beta", "assistants=v2");
    bob.send(request).await.refused(404);
    bob.get(&format!(
        "/v1/files/{file}?tenant_id={}&project={}",
        ada.tenant_id(),
        ada.tenant_id()
    ))
    .await
    .refused(404);
}

#[tokio::test]
async fn requests_that_are_not_http_are_refused_without_harm() {
    let app = TestApp::without_worker().await;
    let ada = app.tenant("ada").await;
    for bytes in [
        "GET / HTTP/9.9\r\n\r\n",
        "\0\0\0\0\r\n\r\n",
        "GET /v1/files HTTP/1.1\r\nhost: a\r\nhost\r\n\r\n",
    ] {
        let mut connection = ada.raw().await;
        connection.write(bytes).await;
        let answer = connection.read_to_end().await;
        assert!(
            answer.is_empty() || answer.starts_with("HTTP/1.1 4"),
            "{bytes:?}: {answer}"
        );
    }
    let mut connection = ada.raw().await;
    let key = ada.key();
    let head = format!("POST /v1/vector_stores HTTP/1.1\r\nhost: a\r\nauthorization: Bearer {key}\r\n");
    connection
        .write(format!(
            "{head}content-type: application/json\r\nexpect: 100-continue\r\ntransfer-encoding: chunked\r\n\
             connection: close\r\n\r\n2\r\n{{}}\r\n0\r\n\r\n"
        ))
        .await;
    let answer = connection.read_to_end().await;
    assert!(
        answer.contains("200 OK") && answer.contains("\"vector_store\""),
        "{answer}"
    );
}
