//! What is metered, and that it is metered once, whatever becomes of the call.

use std::time::Duration;

use insula_tests::{Client, FakeProvider, Setup, TestApp, assert_invariants, eventually};
use serde_json::{Value, json};
use sqlx::Row;

/// Dollars per million tokens: a token read costs 1,000 nano-dollars, a token written 2,000.
const PRICE: &str = "price = [{ from = 2020-01-01, input = \"1\", output = \"2\" }]";

pub(crate) async fn priced(models: &[&str]) -> (FakeProvider, TestApp) {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let timeouts = "timeouts = { first_token = 1.5, between_chunks = 1.5, total = 5 }";
    let routes = provider.routes(models, timeouts).replace(
        "upstream_model =",
        &format!("{PRICE}\nretries = 0\nupstream_model ="),
    );
    let app = TestApp::with(Setup {
        routes: Some(routes),
        ..Setup::default()
    })
    .await;
    (provider, app)
}

pub(crate) fn ask(model: &str) -> Value {
    json!({"model": format!("fake/{model}"), "messages": [{"role": "user", "content": "Hello?"}]})
}

pub(crate) fn ask_streamed(model: &str) -> Value {
    let mut body = ask(model);
    body["stream"] = json!(true);
    body
}

/// An event as a test looks at it.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Event {
    pub(crate) outcome: String,
    pub(crate) error: Option<String>,
    pub(crate) input: i64,
    pub(crate) output: i64,
    pub(crate) cost: i64,
    pub(crate) estimated: bool,
    pub(crate) end_user: Option<String>,
}

/// The events of a tenant, oldest first, once everything is recorded.
pub(crate) async fn events(app: &TestApp, of: &Client) -> Vec<Event> {
    assert!(app.services.meter.settled(Duration::from_secs(10)).await);
    let rows = sqlx::query(
        "select outcome, error, input_tokens, output_tokens, cost, estimated, end_user
         from usage_events where tenant_id = $1 order by started_at, id",
    )
    .bind(of.tenant_id())
    .fetch_all(app.owner())
    .await
    .unwrap();
    let event = |row: sqlx::postgres::PgRow| Event {
        outcome: row.get(0),
        error: row.get(1),
        input: row.get(2),
        output: row.get(3),
        cost: row.get(4),
        estimated: row.get(5),
        end_user: row.get(6),
    };
    rows.into_iter().map(event).collect()
}

/// The events, once there are `count`.
pub(crate) async fn events_once(app: &TestApp, of: &Client, count: usize) -> Vec<Event> {
    eventually("the events are recorded", async || {
        let found = events(app, of).await;
        (found.len() >= count).then_some(found)
    })
    .await
}

