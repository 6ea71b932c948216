//! The pool with children that misbehave, under their real limits.

use std::io;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use async_trait::async_trait;
use bytes::Bytes;
use insula_core::ingest::{DocumentSource, ParseError, ParseErrorCode, ParsedDocument, Parser};
use insula_parse::sandbox::{FileRules, Limits, ParserPool, PoolOptions};
use tokio::io::AsyncRead;

fn options() -> PoolOptions {
    PoolOptions {
        program: env!("CARGO_BIN_EXE_misbehaving-parser").into(),
        arguments: Vec::new(),
        children: 1,
        limits: Limits {
            memory: 256 * 1024 * 1024,
            cpu: Duration::from_secs(2),
            wall: Duration::from_secs(20),
        },
        ..PoolOptions::default()
    }
}

async fn read(pool: &ParserPool, what: &str) -> Result<ParsedDocument, ParseError> {
    pool.parse(&Bytes::from_static(b"a text"), what).await
}

/// The process id of the child that a document is given to.
async fn who(pool: &ParserPool) -> u32 {
    let answer = read(pool, "who").await.expect("a child that answers");
    answer.text.parse().expect("a number")
}

/// The failure of a document, after which the pool reads another one.
async fn refused(pool: &ParserPool, what: &str) -> ParseError {
    let error = read(pool, what).await.expect_err("a failure");
    let next = read(pool, "fine").await.expect("another document is read");
    assert_eq!(next.text, "a text", "after {what}");
    error
}

fn is_running(process: u32) -> bool {
    Path::new(&format!("/proc/{process}/exe")).exists()
}

async fn gone(process: u32) {
    let begun = Instant::now();
    while is_running(process) {
        assert!(
            begun.elapsed() < Duration::from_secs(10),
            "{process} is still there"
        );
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn a_child_is_kept_for_the_next_document() {
    let pool = ParserPool::new(options());
    let first = who(&pool).await;
    assert_eq!(read(&pool, "fine").await.unwrap().text, "a text");
    assert_eq!(read(&pool, "refuse").await.unwrap_err().message, "A reason.");
    // Printing does not disturb the conversation.
    assert_eq!(read(&pool, "print").await.unwrap().text, "a text");
    assert_eq!(read(&pool, "threads").await.unwrap().text, "4");
    assert_eq!(who(&pool).await, first);
    let empty = pool.parse(&Bytes::new(), "fine").await.unwrap();
    assert_eq!(empty.text, "");
    drop(pool);
    gone(first).await;
}

#[tokio::test]
async fn a_large_document_goes_through_whole() {
    let pool = ParserPool::new(options());
    let text = "قهوة and coffee. ".repeat(1_000_000);
    let bytes = Bytes::from(text.clone());
    assert!(pool.parse(&bytes, "fine").await.unwrap().text == text);
    let too_large = Bytes::from(vec![b'x'; 129 * 1024 * 1024]);
    let error = pool.parse(&too_large, "fine").await.unwrap_err();
    assert_eq!(error.message, "The file is larger than 128 MB.");
    let too_much = Bytes::from(vec![b'x'; 65 * 1024 * 1024]);
    let error = pool.parse(&too_much, "fine").await.unwrap_err();
    assert_eq!(error.code, ParseErrorCode::InvalidFile);
}

#[tokio::test]
async fn every_limit_ends_in_its_own_words() {
    let pool = ParserPool::new(options());
    for (what, words) in [
        ("all memory", "more memory than allowed (256 MB)"),
        ("spin", "more processor time than allowed (2 s)"),
        ("stack", "nested too deeply"),
        ("abort", "crashed"),
        ("exit", "crashed"),
        ("garbage", "crashed"),
        ("huge", "crashed"),
        ("half", "crashed"),
        ("bad offset", "crashed"),
        ("panic", "failed"),
        ("many headings", "too many headings"),
    ] {
        let error = refused(&pool, what).await;
        assert_eq!(error.code, ParseErrorCode::InvalidFile, "{what}");
        assert!(error.message.contains(words), "{what}: {}", error.message);
    }
    let mut hasty = options();
    hasty.limits.wall = Duration::from_secs(1);
    let error = refused(&ParserPool::new(hasty), "hang").await;
    assert!(
        error.message.contains("longer than allowed (1 s)"),
        "{}",
        error.message
    );
}

#[tokio::test]
async fn resident_memory_stays_below_the_limit() {
    let pool = Arc::new(ParserPool::new(options()));
    let child = who(&pool).await;
    let greedy = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { read(&pool, "brim").await }
    });
    let mut most = 0;
    while let Ok(status) = std::fs::read_to_string(format!("/proc/{child}/status")) {
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let Some(kilobytes) =
            line.and_then(|line| line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok())
        else {
            break;
        };
        most = kilobytes / 1024;
        tokio::time::sleep(Duration::from_millis(10)).await;
    }
    assert!(greedy.await.unwrap().is_ok());
    assert!(
        (150..=256).contains(&most),
        "{most} MiB were resident, 256 are allowed"
    );
}

