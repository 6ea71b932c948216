//! Models that misbehave while they work, and neighbours that mind their own business.

use std::time::{Duration, Instant};

use insula_serving::{ModelLimits, ModelPool, PoolOptions};
use insula_tests::{Setup, TestApp, assert_invariants, eventually, insula_binary, runtime, workspace};
use serde_json::{Value, json};

/// Limits that are soon reached.
pub(crate) fn strict() -> PoolOptions {
    PoolOptions {
        limits: ModelLimits {
            memory: 384 * 1024 * 1024,
            wall: Duration::from_secs(2),
            load: Duration::from_secs(20),
            ..ModelLimits::default()
        },
        ..PoolOptions::default()
    }
}

async fn strict_app() -> TestApp {
    TestApp::with(Setup {
        worker: false,
        serving: strict(),
        ..Setup::default()
    })
    .await
}

fn add(x: f64) -> Value {
    json!({"inputs": {"x": [[x, x]]}})
}

/// The processes that run models for this one.
fn workers() -> Vec<u32> {
    let own = std::process::id().to_string();
    let found = std::fs::read_dir("/proc").unwrap().filter_map(|entry| {
        let process: u32 = entry.ok()?.file_name().to_str()?.parse().ok()?;
        let line = std::fs::read_to_string(format!("/proc/{process}/cmdline")).ok()?;
        let stat = std::fs::read_to_string(format!("/proc/{process}/stat")).ok()?;
        let parent = stat.rsplit(')').next()?.split_whitespace().nth(1)?.to_owned();
        (parent == own && line.contains("model-worker")).then_some(process)
    });
    found.collect()
}

