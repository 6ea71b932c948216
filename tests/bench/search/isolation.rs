//! Whether a small tenant notices a large one beside it.

use std::path::Path;
use std::sync::atomic::{AtomicBool, Ordering};

use anyhow::{Context, Result};

use super::measure::{Asked, measure, recall, warm};
use super::{Bench, Way, fill, pg, settle};

/// Chunks of the large tenant unless told otherwise.
pub(super) const GIANT: usize = 100_000;
/// Chunks of a small one.
const SMALL: usize = 1_000;
/// Questions about each.
const QUESTIONS: usize = 100;
/// Clients of the small tenant.
const CLIENTS: usize = 4;

/// Prints the table.
pub(super) async fn run(binary: &Path, runtime: &Path, giant: usize) -> Result<()> {
    let bench = Bench::new(binary, runtime).await?;
    let server = bench.start(&[]).await?;
    let pool = pg::pool(&server.database_url).await?;
    let small = bench.first_tenant(&server, &pool).await?;
    let ours = fill::fill(&small, &pool, 42, SMALL, QUESTIONS).await?;
    bench.vectors.know(&ours.questions);
    let (truth, _) = tokio::task::block_in_place(|| ours.exact.answers(&ours.questions));
    warm(&small, &ours).await?;
    let row = async |beside: &str| -> Result<()> {
        let recall = recall(&small, &ours, &truth).await?;
        let taken = measure(&small, &pool, &ours, (Asked::Api, Way::Vector), CLIENTS).await?;
        println!(
            "| {beside} | {recall:.4} | {:.0} | {:.2} | {:.2} | {:.2} | {:.2} |",
            taken.rate(),
            taken.ms(0.50),
            taken.ms(0.95),
            taken.ms(0.99),
            taken.postgres * 1e3
        );
        Ok(())
    };
    println!("A tenant of {SMALL} chunks, searched by {CLIENTS} clients\n");
    println!("| beside | recall@10 | QPS | p50 ms | p95 ms | p99 ms | CPU of Postgres ms |");
    println!("| --- | --: | --: | --: | --: | --: | --: |");
    row("nobody").await?;

    bench.command(&server, &["tenant", "create", "other"]).await?;
    bench.command(&server, &["tenant", "create", "giant"]).await?;
    for (name, chunks) in [("other", SMALL), ("giant", giant)] {
        let made = bench
            .command(&server, &["key", "create", "--tenant", name])
            .await?;
        let key = made["key"].as_str().context("no key")?.to_owned();
        let tenants = bench.command(&server, &["tenant", "list"]).await?;
        let named = tenants
            .as_array()
            .into_iter()
            .flatten()
            .find(|tenant| tenant["name"] == name);
        let id = named
            .and_then(|tenant| tenant["id"].as_str())
            .context("no tenant")?;
        let id: insula_tenancy::TenantId = id.parse()?;
        let tenant = bench.tenant(&server, id.uuid(), key)?;
        let store = fill::fill(&tenant, &pool, 43, chunks, QUESTIONS).await?;
        bench.vectors.know(&store.questions);
        settle(&pool).await?;
        warm(&tenant, &store).await?;
        row(&format!("{chunks} chunks")).await?;
        // One client of the other's, so that both have the processor as often whatever the other's size.
        let stop = AtomicBool::new(false);
        let busy = async {
            while !stop.load(Ordering::Relaxed) {
                measure(&tenant, &pool, &store, (Asked::Api, Way::Vector), 1).await?;
            }
            anyhow::Ok(())
        };
        let searched = async {
            let done = row(&format!("{chunks} chunks, searched by a client")).await;
            stop.store(true, Ordering::Relaxed);
            done
        };
        tokio::try_join!(busy, searched)?;
    }
    pool.close().await;
    server.stop().await
}