#[tokio::test]
async fn processor_time_is_for_each_document() {
    let pool = ParserPool::new(options());
    // Together more than one document may take, in one child.
    let child = who(&pool).await;
    let begun = Instant::now();
    while begun.elapsed() < Duration::from_millis(3500) {
        let text = Bytes::from(vec![b'a'; 20_000_000]);
        pool.parse(&text, "fine").await.unwrap();
    }
    assert_eq!(who(&pool).await, child);
}

#[tokio::test]
async fn a_crash_that_was_an_accident_is_not_the_documents_fault() {
    let folder = tempfile::tempdir().unwrap();
    let mut options = options();
    options.arguments = vec!["crash-first".into(), folder.path().join("was-here").into()];
    let pool = ParserPool::new(options);
    assert_eq!(read(&pool, "crash if first").await.unwrap().text, "a text");
}

#[tokio::test]
async fn children_are_replaced_when_worn_out_killed_or_idle() {
    let mut options = options();
    options.documents_per_child = 3;
    options.idle_for = Duration::from_millis(300);
    let pool = ParserPool::new(options);
    let first = who(&pool).await;
    assert_eq!((who(&pool).await, who(&pool).await), (first, first));
    let second = who(&pool).await;
    assert_ne!(second, first, "after three documents");
    gone(first).await;

    read(&pool, "memory").await.unwrap();
    let third = who(&pool).await;
    assert_ne!(third, second, "after much memory");
    gone(second).await;

    let killed = rustix::process::Pid::from_raw(third.try_into().unwrap()).unwrap();
    rustix::process::kill_process(killed, rustix::process::Signal::KILL).unwrap();
    let fourth = who(&pool).await;
    assert_ne!(fourth, third);
    gone(fourth).await;
    assert_ne!(who(&pool).await, fourth);
}

#[tokio::test]
async fn a_document_that_nobody_waits_for_is_abandoned() {
    let pool = Arc::new(ParserPool::new(options()));
    let child = who(&pool).await;
    let hanging = tokio::spawn({
        let pool = Arc::clone(&pool);
        async move { read(&pool, "hang").await }
    });
    tokio::time::sleep(Duration::from_millis(200)).await;
    assert!(is_running(child));
    hanging.abort();
    gone(child).await;
    assert_eq!(
        read(&pool, "fine").await.unwrap().text,
        "a text",
        "the place is free again"
    );
}

#[tokio::test]
async fn what_is_our_fault_is_not_blamed_on_the_document() {
    let mut missing = options();
    missing.program = "/nonexistent/insula".into();
    let mut broken = options();
    broken.arguments = vec!["refuse-to-start".into()];
    for (options, words) in [(missing, "does not start"), (broken, "not today")] {
        let error = read(&ParserPool::new(options), "fine").await.unwrap_err();
        assert_eq!(error.code, ParseErrorCode::ServerError);
        assert!(error.message.contains(words), "{}", error.message);
    }

    /// Says that it has more than it has.
    struct Short;
    #[async_trait]
    impl DocumentSource for Short {
        async fn open(&self) -> io::Result<(Box<dyn AsyncRead + Send + Unpin>, u64)> {
            Ok((Box::new(&b"short"[..]), 1000))
        }
    }
    let pool = ParserPool::new(options());
    let error = pool.parse(&Short, "fine").await.unwrap_err();
    assert_eq!(error.code, ParseErrorCode::ServerError);
    assert_eq!(read(&pool, "fine").await.unwrap().text, "a text");
}

/// Opens the same bytes, and counts how often.
struct Counted(AtomicU32);

#[async_trait]
impl DocumentSource for Counted {
    async fn open(&self) -> io::Result<(Box<dyn AsyncRead + Send + Unpin>, u64)> {
        self.0.fetch_add(1, Ordering::Relaxed);
        Bytes::from_static(b"a text").open().await
    }
}

#[tokio::test]
async fn a_crash_is_tried_once_more_and_a_limit_is_not() {
    let pool = ParserPool::new(options());
    for (what, times) in [("fine", 1), ("abort", 2), ("spin", 1), ("all memory", 1)] {
        // A new child each: what an old one has left behind may be the cause of a lack of memory.
        drop(read(&pool, "panic").await);
        let document = Counted(AtomicU32::new(0));
        drop(pool.parse(&document, what).await);
        assert_eq!(document.0.load(Ordering::Relaxed), times, "{what}");
    }
}

#[tokio::test]
async fn nothing_that_is_forbidden_can_be_done() {
    let probe = ParserPool::new(options()).probe().await.unwrap();
    assert!(probe.attempts.len() > 8);
    for attempt in &probe.attempts {
        let may_succeed = attempt.best_effort && matches!(probe.files, FileRules::Missing(_));
        assert!(
            attempt.refused || may_succeed,
            "{}: {}",
            attempt.what,
            attempt.outcome
        );
    }
}
