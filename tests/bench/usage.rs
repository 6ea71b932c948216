//! `bench usage`: what a tenant with a million calls waits for when it looks at its usage.
//!
//! The calls are recorded by the very statement that records them in service, so the rollups are what they would be; every model is
//! called with every key at any time of the day, which is the most rows that rollups can have.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use chrono::{DateTime, TimeDelta, Utc};
use insula_tenancy::meter::{JournalOptions, Meter};
use insula_tenancy::usage::{Details, Endpoint, Outcome, Tokens, UsageEvent};
use insula_tenancy::{Db, DbConfig, Money, new_uuid};
use sqlx::{Connection, Executor, PgConnection, Row};
use uuid::Uuid;

use crate::corpus::Rng;
use crate::server::Server;

/// Calls unless told otherwise.
pub(crate) const EVENTS: usize = 1_000_000;
const DAYS: i64 = 90;
const MODELS: usize = 20;
const KEYS: usize = 50;
const END_USERS: usize = 1_000;
/// Calls of one transaction, as the recorder's largest.
const BATCH: usize = 4_000;
/// How often each question is asked.
const ROUNDS: usize = 40;

pub(crate) async fn run(binary: &Path, runtime: &Path, events: usize) -> Result<()> {
    let data = tempfile::tempdir()?;
    let server = Server::start(binary, runtime, data.path(), &["--no-embedding-model"]).await?;
    let mut owner = PgConnection::connect(&server.database_url).await?;
    owner.execute("set role insula_system").await?;
    let row = sqlx::query("select id, now() from tenants limit 1")
        .fetch_one(&mut owner)
        .await?;
    let (tenant, now): (Uuid, DateTime<Utc>) = (row.get(0), row.get(1));

    let db = Db::connect(&DbConfig::new(server.database_url.clone().into())).await?;
    let journal = tempfile::tempdir()?;
    let options = JournalOptions {
        folder: journal.path().to_owned(),
        sync: false,
    };
    let meter = Meter::start(db, &options).await?;
    let began = Instant::now();
    let history = History::new(tenant, now, events);
    for from in (0..events).step_by(BATCH) {
        let batch: Vec<UsageEvent> = (from..events.min(from + BATCH))
            .map(|n| history.event(n))
            .collect();
        meter.record_stored(&[serde_json::to_string(&batch)?]).await?;
    }
    let rate = events as f64 / began.elapsed().as_secs_f64();
    println!("{events} calls over {DAYS} days, {MODELS} models, {KEYS} keys, {END_USERS} end users");
    println!("recorded at {rate:.0} calls/s, one transaction for {BATCH}\n");
    meter.stop(Duration::from_secs(5)).await;
    settle(&mut owner).await?;
    for table in ["usage_events", "usage_hours", "usage_days", "usage_end_users"] {
        // No name comes from outside.
        let count = sqlx::AssertSqlSafe(format!("select count(tenant_id) from {table}"));
        let count: i64 = sqlx::query_scalar(count).fetch_one(&mut owner).await?;
        println!("{table:<16} {count:>9} rows");
    }

    let since = (now - TimeDelta::days(DAYS)).timestamp();
    let sums = |more: &str| format!("/insula/usage?start_time={since}{more}");
    let calls = |more: &str| format!("/insula/usage/events?limit=100{more}");
    let (key, middle) = (
        history.keys[7].as_simple(),
        history.event(events / 2).started_at.timestamp(),
    );
    let questions = [
        ("overview: by day", sums("")),
        ("overview: by day and model", sums("&group_by=model")),
        ("overview: by model", sums("&bucket_width=all&group_by=model")),
        ("overview: by key", sums("&bucket_width=all&group_by=api_key_id")),
        (
            "overview: by end user, the 100 dearest",
            sums("&bucket_width=all&group_by=end_user"),
        ),
        ("overview: totals", sums("&bucket_width=all")),
        (
            "explorer: one model by key",
            sums("&bucket_width=all&group_by=api_key_id&model=model-3"),
        ),
        (
            "explorer: by model and key",
            sums("&bucket_width=all&group_by=model&group_by=api_key_id"),
        ),
        ("explorer: one end user by day", sums("&end_user=user-7")),
        (
            "explorer: one end user by model",
            sums("&bucket_width=all&group_by=model&end_user=user-7"),
        ),
        (
            "explorer: last week by hour",
            format!(
                "/insula/usage?start_time={}&bucket_width=1h",
                (now - TimeDelta::days(7)).timestamp()
            ),
        ),
        ("calls: the last", calls("")),
        ("calls: before the middle", calls(&format!("&end_time={middle}"))),
        ("calls: of a model", calls("&model=model-3")),
        ("calls: of a model never called", calls("&model=nope")),
        ("calls: with a key", calls(&format!("&api_key_id=key_{key}"))),
        ("calls: for an end user", calls("&end_user=user-7")),
        ("calls: that failed", calls("&outcome=failed")),
        (
            "calls: for an end user, failed, of a model",
            calls("&end_user=user-7&outcome=failed&model=model-3"),
        ),
    ];
    println!("\n| question | p50 | p95 |\n| --- | --- | --- |");
    for (name, path) in questions {
        let url = format!("{}{path}", server.base_url);
        server
            .call(server.http.get(&url))
            .await
            .with_context(|| name.to_owned())?;
        let mut took = Vec::with_capacity(ROUNDS);
        for _ in 0..ROUNDS {
            let asked = Instant::now();
            server.call(server.http.get(&url)).await?;
            took.push(asked.elapsed().as_secs_f64() * 1e3);
        }
        took.sort_by(f64::total_cmp);
        let at = |share: f64| took[((ROUNDS - 1) as f64 * share).round() as usize];
        println!("| {name} | {:.1} ms | {:.1} ms |", at(0.50), at(0.95));
    }
    server.stop().await
}

