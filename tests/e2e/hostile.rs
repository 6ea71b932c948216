//! Documents that were made to harm, and children that die: one file ends with a reason, everything else goes on.

use std::collections::BTreeSet;
use std::time::{Duration, Instant};

use bytes::Bytes;
use insula_core::ingest::ParseErrorCode;
use insula_parse::sandbox::{Limits, PoolOptions};
use insula_tests::{
    Client, ServerProcess, Setup, TestApp, assert_invariants, eventually, insula_binary, shared_data,
};
use serde_json::Value;

/// Above what the limits allow, with the attempts of several files one after another.
const PATIENCE: Duration = Duration::from_secs(200);

/// Harmless to read, but with so much text that embedding it takes minutes. They are read and not stored.
const LONG: [&str; 2] = ["csv_100k_cols.csv", "one_line_10mb.txt.gz"];

/// The processes that read documents for this test.
fn parsers() -> BTreeSet<u32> {
    parsers_of(std::process::id())
}

/// The processes that read documents for a server.
fn parsers_of(server: u32) -> BTreeSet<u32> {
    let own = server.to_string();
    let is_ours = |process: &u32| {
        let read =
            |name: &str| std::fs::read_to_string(format!("/proc/{process}/{name}")).unwrap_or_default();
        // After the name in parentheses: state and parent.
        let status = read("stat");
        let parent = status.rsplit(')').next().and_then(|rest| rest.split(' ').nth(2));
        parent == Some(own.as_str()) && read("cmdline").contains("parse-worker")
    };
    let processes = std::fs::read_dir("/proc").unwrap();
    let numbers = processes.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    numbers.filter(is_ours).collect()
}

/// The most memory that a process was seen to have resident, in MiB.
fn peak(process: u32) -> u64 {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
    let kilobytes = line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok());
    kilobytes.unwrap_or(0) / 1024
}

/// Whether a parser has begun with its document: it has taken a tenth of a second of processor time.
fn is_working(process: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{process}/stat")).unwrap_or_default();
    let rest = status.rsplit(')').next().unwrap_or_default();
    rest.split(' ')
        .nth(12)
        .and_then(|ticks| ticks.parse().ok())
        .unwrap_or(0)
        > 10
}

async fn file(client: &Client, store: &str, file: &str) -> Value {
    client
        .get(&format!("/v1/vector_stores/{store}/files/{file}"))
        .await
        .ok()
}

/// Uploads files into a store. Its id, and theirs.
async fn attach(client: &Client, files: &[(String, Vec<u8>)]) -> (String, Vec<String>) {
    let mut ids = Vec::new();
    for (name, bytes) in files {
        ids.push(client.upload(name, bytes).await);
    }
    let store = client
        .store("files", &ids.iter().map(String::as_str).collect::<Vec<_>>())
        .await;
    (store, ids)
}

fn small(memory: u64) -> Setup {
    let limits = Limits {
        memory: memory * 1024 * 1024,
        ..Limits::default()
    };
    let parser = PoolOptions {
        limits,
        ..PoolOptions::default()
    };
    Setup {
        parser,
        ..Setup::default()
    }
}

/// A page with one sentence, which takes seconds to get to.
fn slow_page() -> Vec<u8> {
    let comment = "<!-- skip --><i></i>\n".repeat(300_000);
    format!("<!doctype html>{comment}<p>The lighthouse stands on the northern cape.</p>").into_bytes()
}

#[tokio::test]
async fn hostile_files_end_with_a_reason_and_disturb_nobody() {
    let Some(folder) = shared_data("hostile") else {
        return;
    };
    let mut paths: Vec<_> = std::fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let (long, hostile): (Vec<(String, Vec<u8>)>, Vec<_>) = paths
        .iter()
        .map(|path| {
            let name = path.file_name().unwrap().to_str().unwrap().to_owned();
            (name, std::fs::read(path).unwrap())
        })
        .partition(|(name, _)| LONG.contains(&name.as_str()));
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, ids) = attach(&ada, &hostile).await;
    let (quiet, _) = bob.library(&[("tide.txt", "High tide is at six.")]).await;

    let begun = Instant::now();
    let mut largest = 0;
    loop {
        let ready = bob.get("/health/ready").await;
        assert_eq!(ready.status, 200, "{ready}");
        largest = parsers().into_iter().map(peak).max().unwrap_or(0).max(largest);
        let mut waiting = Vec::new();
        for ((name, _), id) in hostile.iter().zip(&ids) {
            if file(&ada, &store, id).await["status"] == "in_progress" {
                waiting.push(name);
            }
        }
        if waiting.is_empty() {
            break;
        }
        assert!(begun.elapsed() < PATIENCE, "still working: {waiting:?}");
        tokio::time::sleep(Duration::from_millis(20)).await;
    }
    eprintln!(
        "{} files in {:?}; a parser took {largest} MiB at most",
        ids.len(),
        begun.elapsed()
    );
    for ((name, _), id) in hostile.iter().zip(&ids) {
        let file = file(&ada, &store, id).await;
        eprintln!("{name}: {} {}", file["status"], file["last_error"]);
        if file["status"] == "completed" {
            let content = ada
                .get(&format!("/v1/vector_stores/{store}/files/{id}/content"))
                .await;
            let text = String::from_utf8_lossy(&content.bytes).into_owned();
            assert!(
                !text.contains("root:x:"),
                "{name} holds a file of this machine: {text}"
            );
            continue;
        }
        assert_eq!(file["status"], "failed", "{name}: {file}");
        let error = &file["last_error"];
        assert!(
            ["invalid_file", "unsupported_file"].contains(&error["code"].as_str().unwrap()),
            "{name}: {error}"
        );
        let message = error["message"].as_str().unwrap();
        assert!(message.len() > 10 && message.ends_with('.'), "{name}: {message}");
    }
    for (name, bytes) in long {
        let read = app.services.parser.parse(&Bytes::from(bytes), &name).await;
        largest = parsers().into_iter().map(peak).max().unwrap_or(0).max(largest);
        match read {
            Ok(document) => eprintln!("{name}: {} bytes of text", document.text.len()),
            Err(error) => assert_ne!(error.code, ParseErrorCode::ServerError, "{name}: {error}"),
        }
    }
    assert!(largest <= 512, "a parser took {largest} MiB");
    assert!(
        !std::env::temp_dir().join("pwned.txt").exists(),
        "an archive wrote outside"
    );
    assert_eq!(
        bob.search(&quiet, serde_json::json!({"query": "tide"})).await["data"]
            .as_array()
            .unwrap()
            .len(),
        1
    );
    assert_invariants(app.owner()).await;
    drop(app);
    eventually("no parser is left", async || parsers().is_empty().then_some(())).await;
}

