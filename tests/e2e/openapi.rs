//! The OpenAPI document.

use insula_tests::{TestApp, workspace};

#[tokio::test]
async fn the_document_that_is_served_is_the_one_that_is_committed() {
    let app = TestApp::without_worker().await;
    let served = app.tenant("ada").await.with_key("").get("/openapi.json").await;
    assert_eq!(served.status, 200);
    let served = String::from_utf8(served.bytes.to_vec()).unwrap();
    assert_eq!(served, insula::router::openapi_json().unwrap());
    let path = workspace().join("openapi/openapi.json");
    let committed = std::fs::read_to_string(&path).unwrap_or_default();
    let first = served.lines().zip(committed.lines()).enumerate().find(|(_, (a, b))| a != b);
    assert!(
        served == committed,
        "openapi/openapi.json is not what the router serves (first difference: {first:?}). Run `cargo run -p insula -- \
         openapi > openapi/openapi.json` and commit it."
    );
}
