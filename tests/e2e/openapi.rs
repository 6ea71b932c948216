//! The OpenAPI document. That the committed one is the router's is tested beside the router.

use insula_tests::TestApp;

#[tokio::test]
async fn the_document_that_is_served_is_the_routers() {
    let app = TestApp::without_worker().await;
    let served = app.tenant("ada").await.with_key("").get("/openapi.json").await;
    assert_eq!(
        (served.status, served.header("content-type")),
        (200, Some("application/json"))
    );
    assert!(served.bytes == insula::router::openapi_json().unwrap());
}
