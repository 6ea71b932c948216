//! kill -9 at any moment of an ingestion, then start: the file completes, nothing is missing and nothing is twice.

use std::path::PathBuf;
use std::time::Duration;

use insula_tests::{
    Client, ServerProcess, Setup, TestApp, assert_invariants, eventually, free_address, insula_binary,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// A log of so many entries, about seven of which make a chunk.
fn log(entries: usize) -> String {
    (0..entries)
        .map(|n| {
            format!(
                "Entry {n}: the keeper of light {} notes wind {} and sea {}. ",
                n % 7,
                n * 31,
                n * 17
            )
        })
        .collect()
}

/// A database and blobs, with one tenant and one file that waits to be read.
struct Install {
    app: TestApp,
    binary: PathBuf,
    ada: Client,
    store: String,
    file: String,
    entries: usize,
}

impl Install {
    async fn with(entries: usize, proxy: bool) -> Self {
        let app = TestApp::with(Setup {
            worker: false,
            proxy,
            ..Setup::default()
        })
        .await;
        let ada = app.tenant("ada").await;
        let file = ada.upload("log.txt", log(entries)).await;
        let store = ada.store("log", &[]).await;
        let strategy =
            json!({"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}});
        let new = json!({"file_id": file, "chunking_strategy": strategy});
        ada.post(&format!("/v1/vector_stores/{store}/files"), new)
            .await
            .ok();
        // More deaths than a job has attempts would fail the file, as it should.
        sqlx::query("update jobs set max_attempts = 20")
            .execute(app.owner())
            .await
            .unwrap();
        Self {
            app,
            binary: insula_binary().await,
            ada,
            store,
            file,
            entries,
        }
    }

    fn start(&self, command: &str, more: &[&str]) -> ServerProcess {
        let mut url = self.app.database.app_url();
        if let Some(proxy) = &self.app.proxy {
            url.set_port(Some(proxy.address().port())).unwrap();
        }
        ServerProcess::start(&self.binary, command, more, url.as_str(), &self.app.blobs())
    }

    /// What a query counts.
    async fn count(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query)
            .fetch_one(self.app.owner())
            .await
            .unwrap()
    }

    async fn state(&self, file: &str) -> Value {
        let path = format!("/v1/vector_stores/{}/files/{file}", self.store);
        self.ada.get(&path).await.ok()["status"].clone()
    }

    async fn leased(&self) {
        eventually("the job is leased", async || {
            let running = self
                .count("select count(*) from jobs where state = 'running' and lease_until > now()")
                .await;
            (running == 1).then_some(())
        })
        .await;
    }

    async fn finished(&self) {
        eventually("the file is read", async || {
            (self.state(&self.file).await == "completed").then_some(())
        })
        .await;
    }

    /// As if the lease of a worker that is gone had run out, without waiting for it.
    async fn end_leases(&self) {
        sqlx::query("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
            .execute(self.app.owner())
            .await
            .unwrap();
    }

    /// Every entry is there, once.
    async fn assert_complete(&self) {
        assert_eq!(self.state(&self.file).await, "completed");
        assert_invariants(self.app.owner()).await;
        let chunks = self
            .count("select count(*) from chunks where content like 'Entry%'")
            .await as usize;
        assert!(
            (self.entries / 15..self.entries / 2).contains(&chunks),
            "{chunks} chunks"
        );
        let path = format!("/v1/vector_stores/{}/files/{}/content", self.store, self.file);
        let content = self.ada.get(&path).await.ok();
        let parts = content["data"]
            .as_array()
            .unwrap()
            .iter()
            .map(|part| part["text"].as_str().unwrap().trim());
        let read = parts.collect::<Vec<_>>().join(" ");
        assert_eq!(read, log(self.entries).trim());
    }
}

#[tokio::test]
async fn workers_killed_at_random_moments_neither_lose_nor_repeat_a_chunk() {
    let install = Install::with(1400, false).await;
    let mut random = StdRng::seed_from_u64(9);
    let mut killed = 0;
    // From just after the claim to beyond the end.
    for latest in [1, 500, 1500, 3000, 6000] {
        let worker = install.start("worker", &[]);
        install.leased().await;
        let moment = Duration::from_millis(random.random_range(latest / 2..=latest));
        let done = tokio::time::timeout(moment, install.finished()).await.is_ok();
        worker.kill().await;
        assert_invariants(install.app.owner()).await;
        if done {
            break;
        }
        killed += 1;
        install.end_leases().await;
    }
    assert!(killed > 1, "no worker died under way");
    let last = install.start("worker", &[]);
    install.finished().await;
    install.assert_complete().await;
    last.kill().await;
}

#[tokio::test]
async fn workers_killed_at_every_step_of_the_writing_transaction_leave_all_of_it_or_nothing() {
    let install = Install::with(150, true).await;
    // Slow enough to be seen at each step.
    install
        .app
        .proxy
        .as_ref()
        .unwrap()
        .delay(Duration::from_millis(20));
    for step in [
        "select payload from jobs",
        "insert into chunks",
        "insert into embeddings_384",
        "insert into term_stats",
        "update vector_stores set chunk_count = chunk_count + ",
        "update jobs set state = 'done'",
        "commit",
    ] {
        let worker = install.start("worker", &[]);
        eventually(step, async || {
            let seen: i64 = sqlx::query_scalar(
                "select count(*) from pg_stat_activity a
                 where datname = current_database() and application_name = 'insula' and pid <> pg_backend_pid()
                   and regexp_replace(query, '\\s+', ' ', 'g') like $1 || '%'
                   and (query <> 'commit' or exists (select from chunks))",
            )
            .bind(step)
            .fetch_one(install.app.owner())
            .await
            .unwrap();
            (seen > 0).then_some(())
        })
        .await;
        worker.kill().await;
        assert_invariants(install.app.owner()).await;
        install.end_leases().await;
    }
    let last = install.start("worker", &[]);
    install.finished().await;
    install.assert_complete().await;
    last.kill().await;
}

#[tokio::test]
async fn a_server_killed_during_an_ingestion_goes_on_when_it_is_started_again() {
    let install = Install::with(700, false).await;
    let address = free_address();
    let listen = address.to_string();
    let serve = || install.start("serve", &["--listen", &listen]);
    let over_http = Client::at(address, &install.ada);

    let server = serve();
    server.ready(&over_http).await;
    install.leased().await;
    server.kill().await;
    assert_eq!(install.state(&install.file).await, "in_progress");
    assert_invariants(install.app.owner()).await;

    install.end_leases().await;
    let server = serve();
    server.ready(&over_http).await;
    let ready = over_http.ready(&install.store).await;
    assert_eq!(ready["file_counts"]["completed"], 1);
    install.assert_complete().await;
    let found = over_http
        .search(
            &install.store,
            json!({"query": "Entry 613", "max_num_results": 1}),
        )
        .await;
    assert!(
        found["data"][0]["content"][0]["text"]
            .as_str()
            .unwrap()
            .contains("613"),
        "{found}"
    );
    server.kill().await;
}

#[tokio::test]
async fn a_worker_that_was_frozen_and_wakes_up_late_changes_nothing() {
    let install = Install::with(700, false).await;
    // One job at a time: the next one tells that it is done with this one.
    let frozen = install.start("worker", &["--worker-concurrency", "1"]);
    install.leased().await;
    frozen.signal("STOP").await;
    install.end_leases().await;
    let other = install.start("worker", &[]);
    install.finished().await;
    other.kill().await;
    let written = "select count(*) from chunks";
    let chunks = install.count(written).await;

    frozen.signal("CONT").await;
    let next = install.ada.upload("next.txt", "Another file.").await;
    install
        .ada
        .post(
            &format!("/v1/vector_stores/{}/files", install.store),
            json!({"file_id": next}),
        )
        .await
        .ok();
    eventually("it works on", async || {
        (install.state(&next).await == "completed").then_some(())
    })
    .await;
    assert_eq!(install.count(written).await, chunks + 1);
    assert_eq!(
        install
            .count("select count(*) from jobs where state = 'done'")
            .await,
        2
    );
    install.assert_complete().await;
    frozen.kill().await;
}

#[tokio::test]
async fn a_server_told_to_stop_hands_its_job_back_and_ends_well() {
    let install = Install::with(1400, false).await;
    let address = free_address();
    let server = install.start(
        "serve",
        &["--listen", &address.to_string(), "--shutdown-grace", "2s"],
    );
    server.ready(&Client::at(address, &install.ada)).await;
    install.leased().await;
    assert!(server.terminate().await.success());
    assert_eq!(
        install
            .count("select count(*) from jobs where state = 'running'")
            .await,
        0
    );
    assert_invariants(install.app.owner()).await;
    install.app.run_jobs().await;
    install.assert_complete().await;
    let attempts = install
        .count("select attempt::int8 from jobs where kind = 'ingest_file'")
        .await;
    assert_eq!(attempts, 1, "handing back is no attempt");
}
