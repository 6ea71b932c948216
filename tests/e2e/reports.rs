//! `/v1/organization/usage/…` and `…/costs`: what they say is what the ledger says, to the token and the nano-dollar.

use std::collections::BTreeMap;
use std::time::Duration;

use insula_tests::{Client, TestApp, eventually};
use serde_json::{Value, json};
use sqlx::{AssertSqlSafe, Row};

use crate::ledger::{ask, ask_streamed, priced};

const USAGE: &str = "/v1/organization/usage";
const COSTS: &str = "/v1/organization/costs";

/// Calls, tokens read, from the cache, and written.
type Figures = [i64; 4];
/// By bucket, project, key and model, as in `1700000000|proj_…||gpt`.
type Told = BTreeMap<String, Figures>;

/// Random calls of the last three days, with the hourly sums that go with them.
async fn history(app: &TestApp, of: &Client) {
    let key: uuid::Uuid = sqlx::query_scalar("select id from api_keys where tenant_id = $1 limit 1")
        .bind(of.tenant_id())
        .fetch_one(app.owner())
        .await
        .unwrap();
    sqlx::query(
        "insert into usage_events
           (tenant_id, id, started_at, key_id, endpoint, model, outcome, input_tokens, cached_tokens, output_tokens,
            reasoning_tokens, cost, latency_us, attempts, streamed, cache_hit, estimated)
         select $1, gen_random_uuid(), now() - random() * interval '72 hours', case when random() < 0.8 then $2 end,
                (array['chat.completions', 'completions', 'embeddings', 'vector_stores.search',
                       'vector_stores.ingestion'])[1 + floor(random() * 5)::int],
                (array['a', 'b/c', 'ü, x'])[1 + floor(random() * 3)::int],
                (array['completed', 'failed', 'cancelled'])[1 + floor(random() * 3)::int],
                (random() * 5000)::bigint, (random() * 100)::bigint, (random() * 900)::bigint, 0,
                (random() * 1e12)::bigint, 1, 1, false, false, false
         from generate_series(1, 500)",
    )
    .bind(of.tenant_id())
    .bind(key)
    .execute(app.owner())
    .await
    .unwrap();
    sqlx::query(
        "insert into usage_hours
         select tenant_id, date_trunc('hour', started_at, 'UTC'), endpoint, model,
                coalesce(key_id, '00000000-0000-0000-0000-000000000000'), count(*),
                count(*) filter (where outcome = 'failed'), 0, sum(input_tokens), sum(cached_tokens), sum(output_tokens),
                0, sum(cost), sum(latency_us)
         from usage_events where tenant_id = $1 group by 1, 2, 3, 4, 5",
    )
    .bind(of.tenant_id())
    .execute(app.owner())
    .await
    .unwrap();
}

/// All pages of a report.
async fn buckets(client: &Client, path: &str) -> Vec<Value> {
    let mut all: Vec<Value> = Vec::new();
    let mut cursor = String::new();
    loop {
        let page = client.get(&format!("{path}{cursor}")).await.ok();
        assert_eq!(page["object"], "page");
        all.extend(page["data"].as_array().unwrap().iter().cloned());
        match page["next_page"].as_str() {
            Some(next) => cursor = format!("&page={next}"),
            None => break,
        }
        assert_eq!(page["has_more"], true);
    }
    for pair in all.windows(2) {
        assert_eq!(
            pair[0]["end_time"], pair[1]["start_time"],
            "no bucket is missing or told twice"
        );
    }
    all
}

fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

async fn told(client: &Client, path: &str) -> Told {
    let mut told = Told::new();
    for bucket in buckets(client, path).await {
        for result in bucket["results"].as_array().unwrap() {
            let key = format!(
                "{}|{}|{}|{}",
                bucket["start_time"],
                text(&result["project_id"]),
                text(&result["api_key_id"]),
                text(&result["model"])
            );
            let number = |name: &str| result[name].as_i64().unwrap_or(0);
            let figures = [
                number("num_model_requests") + number("num_requests"),
                number("input_tokens"),
                number("input_cached_tokens"),
                number("output_tokens"),
            ];
            assert_eq!(told.insert(key, figures), None, "told twice");
        }
    }
    told
}

/// What a direct sum of the events says.
async fn summed(app: &TestApp, width: i64, groups: &[&str], condition: &str) -> Told {
    let column = |name: &str, expression: &str| {
        if groups.contains(&name) {
            format!("coalesce({expression}, '')")
        } else {
            "''".to_owned()
        }
    };
    let statement = format!(
        "select floor(extract(epoch from started_at) / {width})::bigint * {width} || '|' || {} || '|' || {} || '|' || {},
                count(*), sum(input_tokens)::bigint, sum(cached_tokens)::bigint, sum(output_tokens)::bigint
         from usage_events where {condition} group by 1",
        column("project_id", "'proj_' || replace(tenant_id::text, '-', '')"),
        column("api_key_id", "'key_' || replace(key_id::text, '-', '')"),
        column("model", "model"),
    );
    let rows = sqlx::query(AssertSqlSafe(statement))
        .fetch_all(app.owner())
        .await
        .unwrap();
    let row = |row: &sqlx::postgres::PgRow| (row.get(0), [row.get(1), row.get(2), row.get(3), row.get(4)]);
    rows.iter().map(row).collect()
}

