//! How much of the bare model's rate is left behind the batcher. Prints one line of JSON.
//!
//!     cargo run --release -p insula-inference --example embed_rate -- [RUNTIME_DIR] [SECONDS] [TEXTS_FILE]
//!
//! `RUNTIME_DIR` is where `make bootstrap` puts the library and the model (default `.runtime`), `TEXTS_FILE` has
//! one text per line (default: made-up texts with the lengths of real chunks). The bare model gets the same texts
//! in its best case: sorted by length beforehand, in batches of eight.

use std::path::PathBuf;
use std::time::{Duration, Instant};

use insula_core::model::EmbedPurpose::Bulk;
use insula_core::model::Embedder;
use insula_inference::onnx::{OnnxEmbedder, OnnxOptions};

/// Texts per call, as an ingesting job sends them.
const TEXTS_PER_CALL: usize = 256;

/// Calls in flight, so that the batcher never runs dry.
const CALLS: usize = 2;

type Failure = Box<dyn std::error::Error>;

#[tokio::main]
async fn main() -> Result<(), Failure> {
    let mut arguments = std::env::args().skip(1);
    let runtime = PathBuf::from(arguments.next().unwrap_or_else(|| ".runtime".into()));
    let seconds: f64 = arguments.next().map_or(Ok(5.0), |text| text.parse())?;
    let texts = match arguments.next() {
        Some(path) => std::fs::read_to_string(path)?
            .lines()
            .map(str::to_owned)
            .collect(),
        None => made_up(4 * TEXTS_PER_CALL),
    };
    let options = OnnxOptions::new(
        runtime.join("onnxruntime/libonnxruntime.so"),
        runtime.join("models/all-MiniLM-L6-v2"),
    );
    let embedder = OnnxEmbedder::load(options.clone())?;
    let calls: Vec<Vec<String>> = texts.chunks(TEXTS_PER_CALL).map(<[String]>::to_vec).collect();
    // Also warms both up, and tells how many tokens there are.
    let mut tokens = Vec::new();
    for call in &calls {
        tokens.extend(embedder.embed(call.clone(), Bulk).await?.tokens);
    }
    let total = tokens.iter().sum::<usize>() as f64;
    let (mut raw, mut front) = (f64::INFINITY, f64::INFINITY);
    let mut bare = options.open_bare()?;
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|&n| tokens[n]);
    let sorted: Vec<&str> = order.into_iter().map(|n| texts[n].as_str()).collect();
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    // Alternating, best of each: whatever else the machine does then hits both alike.
    loop {
        let started = Instant::now();
        bare.embed(&sorted, Some(8))?;
        raw = raw.min(started.elapsed().as_secs_f64());
        front = front.min(through_the_front(&embedder, &calls).await?);
        if Instant::now() >= until {
            break;
        }
    }
    let report = serde_json::json!({
        "raw_tokens_per_s": (total / raw).round(),
        "front_tokens_per_s": (total / front).round(),
        "ratio": (raw / front * 1000.0).round() / 1000.0,
        "chunks_per_s": (texts.len() as f64 / front * 10.0).round() / 10.0,
    });
    println!("{report}");
    Ok(())
}

/// Seconds for all calls.
async fn through_the_front(embedder: &OnnxEmbedder, calls: &[Vec<String>]) -> Result<f64, Failure> {
    use futures::{StreamExt, TryStreamExt};
    let started = Instant::now();
    futures::stream::iter(calls.iter().cloned())
        .map(|call| embedder.embed(call, Bulk))
        .buffer_unordered(CALLS)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    Ok(started.elapsed().as_secs_f64())
}

/// Texts of 10 to about 230 tokens, most of them long, as chunkers make them. The same at every run.
fn made_up(count: usize) -> Vec<String> {
    let words: Vec<&str> = include_str!("../README.md")
        .split_whitespace()
        .filter(|word| word.is_ascii())
        .collect();
    let mut state = 7_u32;
    let mut random = move |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let lengths = (0..count).map(|_| 5 + random(90).max(random(90)));
    let lengths: Vec<usize> = lengths.collect();
    let mut at = 0;
    lengths
        .into_iter()
        .map(|length| {
            at += length;
            words
                .iter()
                .cycle()
                .skip(at % words.len())
                .take(length)
                .copied()
                .collect::<Vec<_>>()
                .join(" ")
        })
        .collect()
}
