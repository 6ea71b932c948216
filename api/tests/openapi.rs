//! The committed document is the one that the router makes.

const COMMITTED: &str = include_str!("../../openapi/openapi.json");

#[test]
fn the_committed_document_is_the_routers() {
    let made = insula::router::openapi_json().unwrap();
    let difference = made
        .lines()
        .zip(COMMITTED.lines())
        .position(|(made, committed)| made != committed);
    assert!(
        made == COMMITTED,
        "openapi/openapi.json is out of date (first difference near line {}): run \
         `cargo run -p insula -- openapi > openapi/openapi.json` and commit it",
        difference.map_or(0, |line| line + 1)
    );
}