fn now() -> i64 {
    let since = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    i64::try_from(since.unwrap().as_secs()).unwrap()
}

const WRITTEN: &str = "endpoint in ('chat.completions', 'completions')";
const READ: &str = "endpoint in ('embeddings', 'vector_stores.search', 'vector_stores.ingestion')";

#[tokio::test]
async fn reports_equal_the_ledger_to_the_token() {
    let (_provider, app) = priced(&["ok", "slow"]).await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    for client in [&ada, &bob] {
        history(&app, client).await;
        client.post("/v1/chat/completions", ask("ok")).await.ok();
        client
            .stream("/v1/chat/completions", ask_streamed("ok"))
            .await
            .rest()
            .await;
        let body = json!({"model": "all-MiniLM-L6-v2", "input": ["one", "two words"]});
        client.post("/v1/embeddings", body).await.ok();
    }
    drop(ada.stream("/v1/chat/completions", ask_streamed("slow")).await);
    eventually("what was left is recorded", async || {
        let left: i64 =
            sqlx::query_scalar("select count(*) from usage_events where outcome = 'cancelled' and streamed")
                .fetch_one(app.owner())
                .await
                .unwrap();
        (left > 0).then_some(())
    })
    .await;
    assert!(app.services.meter.settled(Duration::from_secs(10)).await);

    let since = now() - 80 * 3600;
    let groupings: [&[&str]; 5] = [
        &[],
        &["project_id"],
        &["model", "api_key_id"],
        &["project_id", "model", "api_key_id"],
        &["api_key_id"],
    ];
    let adas = format!("tenant_id = '{}'", ada.tenant_id().uuid());
    for (name, width, limit) in [("1d", 86_400, 3), ("1h", 3_600, 30), ("1m", 60, 1_440)] {
        for groups in groupings {
            let query: String = groups
                .iter()
                .map(|group| format!("&group_by[]={group}"))
                .collect();
            for (report, condition) in [("completions", WRITTEN), ("embeddings", READ)] {
                let path =
                    format!("{USAGE}/{report}?start_time={since}&bucket_width={name}&limit={limit}{query}");
                let mut all = summed(&app, width, groups, condition).await;
                let mut own = summed(&app, width, groups, &format!("{condition} and {adas}")).await;
                if report == "embeddings" {
                    // They write nothing, and nothing of theirs is cached, as far as anybody wants to know.
                    for figures in all.values_mut().chain(own.values_mut()) {
                        (figures[2], figures[3]) = (0, 0);
                    }
                }
                assert!(!own.is_empty() && all != own);
                assert_eq!(told(&operator, &path).await, all, "{path}");
                assert_eq!(told(&ada, &path).await, own, "{path}");
                let filtered = format!("{path}&project_ids[]={}", ada.tenant_id());
                assert_eq!(told(&operator, &filtered).await, own, "{filtered}");
            }
        }
        let path = format!("{USAGE}/file_search_calls?start_time={since}&bucket_width={name}&limit={limit}");
        let mut searches = summed(&app, width, &[], "endpoint = 'vector_stores.search'").await;
        for figures in searches.values_mut() {
            *figures = [figures[0], 0, 0, 0];
        }
        assert_eq!(told(&operator, &path).await, searches, "{path}");
    }
    // Filters by model and by key.
    let path =
        format!("{USAGE}/completions?start_time={since}&models[]=b%2Fc&models[]=fake%2Fok&group_by[]=model");
    let condition = format!("{WRITTEN} and model in ('b/c', 'fake/ok')");
    assert_eq!(
        told(&operator, &path).await,
        summed(&app, 86_400, &["model"], &condition).await
    );
    let key: uuid::Uuid = sqlx::query_scalar("select id from api_keys where tenant_id = $1")
        .bind(bob.tenant_id())
        .fetch_one(app.owner())
        .await
        .unwrap();
    let path = format!(
        "{USAGE}/completions?start_time={since}&api_key_ids[]=key_{}",
        key.simple()
    );
    let condition = format!("{WRITTEN} and key_id = '{key}'");
    assert_eq!(
        told(&operator, &path).await,
        summed(&app, 86_400, &[], &condition).await
    );
    assert!(
        told(&ada, &path).await.is_empty(),
        "another tenant's key is nobody's"
    );
}

