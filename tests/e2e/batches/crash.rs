//! Servers that are killed in the middle of a batch: no line is lost, none is there twice, and each is charged once.

use std::time::Duration;

use insula_tests::{
    Client, FakeProvider, ServerProcess, Setup, TestApp, assert_invariants, eventually, free_address,
    insula_binary,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use serde_json::json;

use super::{CHAT, answers, charges, get, ids, ledger, lines, submit};
use crate::ledger::ask;

/// Times that the server is killed.
const DEATHS: u64 = 12;
/// More than can be answered before the last death.
const LINES: usize = 600;

#[tokio::test]
async fn every_line_is_answered_and_charged_once_whoever_dies() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let app = TestApp::with(Setup {
        worker: false,
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let folder = tempfile::tempdir().unwrap();
    let routes = folder.path().join("routes.toml");
    let price = "price = [{ input = \"1\", output = \"2\" }]\nupstream_model =";
    let text = provider
        .routes(&["late-20"], "")
        .replace("upstream_model =", price);
    std::fs::write(&routes, text).unwrap();
    let binary = insula_binary().await;
    let start = |address: std::net::SocketAddr| {
        ServerProcess::start(
            &binary,
            "serve",
            &[
                "--listen",
                &address.to_string(),
                "--routes",
                routes.to_str().unwrap(),
            ],
            app.database.app_url().as_str(),
            &folder.path().join("blobs"),
        )
    };
    let mut random = StdRng::seed_from_u64(7);
    let (mut id, mut not_known_to_be_recorded) = (String::new(), 0);
    let done = async |client: &Client, id: &str| {
        get(client, id).await["request_counts"]["completed"]
            .as_i64()
            .unwrap()
    };
    for death in 0..=DEATHS {
        let address = free_address();
        let server = start(address);
        let client = Client::at(address, &ada);
        server.ready(&client).await;
        if death == 0 {
            id = submit(&client, CHAT, &lines(LINES, CHAT, &ask("late-20"))).await;
        }
        let before = done(&client, &id).await;
        if death < DEATHS {
            eventually("the batch goes on", async || {
                (done(&client, &id).await > before).then_some(())
            })
            .await;
            tokio::time::sleep(Duration::from_millis(random.random_range(0..120))).await;
            server.kill().await;
            let left: i64 = sqlx::query_scalar("select count(*) from batch_lines where events is not null")
                .fetch_one(app.owner())
                .await
                .unwrap();
            not_known_to_be_recorded += left;
            // As if the lease of the dead had run out, without waiting for it.
            sqlx::query("update jobs set lease_until = now() - interval '1 second', attempt = 1 where state = 'running'")
                .execute(app.owner())
                .await
                .unwrap();
            continue;
        }
        assert!(before < LINES as i64, "the batch was over before the last death");
        let batch = super::ended(&client, &id).await;
        assert_eq!(batch["status"], "completed");
        assert_eq!(
            batch["request_counts"],
            json!({"total": LINES, "completed": LINES, "failed": 0})
        );
        let good = answers(&client, &batch, "output_file_id").await;
        let named: Vec<String> = (0..LINES).map(|n| n.to_string()).collect();
        assert_eq!(ids(&good), named, "each line once, in order");
        // Line by line: the event of each line is the one of the answer that was kept.
        assert_eq!(ledger(&app, &ada).await, charges(&good));
        assert!(server.terminate().await.success());
    }
    assert!(
        not_known_to_be_recorded > 0,
        "nobody died between a line and its charge"
    );
    let called = provider.count("late-20").await.requests as usize;
    assert!(
        (LINES..=LINES + DEATHS as usize * 8).contains(&called),
        "{called} calls: no more are repeated than were under way"
    );
    assert_invariants(app.owner()).await;
}
