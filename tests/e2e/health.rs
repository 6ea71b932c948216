//! Probes, and what a browser finds.

use insula_tests::{Setup, TestApp, eventually};
use serde_json::json;

#[tokio::test]
async fn probes_need_no_key_and_readiness_follows_the_database() {
    let app = TestApp::with(Setup {
        proxy: true,
        worker: false,
        ..Setup::default()
    })
    .await;
    let nobody = app.tenant("ada").await.with_key("");
    assert_eq!(
        nobody.get("/health/live").await.ok(),
        json!({"status": "ok", "checks": []})
    );
    let checks = json!([{"name": "database", "ok": true}, {"name": "embedding_model", "ok": true}]);
    assert_eq!(
        nobody.get("/health/ready").await.ok(),
        json!({"status": "ok", "checks": checks})
    );

    let proxy = app.proxy.as_ref().unwrap();
    proxy.stall(true);
    let unready = nobody.get("/health/ready").await;
    assert_eq!(
        (unready.status, &unready.json()["checks"][0]),
        (503, &json!({"name": "database", "ok": false}))
    );
    nobody.get("/health/live").await.ok();
    proxy.stall(false);
    eventually("it is ready again", async || {
        (nobody.get("/health/ready").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn a_database_that_is_away_is_a_503_with_advice_and_passes() {
    let app = TestApp::with(Setup {
        proxy: true,
        worker: false,
        connections: 2,
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    ada.get("/v1/files").await.ok();
    let proxy = app.proxy.as_ref().unwrap();
    proxy.stall(true);
    let answer = ada.get("/v1/files").await;
    answer.refused(503);
    assert!(answer.header("retry-after").is_some());
    proxy.cut();
    proxy.stall(false);
    eventually("it answers again", async || {
        (ada.get("/v1/files").await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn the_root_is_a_page_and_the_documentation_needs_no_network() {
    let app = TestApp::without_worker().await;
    let nobody = app.tenant("ada").await.with_key("");
    let root = nobody
        .send(
            nobody
                .request(reqwest::Method::GET, "/")
                .header("accept", "text/html"),
        )
        .await;
    assert_eq!(
        (root.status, root.header("content-type").map(|kind| &kind[..9])),
        (200, Some("text/html"))
    );
    let page = nobody.get("/docs/").await;
    assert_eq!(page.status, 200);
    let html = String::from_utf8_lossy(&page.bytes).into_owned();
    assert!(
        html.contains("swagger-ui") && !html.contains("https://"),
        "{html}"
    );
    assert!(
        page.header("content-security-policy")
            .unwrap()
            .contains("default-src 'none'")
    );
    for asset in ["swagger-ui.css", "swagger-ui-bundle.js"] {
        assert_eq!(nobody.get(&format!("/docs/{asset}")).await.status, 200, "{asset}");
    }
    nobody.get("/docs/../Cargo.toml").await.refused(404);
}
