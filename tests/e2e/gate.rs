//! Before authentication: limits per address, and keys that are wrong again and again.

use insula::config::ServeArgs;
use insula_tests::{Client, Setup, TestApp};

async fn with(serve: ServeArgs) -> TestApp {
    TestApp::with(Setup {
        worker: false,
        serve,
        ..Setup::default()
    })
    .await
}

/// Sends a request as the proxy before the server would, for a client at `address`.
async fn from(client: &Client, address: &str) -> insula_tests::Answer {
    let request = client.request(reqwest::Method::GET, "/v1/models");
    client.send(request.header("x-forwarded-for", address)).await
}

#[tokio::test]
async fn an_address_that_sends_too_much_is_told_when_to_come_back() {
    let app = with(ServeArgs {
        ip_requests_per_second: 1,
        ip_burst: 3,
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..ServeArgs::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let stranger = ada.with_key("");
    for _ in 0..3 {
        from(&stranger, "192.0.2.1").await.refused(401);
    }
    let answer = from(&ada, "192.0.2.1").await;
    let error = answer.refused(429);
    assert_eq!(error["code"], "rate_limit_exceeded");
    assert_eq!(answer.header("retry-after"), Some("1"));
    from(&ada, "192.0.2.2").await.ok();
    assert_eq!(ada.get("/health/live").await.status, 200);
}

#[tokio::test]
async fn without_a_trusted_proxy_the_header_means_nothing() {
    let app = with(ServeArgs {
        ip_requests_per_second: 1,
        ip_burst: 1,
        ..ServeArgs::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    from(&ada, "192.0.2.1").await.ok();
    from(&ada, "192.0.2.2").await.refused(429);
}

#[tokio::test]
async fn whoever_goes_on_with_a_wrong_key_waits_and_nobody_else_does() {
    let app = with(ServeArgs {
        failed_attempts: 3,
        trusted_proxies: vec!["127.0.0.0/8".parse().unwrap()],
        ..ServeArgs::default()
    })
    .await;
    let (ada, bob) = app.two_tenants().await;
    // Ada's public id with another secret; the checksum is wrong too, which makes no difference here.
    let (public, _) = ada.key().rsplit_once('_').unwrap();
    let guess = ada.with_key(&format!("{public}_{}", "x".repeat(38)));
    for _ in 0..3 {
        from(&guess, "192.0.2.1").await.refused(401);
    }
    let answer = from(&guess, "192.0.2.1").await;
    answer.refused(429);
    assert_eq!(answer.header("retry-after"), Some("1"));
    from(&ada, "192.0.2.1").await.refused(429);
    from(&bob, "192.0.2.1").await.ok();
    from(&ada, "192.0.2.2").await.ok();
}