/// What costs say, by bucket, project, key and line item, in nano-dollars.
async fn charged(client: &Client, path: &str) -> BTreeMap<String, i64> {
    let mut charged = BTreeMap::new();
    for bucket in buckets(client, path).await {
        for result in bucket["results"].as_array().unwrap() {
            let amount = &result["amount"];
            assert_eq!(
                (&result["object"], &amount["currency"]),
                (&json!("organization.costs.result"), &json!("usd"))
            );
            let exact: insula_tenancy::Money = amount["exact"].as_str().unwrap().parse().unwrap();
            let key = format!(
                "{}|{}|{}|{}",
                bucket["start_time"],
                text(&result["project_id"]),
                text(&result["api_key_id"]),
                text(&result["line_item"])
            );
            assert_eq!(charged.insert(key, exact.nanos()), None);
        }
    }
    charged
}

#[tokio::test]
async fn costs_equal_the_ledger_to_the_nano_dollar() {
    let (_provider, app) = priced(&["ok"]).await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    for client in [&ada, &bob] {
        history(&app, client).await;
        client.post("/v1/chat/completions", ask("ok")).await.ok();
    }
    assert!(app.services.meter.settled(Duration::from_secs(10)).await);
    let since = now() - 80 * 3600;
    let groupings: [&[&str]; 4] = [
        &[],
        &["project_id"],
        &["line_item"],
        &["project_id", "line_item", "api_key_id"],
    ];
    for groups in groupings {
        let column = |name: &str, expression: &str| match groups.contains(&name) {
            true => format!("coalesce({expression}, '')"),
            false => "''".to_owned(),
        };
        let query: String = groups
            .iter()
            .map(|group| format!("&group_by[]={group}"))
            .collect();
        for (name, width) in [("1d", 86_400), ("1h", 3_600)] {
            let path = format!("{COSTS}?start_time={since}&bucket_width={name}&limit=2{query}");
            let sum = async |condition: &str| {
                let statement = format!(
                    "select floor(extract(epoch from started_at) / {width})::bigint * {width} || '|' || {} || '|' || {}
                              || '|' || {}, sum(cost)::bigint
                     from usage_events where {condition} group by 1",
                    column("project_id", "'proj_' || replace(tenant_id::text, '-', '')"),
                    column("api_key_id", "'key_' || replace(key_id::text, '-', '')"),
                    column("line_item", "model || ', ' || endpoint"),
                );
                let rows: Vec<(String, i64)> = sqlx::query_as(AssertSqlSafe(statement))
                    .fetch_all(app.owner())
                    .await
                    .unwrap();
                BTreeMap::from_iter(rows)
            };
            assert_eq!(charged(&operator, &path).await, sum("true").await, "{path}");
            let own = sum(&format!("tenant_id = '{}'", bob.tenant_id().uuid())).await;
            assert_eq!(charged(&bob, &path).await, own, "{path}");
        }
    }
    // One line item, with its name spelled out.
    let path = format!(
        "{COSTS}?start_time={since}&limit=7&group_by[]=line_item&line_items[]=fake%2Fok,%20chat.completions"
    );
    let charged = charged(&ada, &path).await;
    assert_eq!(charged.len(), 1);
    // The number itself has all digits, too.
    let raw = operator.get(&format!("{COSTS}?start_time={since}&limit=7")).await;
    let page = raw.ok();
    // The first day may have nothing: it begins before the history does.
    let days = page["data"].as_array().unwrap();
    let day = days.iter().find(|day| day["results"] != json!([])).unwrap();
    let exact = day["results"][0]["amount"]["exact"].clone();
    let raw = String::from_utf8_lossy(&raw.bytes).into_owned();
    assert!(raw.contains(&format!(r#""value":{},"#, text(&exact))), "{raw}");
}

#[tokio::test]
async fn another_project_is_told_of_like_one_that_never_was() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    for client in [&ada, &bob] {
        history(&app, client).await;
        client.upload("a.txt", "text").await;
    }
    let (since, nobody) = (now() - 80 * 3600, insula_tenancy::TenantId::generate());
    for report in [
        "usage/completions",
        "usage/embeddings",
        "usage/vector_stores",
        "costs",
    ] {
        let path = format!("/v1/organization/{report}?start_time={since}&end_time={}", now());
        let of = async |project: &str| ada.get(&format!("{path}&project_ids[]={project}")).await;
        let foreign = of(&bob.tenant_id().to_string()).await;
        let unknown = of(&nobody.to_string()).await;
        let malformed = of("proj_x").await;
        assert_eq!(
            (foreign.status, &foreign.bytes),
            (200, &unknown.bytes),
            "{report}"
        );
        assert_eq!(foreign.bytes, malformed.bytes, "{report}");
        assert!(
            foreign.ok()["data"]
                .as_array()
                .unwrap()
                .iter()
                .all(|bucket| bucket["results"] == json!([]))
        );
    }
}

#[tokio::test]
async fn minutes_whose_calls_are_gone_are_refused_and_hours_are_still_right() {
    let app = TestApp::without_worker().await;
    let (ada, bob) = app.two_tenants().await;
    let operator = app.operator().await;
    for client in [&ada, &bob] {
        history(&app, client).await;
    }
    let since = now() - 60 * 3600;
    let hours = format!("{USAGE}/completions?start_time={since}&bucket_width=1h&limit=168");
    let before = told(&ada, &hours).await;
    // As the sweep does.
    sqlx::query("delete from usage_events where tenant_id = $1 and started_at < now() - interval '24 hours'")
        .bind(ada.tenant_id())
        .execute(app.owner())
        .await
        .unwrap();
    assert_eq!(told(&ada, &hours).await, before);
    let minutes = |from: i64| format!("{USAGE}/completions?start_time={from}&bucket_width=1m&limit=1440");
    for client in [&ada, &operator] {
        let error = client.get(&minutes(since)).await.refused(400);
        assert_eq!(error["param"], "start_time");
    }
    let bobs = format!("{}&project_ids[]={}", minutes(since), bob.tenant_id());
    assert_eq!(operator.get(&bobs).await.status, 200, "of another, all is there");
    assert_eq!(bob.get(&minutes(since)).await.status, 200);
    let late = now() - 20 * 3600;
    assert_eq!(ada.get(&minutes(late)).await.status, 200, "of late, too");
}

#[tokio::test]
async fn what_is_asked_wrongly_is_said_and_the_rest_is_in_openais_shape() {
    let app = TestApp::start().await;
    let ada = app.tenant("ada").await;
    let operator = app.operator().await;
    for (query, param) in [
        ("", "start_time"),
        ("start_time=soon", "start_time"),
        ("start_time=100&end_time=100", "end_time"),
        ("start_time=1&bucket_width=1w", "bucket_width"),
        ("start_time=1&group_by[]=colour", "group_by"),
        ("start_time=1&limit=32", "limit"),
        ("start_time=1&bucket_width=1m&limit=1441", "limit"),
        ("start_time=1&page=page_7", "page"),
    ] {
        for client in [&ada, &operator] {
            let error = client
                .get(&format!("{USAGE}/completions?{query}"))
                .await
                .refused(400);
            assert_eq!(error["param"], param, "{query}");
        }
    }
    for path in [
        format!("{COSTS}?start_time=1&bucket_width=1m"),
        format!("{USAGE}/embeddings?start_time=1&group_by[]=batch"),
        format!("{USAGE}/file_search_calls?start_time=1&vector_store_ids[]=vs_1"),
    ] {
        operator.get(&path).await.refused(400);
    }
    let body = json!({"model": "insula/extractive", "messages": [{"role": "user", "content": "Hi"}]});
    ada.post("/v1/chat/completions", body).await.ok();
    assert!(app.services.meter.settled(Duration::from_secs(10)).await);
    let path = format!(
        "{USAGE}/completions?start_time={}&group_by=batch,service_tier",
        now() - 60
    );
    let page = eventually("it is recorded", async || {
        let page = ada.get(&path).await.ok();
        (page["data"][0]["results"] != json!([])).then_some(page)
    })
    .await;
    let result = &page["data"][0]["results"][0];
    let nulls = ["project_id", "user_id", "api_key_id", "model", "api_source"];
    assert!(
        nulls.iter().all(|name| result.get(name) == Some(&Value::Null)),
        "{result}"
    );
    assert_eq!(
        (&result["batch"], &result["service_tier"]),
        (&json!(false), &json!("default"))
    );
    assert_eq!(result["num_model_requests"], 1);
    // Nobody's calls, and no batch's.
    for filter in ["user_ids[]=user-1", "batch=true"] {
        let page = ada.get(&format!("{path}&{filter}")).await.ok();
        assert_eq!(page["data"][0]["results"], json!([]), "{filter}");
    }
    let (store, _) = ada.library(&[("a.txt", "The keeper lives on the island.")]).await;
    let stored = ada.get(&format!("/v1/vector_stores/{store}")).await.ok()["usage_bytes"].clone();
    let path = format!(
        "{USAGE}/vector_stores?start_time={}&bucket_width=1h&group_by[]=project_id",
        now() - 7200
    );
    for client in [&ada, &operator] {
        let page = client.get(&path).await.ok();
        let data = page["data"].as_array().unwrap();
        let (last, earlier) = data.split_last().unwrap();
        assert!(earlier.iter().all(|bucket| bucket["results"] == json!([])));
        let result = &last["results"][0];
        assert_eq!(
            (&result["usage_bytes"], text(&result["project_id"])),
            (&stored, &*ada.tenant_id().to_string())
        );
    }
}