#[tokio::test]
async fn a_document_that_takes_too_much_memory_fails_and_the_next_one_is_read() {
    let app = TestApp::with(small(128)).await;
    let (ada, bob) = app.two_tenants().await;
    let files = [
        ("greedy.txt".to_owned(), b"more ".repeat(10_000_000)),
        ("modest.txt".to_owned(), b"A modest text.".to_vec()),
    ];
    let (store, ids) = attach(&ada, &files).await;
    bob.library(&[("tide.txt", "High tide is at six.")]).await;
    ada.ready(&store).await;
    let greedy = file(&ada, &store, &ids[0]).await;
    assert_eq!(greedy["last_error"]["code"], "invalid_file", "{greedy}");
    let message = greedy["last_error"]["message"].as_str().unwrap();
    assert!(message.contains("more memory than allowed (128 MB)"), "{message}");
    assert_eq!(file(&ada, &store, &ids[1]).await["status"], "completed");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_parser_that_is_killed_under_way_is_replaced_and_the_file_completes() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, ids) = attach(&ada, &[("page.html".to_owned(), slow_page())]).await;
    let victim = eventually("a parser works", async || {
        parsers().into_iter().find(|parser| is_working(*parser))
    })
    .await;
    let killed = std::process::Command::new("kill")
        .args(["-9", &victim.to_string()])
        .status()
        .unwrap();
    assert!(killed.success());
    ada.ready(&store).await;
    assert_eq!(file(&ada, &store, &ids[0]).await["status"], "completed");
    assert!(!parsers().contains(&victim));
    bob.library(&[("tide.txt", "High tide is at six.")]).await;
    let attempts: i64 = sqlx::query_scalar("select max(attempt)::int8 from jobs")
        .fetch_one(app.owner())
        .await
        .unwrap();
    assert_eq!(attempts, 1, "the job went on");
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn a_parser_does_not_outlive_its_server() {
    let app = TestApp::with(Setup {
        worker: false,
        ..Setup::default()
    })
    .await;
    let (ada, bob) = app.two_tenants().await;
    let (store, ids) = attach(&ada, &[("page.html".to_owned(), slow_page())]).await;
    let url = app.database.app_url();
    let worker = ServerProcess::start(&insula_binary().await, "worker", &[], url.as_str(), &app.blobs());
    let server = worker.id();
    let parser = eventually("a parser works", async || {
        parsers_of(server).into_iter().find(|parser| is_working(*parser))
    })
    .await;
    worker.kill().await;
    eventually("the parser is gone", async || {
        (!std::path::Path::new(&format!("/proc/{parser}/exe")).exists()).then_some(())
    })
    .await;
    sqlx::query("update jobs set lease_until = now() - interval '1 second' where state = 'running'")
        .execute(app.owner())
        .await
        .unwrap();
    app.run_jobs().await;
    assert_eq!(file(&ada, &store, &ids[0]).await["status"], "completed");
    assert_eq!(bob.get(&format!("/v1/vector_stores/{store}")).await.status, 404);
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn deleting_a_file_that_is_being_read_leaves_nothing_behind() {
    let app = TestApp::start().await;
    let (ada, bob) = app.two_tenants().await;
    let (store, ids) = attach(&ada, &[("page.html".to_owned(), slow_page())]).await;
    eventually("a parser works", async || (!parsers().is_empty()).then_some(())).await;
    ada.delete(&format!("/v1/files/{}", ids[0])).await.ok();
    bob.library(&[("tide.txt", "High tide is at six.")]).await;
    app.run_jobs().await;
    assert_eq!(
        ada.get(&format!("/v1/vector_stores/{store}")).await.ok()["file_counts"]["total"],
        0
    );
    assert_invariants(app.owner()).await;
}

#[tokio::test]
async fn the_real_parser_can_do_nothing_that_is_forbidden() {
    let options = PoolOptions {
        program: insula_binary().await,
        ..PoolOptions::default()
    };
    let probe = insula_parse::sandbox::ParserPool::new(options)
        .probe()
        .await
        .unwrap();
    eprintln!("started in {:?}, {:?}", probe.started_in, probe.files);
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