#[tokio::test]
async fn a_bomb_takes_its_own_process_and_nobody_elses() {
    let app = strict_app().await;
    let (ada, bob) = app.two_tenants().await;
    ada.served_model("bomb", "bomb.onnx", json!({})).await;
    ada.served_model("rounds", "rounds.onnx", json!({})).await;
    ada.served_model("add", "add-1.onnx", json!({})).await;
    bob.served_model("add", "add-2.onnx", json!({})).await;
    let small = json!({"inputs": {"shape": [7]}});
    let told = ada.predict("bomb", small.clone()).await.ok();
    assert_eq!(told["predictions"][0]["outputs"]["y"], 7.0);
    bob.predict("add", add(0.0)).await.ok();

    // Neighbours go on while both go off.
    let neighbours = async |rounds: usize| {
        let mut times = Vec::new();
        for n in 0..rounds {
            let begun = Instant::now();
            let answer = bob.predict("add", add(n as f64)).await.ok();
            times.push(begun.elapsed());
            assert_eq!(answer["predictions"][0]["outputs"]["y"][0], (n + 2) as f64);
            ada.predict("add", add(1.0)).await.ok();
        }
        times.sort();
        times[rounds * 99 / 100]
    };
    let quiet = neighbours(100).await;
    let blast = async {
        let endless = json!({"inputs": {"x": [1.0], "rounds": i64::MAX}});
        let big = json!({"inputs": {"shape": [1i64 << 33]}});
        tokio::join!(ada.predict("rounds", endless), ada.predict("bomb", big))
    };
    let (loud, (endless, big)) = tokio::join!(neighbours(100), blast);
    eprintln!("neighbours' p99: {quiet:?} before, {loud:?} meanwhile");
    assert_eq!(endless.refused(504)["code"], "model_timeout");
    assert_eq!(big.refused(502)["code"], "model_out_of_memory");
    assert_eq!(big.header("x-should-retry"), Some("false"));

    // The next call has another process.
    ada.predict("bomb", small).await.ok();
    let few = json!({"inputs": {"x": [1.0], "rounds": 3}});
    ada.predict("rounds", few).await.ok();
    assert!(app.services.meter.settled(Duration::from_secs(10)).await);
    let failed: Vec<String> =
        sqlx::query_scalar("select error from usage_events where outcome = 'failed' order by error")
            .fetch_all(app.owner())
            .await
            .unwrap();
    assert_eq!(failed, ["model_out_of_memory", "model_timeout"]);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_crash_is_told_and_a_crash_loop_has_to_wait() {
    let app = strict_app().await;
    let (ada, bob) = app.two_tenants().await;
    ada.served_model("bomb", "bomb.onnx", json!({})).await;
    bob.served_model("add", "add-1.onnx", json!({})).await;
    // Killed from outside, as by a machine without memory.
    for process in workers() {
        let killed = std::process::Command::new("kill")
            .args(["-9", &process.to_string()])
            .status();
        assert!(killed.unwrap().success());
    }
    let small = json!({"inputs": {"shape": [7]}});
    let answers = [
        ada.predict("bomb", small.clone()).await,
        bob.predict("add", add(1.0)).await,
    ];
    for answer in answers {
        // Whoever comes first learns of it.
        assert!(
            answer.status == 200 || answer.refused(502)["code"] == "model_crashed",
            "{answer}"
        );
    }
    ada.predict("bomb", small.clone()).await.ok();
    bob.predict("add", add(1.0)).await.ok();

    let big = json!({"inputs": {"shape": [1i64 << 33]}});
    let waiting = eventually("it has crashed often enough", async || {
        let answer = ada.predict("bomb", big.clone()).await;
        (answer.status == 503).then_some(answer)
    })
    .await;
    assert_eq!(waiting.refused(503)["code"], "model_crashed");
    assert!(waiting.header("retry-after").is_some());
    bob.predict("add", add(1.0)).await.ok();
    eventually("it is tried again", async || {
        (ada.predict("bomb", small.clone()).await.status == 200).then_some(())
    })
    .await;
}

#[tokio::test]
async fn who_was_not_asked_for_longest_makes_room() {
    let app = TestApp::with(Setup {
        worker: false,
        serving: PoolOptions {
            workers: 3,
            workers_per_tenant: 2,
            ..strict()
        },
        ..Setup::default()
    })
    .await;
    let (ada, bob) = app.two_tenants().await;
    for name in ["a", "b", "c", "d"] {
        ada.served_model(name, "add-1.onnx", json!({})).await;
    }
    bob.served_model("a", "add-2.onnx", json!({})).await;
    for round in 0..3 {
        for name in ["a", "b", "c", "d"] {
            let answer = ada.predict(name, add(f64::from(round))).await.ok();
            assert_eq!(answer["predictions"][0]["outputs"]["y"][0], f64::from(round + 1));
            bob.predict("a", add(1.0)).await.ok();
            assert!(workers().len() <= 3);
        }
    }
    // All at once: each waits for its turn.
    let calls = ["a", "b", "c", "d", "a", "b", "c", "d"].map(|name| ada.predict(name, add(5.0)));
    for answer in futures::future::join_all(calls).await {
        answer.ok();
    }
    bob.predict("a", add(1.0)).await.ok();
}

#[tokio::test]
async fn a_process_ends_with_its_version() {
    let app = strict_app().await;
    let (ada, _bob) = app.two_tenants().await;
    ada.served_model("m", "add-1.onnx", json!({})).await;
    ada.predict("m", add(1.0)).await.ok();
    assert_eq!(workers().len(), 1, "loaded once");
    for _ in 0..5 {
        ada.predict("m", add(1.0)).await.ok();
    }
    let before = workers();
    assert_eq!(before.len(), 1);
    ada.predict("m", add(1.0)).await.ok();
    assert_eq!(workers(), before, "the same process");
    ada.delete("/v1/insula/models/m").await.ok();
    eventually("its process is gone", async || workers().is_empty().then_some(())).await;
    ada.predict("m", add(1.0)).await.refused(404);
}

#[tokio::test]
async fn a_model_can_do_nothing_that_is_forbidden() {
    let options = PoolOptions {
        program: insula_binary().await,
        library: std::path::absolute(runtime().join("onnxruntime/libonnxruntime.so")).unwrap(),
        ..strict()
    };
    let model = workspace().join("tests/models/add-1.onnx");
    let probe = ModelPool::new(options).probe(&model).await.unwrap();
    eprintln!("{:?}", probe.files);
    for attempt in probe.attempts {
        eprintln!("{}: {}", attempt.what, attempt.outcome);
        assert!(
            attempt.refused || attempt.best_effort,
            "{}: {}",
            attempt.what,
            attempt.outcome
        );
    }
}