/// Calls in their order, each made of its number.
struct History {
    tenant: Uuid,
    began: DateTime<Utc>,
    step: TimeDelta,
    keys: Vec<Uuid>,
}

impl History {
    fn new(tenant: Uuid, now: DateTime<Utc>, events: usize) -> Self {
        let step = TimeDelta::days(DAYS) / i32::try_from(events.max(1)).unwrap_or(i32::MAX);
        Self {
            tenant,
            began: now - TimeDelta::days(DAYS),
            step,
            keys: (0..KEYS).map(|_| new_uuid()).collect(),
        }
    }

    fn event(&self, n: usize) -> UsageEvent {
        let mut rng = Rng((n as u64 + 1).wrapping_mul(0x9E37_79B9_7F4A_7C15));
        let mut below = |most: usize| rng.below(most);
        let failed = below(30) == 0;
        let input = below(4_000) as u64;
        let output = below(800) as u64;
        // From ten milliseconds to half a minute, most of them short.
        let latency = 10_000u64 << below(12);
        UsageEvent {
            tenant_id: self.tenant,
            id: new_uuid(),
            started_at: self.began + self.step * i32::try_from(n).unwrap_or(i32::MAX),
            key_id: Some(self.keys[below(KEYS)]),
            end_user: (below(10) > 0).then(|| format!("user-{}", below(END_USERS))),
            endpoint: Endpoint::ChatCompletions,
            model: format!("model-{}", below(MODELS)),
            latency_us: latency + below(latency as usize) as u64,
            details: Details {
                provider: Some("acme".into()),
                upstream_model: Some("large".into()),
                outcome: if failed {
                    Outcome::Failed
                } else {
                    Outcome::Completed
                },
                error: failed.then(|| "upstream_500".into()),
                tokens: Tokens {
                    input,
                    output,
                    ..Tokens::default()
                },
                cost: Money::from_nanos((input * 500 + output * 1_500) as i64),
                attempts: 1,
                estimated: false,
                ..Details::default()
            },
        }
    }
}

/// Waits until Postgres has looked at the tables by itself, as it would have in ninety days.
async fn settle(owner: &mut PgConnection) -> Result<()> {
    let patience = Instant::now();
    while patience.elapsed() < Duration::from_secs(150) {
        let unknown: i64 = sqlx::query_scalar(
            "select count(*) from pg_stat_user_tables
             where relname in ('usage_hours', 'usage_days', 'usage_end_users') and last_autoanalyze is null",
        )
        .fetch_one(&mut *owner)
        .await?;
        if unknown == 0 {
            return Ok(());
        }
        tokio::time::sleep(Duration::from_secs(2)).await;
    }
    println!("(Postgres has no statistics of the tables yet)");
    Ok(())
}
