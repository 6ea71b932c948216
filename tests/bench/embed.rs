//! `make bench-embed`: how much of the bare model's rate is left behind the batching front, on one thread and on all.
//!
//! The yardstick is fastembed on the same graph, library and threads: in its best case, with texts sorted by length beforehand and
//! in batches of eight, and as it is called by default, with all texts at once. What is measured alternates, and the best of each
//! counts, so that whatever else the machine does hits all alike.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};
use fastembed::{InitOptionsUserDefined, Pooling, TextEmbedding, TokenizerFiles, UserDefinedEmbeddingModel};
use futures::{StreamExt, TryStreamExt};
use insula_core::model::EmbedPurpose::Bulk;
use insula_core::model::{Embedder, TokenCounter};
use insula_inference::onnx::{OnnxEmbedder, OnnxOptions};

/// Texts of each kind.
const TEXTS: usize = 512;
/// Texts per call, as an ingesting job sends them.
const PER_CALL: usize = 128;
/// Calls in flight, so that the batcher never runs dry.
const CALLS: usize = 4;
/// How long each kind is measured, unless told otherwise.
pub const SECONDS: f64 = 20.0;

/// The model by itself, without batching, length checks or self-check.
///
/// # Errors
/// When it cannot be loaded.
pub fn bare(options: &OnnxOptions) -> Result<TextEmbedding> {
    let read = |name: &str| {
        let path = options.model_dir.join(name);
        std::fs::read(&path).with_context(|| path.display().to_string())
    };
    let tokenizer = TokenizerFiles {
        tokenizer_file: read("tokenizer.json")?,
        config_file: read("config.json")?,
        special_tokens_map_file: read("special_tokens_map.json")?,
        tokenizer_config_file: read("tokenizer_config.json")?,
    };
    let model = UserDefinedEmbeddingModel::new(read("model.onnx")?, tokenizer).with_pooling(Pooling::Mean);
    let init = InitOptionsUserDefined::new()
        .with_environment(options.environment()?)
        .with_max_length(256)
        .with_intra_threads(options.threads)
        .with_session_config("session.intra_op.allow_spinning", "0");
    Ok(TextEmbedding::try_new_from_user_defined(model, init)?)
}

/// What is measured side by side on one kind of texts, in tokens per second.
#[derive(Default)]
struct Rates {
    sorted: f64,
    unsorted: f64,
    front: f64,
}

/// Measures and prints.
///
/// # Errors
/// When the model cannot be loaded or fails.
pub async fn run(runtime: &Path, seconds: f64) -> Result<()> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let library = runtime.join("onnxruntime/libonnxruntime.so");
    let all = OnnxOptions::new(library, runtime.join("models/all-MiniLM-L6-v2"));
    let single = OnnxOptions {
        threads: 1,
        ..all.clone()
    };
    let each = OnnxOptions {
        sessions: cores,
        ..single.clone()
    };
    let embedder = OnnxEmbedder::load(single.clone())?;
    let counter = embedder.counter();
    let kinds = [
        ("16 tokens", of_length(counter, 14)),
        ("64 tokens", of_length(counter, 62)),
        ("256 tokens", of_length(counter, 254)),
        ("10 to 230 tokens", mixed()),
    ];
    println!(
        "| one thread | fastembed, sorted, 8 at a time | fastembed, embed(all) | front | of the best case | of embed(all) |"
    );
    println!("| --- | --- | --- | --- | --- | --- |");
    let mut yardstick = bare(&single)?;
    for (name, texts) in &kinds {
        let Rates {
            sorted,
            unsorted,
            front,
        } = measure(&embedder, &mut yardstick, texts, seconds).await?;
        println!(
            "| {name} | {sorted:.0} tokens/s | {unsorted:.0} | {front:.0} | {:.2} | {:.2} |",
            front / sorted,
            front / unsorted
        );
    }
    drop((embedder, yardstick));
    println!("\n| {cores} threads, 10 to 230 tokens | front |\n| --- | --- |");
    let (_, texts) = &kinds[3];
    for (name, options) in [("one session on all of them", all), ("a session on each", each)] {
        let embedder = OnnxEmbedder::load(options)?;
        let tokens = embedder.embed(texts.clone(), Bulk.into()).await?.tokens;
        let until = Instant::now() + Duration::from_secs_f64(seconds);
        let mut best = Duration::MAX;
        while Instant::now() < until {
            best = best.min(through_the_front(&embedder, texts).await?);
        }
        println!("| {name} | {:.0} tokens/s |", rate(&tokens, best));
    }
    Ok(())
}

async fn measure(
    embedder: &OnnxEmbedder,
    yardstick: &mut TextEmbedding,
    texts: &[String],
    seconds: f64,
) -> Result<Rates> {
    // Also warms it up, and tells how many tokens there are.
    let tokens = embedder.embed(texts.to_vec(), Bulk.into()).await?.tokens;
    let mut order: Vec<usize> = (0..texts.len()).collect();
    order.sort_by_key(|n| tokens[*n]);
    let in_order: Vec<&str> = order.iter().map(|n| texts[*n].as_str()).collect();
    let mut rates = Rates::default();
    let until = Instant::now() + Duration::from_secs_f64(seconds);
    loop {
        let started = Instant::now();
        yardstick.embed(&in_order, Some(8))?;
        rates.sorted = rates.sorted.max(rate(&tokens, started.elapsed()));
        let started = Instant::now();
        yardstick.embed(texts, None)?;
        rates.unsorted = rates.unsorted.max(rate(&tokens, started.elapsed()));
        let took = through_the_front(embedder, texts).await?;
        rates.front = rates.front.max(rate(&tokens, took));
        if Instant::now() >= until {
            return Ok(rates);
        }
    }
}

async fn through_the_front(embedder: &OnnxEmbedder, texts: &[String]) -> Result<Duration> {
    let started = Instant::now();
    futures::stream::iter(texts.chunks(PER_CALL).map(<[String]>::to_vec))
        .map(|call| embedder.embed(call, Bulk.into()))
        .buffer_unordered(CALLS)
        .try_for_each(|_| async { Ok(()) })
        .await?;
    Ok(started.elapsed())
}

fn rate(tokens: &[usize], took: Duration) -> f64 {
    tokens.iter().sum::<usize>() as f64 / took.as_secs_f64()
}

/// Words, from one place to the next; the same at every run.
fn words() -> impl Iterator<Item = &'static str> + Clone {
    let text = include_str!("../../README.md");
    text.split_whitespace().filter(|word| word.is_ascii()).cycle()
}

/// Texts of so many tokens each, special tokens not counted.
fn of_length(counter: &dyn TokenCounter, tokens: usize) -> Vec<String> {
    let mut words = words();
    let mut next = || {
        let mut text = String::new();
        while counter.count(&text) < tokens {
            text.push(' ');
            text.push_str(words.next().unwrap_or("word"));
        }
        while counter.count(&text) > tokens {
            text.pop();
        }
        text
    };
    (0..TEXTS).map(|_| next()).collect()
}

/// Texts of 10 to about 230 tokens, most of them long, as chunkers make them.
fn mixed() -> Vec<String> {
    let mut state = 7_u32;
    let mut random = |below: usize| {
        state = state.wrapping_mul(1_664_525).wrapping_add(1_013_904_223);
        (state >> 8) as usize % below
    };
    let mut words = words();
    let mut text = |length: usize| words.by_ref().take(length).collect::<Vec<_>>().join(" ");
    (0..TEXTS).map(|_| text(5 + random(90).max(random(90)))).collect()
}