#[tokio::test]
async fn an_answer_is_one_event_with_the_providers_figures() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    let mut body = ask("ok");
    body["user"] = json!("end-user-1");
    let answer = ada.post("/v1/chat/completions", body).await;
    let usage = answer.ok()["usage"].clone();
    let (read, written) = (
        usage["prompt_tokens"].as_i64().unwrap(),
        usage["completion_tokens"].as_i64().unwrap(),
    );
    let events = events(&app, &ada).await;
    let expected = Event {
        outcome: "completed".into(),
        error: None,
        input: read,
        output: written,
        cost: read * 1_000 + written * 2_000,
        estimated: false,
        end_user: Some("end-user-1".into()),
    };
    assert_eq!(events, [expected]);
    assert!(self::events(&app, &bob).await.is_empty());

    let id: String = sqlx::query_scalar("select 'req_' || replace(id::text, '-', '') from usage_events")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(
        answer.header("x-request-id"),
        Some(id.as_str()),
        "the request leads to its event"
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_stream_is_one_event_however_it_ends() {
    let (provider, app) = priced(&["ok", "cut", "garbage", "error-500", "no-usage"]).await;
    let (ada, _) = app.two_tenants().await;
    let path = "/v1/chat/completions";

    ada.stream(path, ask_streamed("ok")).await.rest().await;
    ada.stream(path, ask_streamed("cut")).await.rest().await;
    ada.post(path, ask_streamed("error-500")).await.refused(502);
    ada.stream(path, ask_streamed("no-usage")).await.rest().await;
    let events = events_once(&app, &ada, 4).await;
    let (whole, cut, refused, counted) = (&events[0], &events[1], &events[2], &events[3]);
    assert_eq!((whole.outcome.as_str(), whole.estimated), ("completed", false));
    assert!(whole.cost > 0);
    assert_eq!((cut.outcome.as_str(), cut.estimated), ("failed", true));
    assert!(
        cut.output > 0 && cut.cost >= cut.output * 2_000,
        "what was produced is charged: {cut:?}"
    );
    assert_eq!(
        (refused.outcome.as_str(), refused.error.as_deref(), refused.cost),
        ("failed", Some("upstream_500"), 0)
    );
    assert_eq!((counted.outcome.as_str(), counted.estimated), ("completed", true));
    assert!(counted.input > 0 && counted.output > 0, "{counted:?}");
    assert_eq!(events.len(), 4);
    assert_invariants(app.owner()).await;
    drop(provider);
}

#[tokio::test]
async fn a_caller_that_leaves_pays_for_what_was_produced() {
    let (provider, app) = priced(&["slow"]).await;
    let (ada, _) = app.two_tenants().await;
    let mut stream = ada.stream("/v1/chat/completions", ask_streamed("slow")).await;
    // The role, and a piece.
    stream.next().await.unwrap();
    stream.next().await.unwrap();
    drop(stream);
    let events = events_once(&app, &ada, 1).await;
    assert_eq!(events[0].outcome, "cancelled");
    assert!(events[0].output > 0 && events[0].estimated, "{events:?}");
    eventually("the provider is told", async || {
        (provider.count("slow").await.aborted == 1).then_some(())
    })
    .await;
    assert_invariants(app.owner()).await;
}

/// Unix seconds.
fn unix_now() -> u64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    since.unwrap().as_secs()
}

#[tokio::test]
async fn embeddings_and_searches_are_metered() {
    let app = TestApp::start().await;
    let (ada, _) = app.two_tenants().await;
    let body = json!({"model": "all-MiniLM-L6-v2", "input": ["one", "two words"], "user": "u"});
    let usage = ada.post("/v1/embeddings", body).await.ok()["usage"]["prompt_tokens"].as_i64();
    let events = events_once(&app, &ada, 1).await;
    assert_eq!((events[0].input, events[0].output), (usage.unwrap(), 0));
    assert_eq!(events[0].end_user.as_deref(), Some("u"));

    let (store, _) = ada.library(&[("a.txt", "The keeper lives on the island.")]).await;
    let path = format!("/v1/vector_stores/{store}/search");
    for _ in 0..2 {
        ada.post(&path, json!({"query": "Where does the keeper live?"}))
            .await
            .ok();
    }
    ada.post("/v1/vector_stores/vs_nope/search", json!({"query": "x"}))
        .await
        .refused(404);
    let events = events_once(&app, &ada, 4).await;
    assert!(events[1].input > 5, "the document: {events:?}");
    assert!(events[2].input > 5, "{events:?}");
    assert_eq!(events[3].input, 0, "what was embedded before costs nothing");

    let now = unix_now();
    let sums = ada
        .get(&format!("/v1/insula/usage?start_time=0&end_time={now}"))
        .await;
    assert_eq!(sums.refused(400)["param"], "start_time", "at most 400 days");
    let since = now - 3600;
    let sums = ada
        .get(&format!(
            "/v1/insula/usage?start_time={since}&group_by[]=endpoint"
        ))
        .await
        .ok();
    let of = |endpoint: &str| {
        let sum = sums["data"]
            .as_array()
            .unwrap()
            .iter()
            .find(|sum| sum["endpoint"] == endpoint);
        sum.map(|sum| sum["requests"].as_i64().unwrap())
    };
    assert_eq!((of("embeddings"), of("vector_stores.search")), (Some(1), Some(2)));
    let listed = ada.get("/v1/insula/usage/events?limit=2").await.ok();
    assert_eq!(
        (listed["data"].as_array().unwrap().len(), &listed["has_more"]),
        (2, &json!(true))
    );
    assert_invariants(app.owner()).await;
}
