//! A server that is killed under load: every call that got a byte is one event, once somebody has looked into its journal.

use std::collections::BTreeSet;
use std::time::Duration;

use futures::future::join_all;
use insula_tests::{
    Client, FakeProvider, ServerProcess, Setup, TestApp, assert_invariants, free_address, insula_binary,
};
use rand::rngs::StdRng;
use rand::{Rng, SeedableRng};
use uuid::Uuid;

use crate::ledger::{ask, ask_streamed};

const CHAT: &str = "/v1/chat/completions";
/// Times that the server is killed.
const DEATHS: u64 = 20;
/// Callers at once.
const CALLERS: usize = 8;

/// Calls again and again until the server is gone. The ids of the requests of which a byte came.
async fn call_until_death(client: Client, streamed: bool) -> Vec<Uuid> {
    let mut answered = Vec::new();
    loop {
        let body = if streamed { ask_streamed("ok") } else { ask("ok") };
        let request = client.request(reqwest::Method::POST, CHAT).json(&body);
        let Ok(response) = request.send().await else {
            return answered;
        };
        assert_eq!(response.status(), 200);
        let id = response.headers()["x-request-id"].to_str().unwrap().to_owned();
        answered.push(Uuid::try_parse(id.strip_prefix("req_").unwrap()).unwrap());
        if response.bytes().await.is_err() {
            return answered;
        }
    }
}

#[tokio::test]
async fn every_call_that_got_a_byte_is_one_event() {
    let provider = FakeProvider::start(env!("CARGO_BIN_EXE_fake-provider")).await;
    let app = TestApp::with(Setup {
        worker: false,
        ..Setup::default()
    })
    .await;
    let ada = app.tenant("ada").await;
    let folder = tempfile::tempdir().unwrap();
    let routes = folder.path().join("routes.toml");
    std::fs::write(&routes, provider.routes(&["ok"], "")).unwrap();
    let binary = insula_binary().await;
    let mut random = StdRng::seed_from_u64(20);
    let mut answered = BTreeSet::new();
    for death in 0..=DEATHS {
        let address = free_address();
        let server = ServerProcess::start(
            &binary,
            "serve",
            &[
                "--listen",
                &address.to_string(),
                "--worker",
                "false",
                "--routes",
                routes.to_str().unwrap(),
                "--ip-requests-per-second",
                "0",
                // Waiting for the disk must not change what is there afterwards.
                "--journal-sync",
                if death % 2 == 0 { "true" } else { "false" },
            ],
            app.database.app_url().as_str(),
            &folder.path().join("blobs"),
        );
        let client = Client::at(address, &ada);
        server.ready(&client).await;
        if death == DEATHS {
            // Starting has recorded what the ones before left behind.
            assert!(server.terminate().await.success());
            break;
        }
        let callers = (0..CALLERS).map(|n| tokio::spawn(call_until_death(client.clone(), n % 2 == 0)));
        let callers: Vec<_> = callers.collect();
        tokio::time::sleep(Duration::from_millis(random.random_range(20..300))).await;
        server.kill().await;
        for ids in join_all(callers).await {
            answered.extend(ids.unwrap());
        }
    }
    let events: Vec<Uuid> = sqlx::query_scalar("select id from usage_events where tenant_id = $1")
        .bind(ada.tenant_id())
        .fetch_all(app.owner())
        .await
        .unwrap();
    let recorded: BTreeSet<Uuid> = events.iter().copied().collect();
    assert_eq!(recorded.len(), events.len(), "an event is there once");
    assert!(answered.len() > 20, "too few calls: {}", answered.len());
    let missing: Vec<_> = answered.difference(&recorded).collect();
    assert!(
        missing.is_empty(),
        "{} of {} calls are missing",
        missing.len(),
        answered.len()
    );
    // A call that was killed before its first byte may be there as well, but no more than were in flight.
    let most = answered.len() + usize::try_from(DEATHS).unwrap() * CALLERS;
    assert!(
        recorded.len() <= most,
        "{} events of {} answers",
        recorded.len(),
        answered.len()
    );
    assert_invariants(app.owner()).await;
}
