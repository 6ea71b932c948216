//! kill -9 at any moment of an ingestion, then start: the file completes, nothing is missing and nothing is twice.

use std::net::{SocketAddr, TcpListener};
use std::path::PathBuf;
use std::time::Duration;

use insula_tests::{Client, ServerProcess, TestApp, assert_invariants, eventually, insula_binary};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::{Value, json};

/// About two hundred chunks.
fn long_text() -> String {
    (0..1500).map(|n| format!("Entry {n}: the keeper of light {} notes wind {} and sea {}. ", n % 7, n * 31, n * 17)).collect()
}

/// A free port. Somebody could take it before the server does; then the server says so and the test fails.
fn free_port() -> SocketAddr {
    TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap()
}

struct Install {
    app: TestApp,
    binary: PathBuf,
    client: Client,
}

impl Install {
    /// A database and blobs with one tenant and one file that waits to be read.
    async fn new() -> (Self, String, String) {
        let app = TestApp::without_worker().await;
        let client = app.tenant("ada").await;
        let file = client.upload("log.txt", long_text()).await;
        let store = client.store("log", &[]).await;
        let strategy = json!({"type": "static", "static": {"max_chunk_size_tokens": 100, "chunk_overlap_tokens": 0}});
        let new = json!({"file_id": file, "chunking_strategy": strategy});
        client.post(&format!("/v1/vector_stores/{store}/files"), new).await.ok();
        (Self { app, binary: insula_binary(), client }, store, file)
    }

    fn start(&self, command: &str, more: &[&str]) -> ServerProcess {
        let url = self.app.database.app_url().to_string();
        ServerProcess::start(&self.binary, command, more, &url, &self.app.blobs())
    }

    async fn one(&self, query: &'static str) -> i64 {
        sqlx::query_scalar(query).fetch_one(self.app.owner()).await.unwrap()
    }

    async fn state(&self, store: &str, file: &str) -> Value {
        self.client.get(&format!("/v1/vector_stores/{store}/files/{file}")).await.ok()
    }

    /// Waits until a worker process has the job.
    async fn leased(&self) {
        eventually("the job is leased", async || {
            let running = self.one("select count(*) from jobs where state = 'running' and lease_until > now()").await;
            (running == 1).then_some(())
        })
        .await;
    }

    /// As if the lease of the killed worker had run out, without waiting for it.
    async fn end_leases(&self) {
        sqlx::query("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
            .execute(self.app.owner())
            .await
            .unwrap();
    }

    async fn assert_complete(&self, store: &str, file: &str) {
        let state = self.state(store, file).await;
        assert_eq!(state["status"], "completed", "{state}");
        let chunks = self.one("select count(*) from chunks").await;
        assert!((100..400).contains(&chunks), "{chunks} chunks");
        assert_eq!(self.one("select count(*) from embeddings_384").await, chunks);
        assert_invariants(self.app.owner()).await;
    }
}

#[tokio::test]
async fn workers_killed_at_random_moments_neither_lose_nor_repeat_a_chunk() {
    let (install, store, file) = Install::new().await;
    // More deaths than a job has attempts would fail the file, as it should.
    sqlx::query("update jobs set max_attempts = 20").execute(install.app.owner()).await.unwrap();
    let mut random = StdRng::seed_from_u64(9);
    let mut killed = 0;
    for _ in 0..6 {
        let worker = install.start("worker", &[]);
        install.leased().await;
        // From just after the claim to around the end.
        let moment = Duration::from_millis(random.random_range(0..2500));
        let done = tokio::time::timeout(moment, install.finished(&store, &file)).await.is_ok();
        worker.kill().await;
        assert_invariants(install.app.owner()).await;
        if done {
            break;
        }
        killed += 1;
        install.end_leases().await;
    }
    assert!(killed > 0, "no worker died under way");
    let last = install.start("worker", &[]);
    install.finished(&store, &file).await;
    install.assert_complete(&store, &file).await;
    last.kill().await;
}

impl Install {
    async fn finished(&self, store: &str, file: &str) {
        eventually("the file is read", async || {
            (self.state(store, file).await["status"] == "completed").then_some(())
        })
        .await;
    }
}

#[tokio::test]
async fn a_server_killed_during_an_ingestion_goes_on_when_it_is_started_again() {
    let (install, store, file) = Install::new().await;
    let address = free_port();
    let listen = address.to_string();
    let serve = || install.start("serve", &["--listen", &listen]);
    let over_http = insula_tests::Client::at(address, &install.client);

    let server = serve();
    server.ready(&over_http).await;
    install.leased().await;
    server.kill().await;
    assert_eq!(install.state(&store, &file).await["status"], "in_progress");
    assert_invariants(install.app.owner()).await;

    install.end_leases().await;
    let server = serve();
    server.ready(&over_http).await;
    let ready = over_http.ready(&store).await;
    assert_eq!(ready["file_counts"]["completed"], 1);
    install.assert_complete(&store, &file).await;
    let found = over_http.search(&store, json!({"query": "Entry 1234", "max_num_results": 1})).await;
    assert!(found["data"][0]["content"][0]["text"].as_str().unwrap().contains("1234"), "{found}");
    server.kill().await;
}

#[tokio::test]
async fn a_stale_worker_that_wakes_up_changes_nothing() {
    // The first worker is stopped, not killed; the second does its work; then the first one goes on.
    let (install, store, file) = Install::new().await;
    let stale = install.start("worker", &[]);
    install.leased().await;
    stale.signal("STOP").await;
    install.end_leases().await;
    let fresh = install.start("worker", &[]);
    install.finished(&store, &file).await;
    let chunks = install.one("select count(*) from chunks").await;
    stale.signal("CONT").await;
    // It has noticed once it leases again: a new job is done by one of the two, and then the old one cannot come.
    fresh.kill().await;
    let other = install.client.upload("b.txt", "Another file.").await;
    install.client.post(&format!("/v1/vector_stores/{store}/files"), json!({"file_id": other})).await.ok();
    eventually("the stale worker works again", async || {
        (install.state(&store, &other).await["status"] == "completed").then_some(())
    })
    .await;
    assert_eq!(install.one("select count(*) from chunks").await, chunks + 1);
    assert_eq!(install.one("select count(*) from jobs where state = 'done'").await, 2);
    install.assert_complete(&store, &file).await;
    stale.kill().await;
}

#[tokio::test]
async fn a_server_told_to_stop_hands_its_job_back_and_ends_well() {
    let (install, store, file) = Install::new().await;
    let address = free_port();
    let server = install.start("serve", &["--listen", &address.to_string(), "--shutdown-grace", "2s"]);
    server.ready(&insula_tests::Client::at(address, &install.client)).await;
    install.leased().await;
    assert!(server.terminate().await.success());
    assert_eq!(install.one("select count(*) from jobs where state = 'running'").await, 0);
    assert_invariants(install.app.owner()).await;
    install.app.run_jobs().await;
    install.assert_complete(&store, &file).await;
    let attempts: i32 = sqlx::query_scalar("select attempt from jobs").fetch_one(install.app.owner()).await.unwrap();
    assert_eq!(attempts, 1, "handing back is no attempt");
}
