use std::sync::mpsc;

use insula_core::model::EmbedPurpose::{Bulk, Interactive};

use super::*;

/// Tokens of every text here.
const LENGTH: usize = 10;

/// A text as tokens: its characters, and then nothing.
fn ids(text: &str) -> Vec<u32> {
    let mut ids: Vec<u32> = text.chars().map(u32::from).collect();
    assert!(ids.len() <= LENGTH, "{text}");
    ids.resize(LENGTH, 0);
    ids
}

fn text(ids: &[u32]) -> String {
    let characters = ids.iter().filter(|id| **id > 0);
    characters
        .map(|id| char::from_u32(*id).expect("a character"))
        .collect()
}

/// Answers `[length of the text]` and reports every run; each run waits for a go.
struct Gated {
    go: mpsc::Receiver<()>,
    runs: mpsc::Sender<Vec<String>>,
}

impl Engine for Gated {
    fn embed(&mut self, texts: &[&[u32]]) -> Result<Vec<Vec<f32>>, BoxError> {
        let texts: Vec<String> = texts.iter().map(|ids| text(ids)).collect();
        self.runs.send(texts.clone())?;
        self.go.recv()?;
        if texts.iter().any(|text| text.contains("panic")) {
            panic!("told to");
        }
        Ok(texts.iter().map(|text| vec![text.len() as f32]).collect())
    }
}

/// The batcher is dropped last: it waits for its worker, which waits for a go.
struct Rig {
    go: mpsc::Sender<()>,
    runs: mpsc::Receiver<Vec<String>>,
    batcher: Arc<Batcher>,
}

fn rig(batch_tokens: usize, queue_tokens: usize) -> Rig {
    let (go, going) = mpsc::channel();
    let (ran, runs) = mpsc::channel();
    let engine = Gated { go: going, runs: ran };
    let batcher = Batcher::start(
        vec![engine],
        Limits {
            batch_tokens,
            queue_tokens,
        },
    )
    .expect("threads");
    Rig {
        go,
        runs,
        batcher: Arc::new(batcher),
    }
}

impl Rig {
    /// Starts a request and waits until it is in the queue or with the worker.
    async fn submit(
        &self,
        texts: &[&str],
        purpose: EmbedPurpose,
    ) -> tokio::task::JoinHandle<Result<Vec<Vec<f32>>>> {
        let before = self.batcher.shared.lock().queue.last_id();
        let batcher = Arc::clone(&self.batcher);
        let texts = texts.iter().map(|text| ids(text)).collect();
        let task = tokio::spawn(async move { batcher.embed(texts, purpose.into()).await });
        while self.batcher.shared.lock().queue.last_id() == before {
            tokio::task::yield_now().await;
        }
        task
    }

    fn next_run(&self) -> Vec<String> {
        self.runs
            .recv_timeout(Duration::from_secs(10))
            .expect("the worker runs")
    }
}

#[tokio::test]
async fn a_query_overtakes_a_long_job() {
    let rig = rig(20, 10_000);
    let job = rig.submit(&["job"; 100], Bulk).await;
    assert_eq!(rig.next_run(), ["job", "job"]);
    let query = rig.submit(&["query"], Interactive).await;
    rig.go.send(()).expect("worker");
    assert_eq!(rig.next_run(), ["query"]);
    rig.go.send(()).expect("worker");
    assert_eq!(query.await.expect("task").expect("vectors"), [[5.0]]);
    assert!(!job.is_finished());
    for _ in 0..49 {
        rig.go.send(()).expect("worker");
    }
    assert_eq!(job.await.expect("task").expect("vectors"), vec![vec![3.0]; 100]);
}

#[tokio::test]
async fn dropping_the_future_gives_up_what_waits() {
    let rig = rig(10, 10_000);
    let job = rig.submit(&["first", "second", "third"], Bulk).await;
    rig.next_run();
    job.abort();
    assert!(job.await.expect_err("aborted").is_cancelled());
    let next = rig.submit(&["next"], Bulk).await;
    rig.go.send(()).expect("worker");
    assert_eq!(rig.next_run(), ["next"]);
    rig.go.send(()).expect("worker");
    assert_eq!(next.await.expect("task").expect("vectors"), [[4.0]]);
}

#[tokio::test]
async fn a_panic_reaches_only_the_caller_who_caused_it() {
    let rig = rig(100, 10_000);
    let first = rig.submit(&["hold"], Bulk).await;
    rig.next_run();
    let bad = rig.submit(&["panic"], Bulk).await;
    let good = rig.submit(&["good"], Bulk).await;
    for _ in 0..4 {
        rig.go.send(()).expect("worker");
    }
    first.await.expect("task").expect("vectors");
    assert!(matches!(bad.await.expect("task"), Err(Error::Internal(_))));
    assert_eq!(good.await.expect("task").expect("vectors"), [[4.0]]);
    assert_eq!(
        rig.next_run(),
        ["panic", "good"],
        "they were tried together first"
    );
}

#[tokio::test]
async fn a_full_lane_says_when_to_come_back() {
    let rig = rig(10, 20);
    let _held = rig.submit(&["one", "two", "three"], Bulk).await;
    rig.next_run();
    let refused = rig.batcher.embed(vec![ids("four")], Bulk.into()).await;
    let Err(Error::Overloaded { retry_after, .. }) = refused else {
        panic!("{refused:?}")
    };
    assert!((1..=60).contains(&retry_after.as_secs()));
    assert!(rig.batcher.check_room(Bulk).is_err());
    assert!(rig.batcher.check_room(Interactive).is_ok());
    drop(rig.go);
}

#[tokio::test]
async fn nobody_hangs_when_the_workers_are_gone() {
    let batcher = Batcher::start(
        Vec::<Gated>::new(),
        Limits {
            batch_tokens: 1,
            queue_tokens: 1,
        },
    )
    .expect("threads");
    assert!(matches!(
        batcher.embed(vec![ids("x")], Bulk.into()).await,
        Err(Error::Internal(_))
    ));
}
