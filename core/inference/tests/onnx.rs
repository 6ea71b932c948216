//! The real model behind the batcher. Skipped where there is no `.runtime`.

mod runtime;

use std::sync::Arc;

use insula_core::Error;
use insula_core::model::EmbedPurpose::{Bulk, Interactive};
use insula_core::model::Embedder;
use insula_inference::onnx::{Device, LoadError, OnnxEmbedder};
use serde::Deserialize;

#[derive(Deserialize)]
struct Golden {
    text: String,
    ids: Vec<u32>,
    vector: Vec<f32>,
}

fn load() -> Option<(Arc<OnnxEmbedder>, Vec<Golden>)> {
    let options = runtime::options()?;
    let golden = std::fs::read(options.model_dir.join("golden.json")).expect("golden.json");
    let golden = serde_json::from_slice(&golden).expect("golden.json");
    Some((
        Arc::new(OnnxEmbedder::load(options).expect("the model loads")),
        golden,
    ))
}

fn cosine(a: &[f32], b: &[f32]) -> f32 {
    let dot = |a: &[f32], b: &[f32]| {
        a.iter()
            .zip(b)
            .map(|(a, b)| f64::from(*a) * f64::from(*b))
            .sum::<f64>()
    };
    (dot(a, b) / (dot(a, a) * dot(b, b)).sqrt()) as f32
}

/// Texts of very different lengths, all within the model's limit.
fn mixed_texts(count: usize) -> Vec<String> {
    (0..count)
        .map(|n| {
            format!(
                "Text number {n}: {}",
                "rain falls on the old harbour ".repeat(n * 7 % 30)
            )
        })
        .collect()
}

#[tokio::test]
async fn vectors_are_those_of_the_original_model() {
    let Some((embedder, golden)) = load() else { return };
    let max = embedder.card().max_tokens;
    let fitting: Vec<_> = golden.iter().filter(|golden| golden.ids.len() < max).collect();
    assert!(fitting.len() > 20, "only {} golden texts", fitting.len());
    let texts = fitting.iter().map(|golden| golden.text.clone()).collect();
    let found = embedder.embed(texts, Bulk.into()).await.expect("vectors");
    for ((golden, vector), tokens) in fitting.iter().zip(&found.vectors).zip(&found.tokens) {
        assert_eq!(*tokens, golden.ids.len(), "{:?}", golden.text);
        assert_eq!(
            embedder.counter().count(&golden.text),
            tokens - 2,
            "{:?}",
            golden.text
        );
        let cosine = cosine(vector, &golden.vector);
        assert!(cosine >= 0.9999, "cosine {cosine} for {:?}", golden.text);
        let length = vector.iter().map(|x| x * x).sum::<f32>().sqrt();
        assert!((length - 1.0).abs() < 1e-4, "length {length}");
    }
}

#[tokio::test]
async fn a_text_has_the_same_vector_alone_and_in_a_crowd_in_input_order() {
    let Some((embedder, _)) = load() else { return };
    let texts = mixed_texts(60);
    let together = embedder.embed(texts.clone(), Bulk.into()).await.expect("vectors");
    assert_eq!((together.vectors.len(), together.tokens.len()), (60, 60));
    for (text, vector) in texts.into_iter().zip(&together.vectors).step_by(7) {
        let alone = embedder
            .embed(vec![text.clone()], Interactive.into())
            .await
            .expect("a vector");
        let cosine = cosine(&alone.vectors[0], vector);
        assert!(cosine >= 0.9999, "cosine {cosine} for {text:?}");
    }
}

#[tokio::test]
async fn nothing_in_nothing_out_and_empty_texts_are_texts() {
    let Some((embedder, _)) = load() else { return };
    assert!(
        embedder
            .embed(Vec::new(), Bulk.into())
            .await
            .expect("no vectors")
            .vectors
            .is_empty()
    );
    let found = embedder
        .embed(vec![String::new(), "[PAD] [CLS] \0".into()], Bulk.into())
        .await
        .expect("vectors");
    assert_eq!(found.tokens[0], 2, "only the special tokens");
}

#[tokio::test]
async fn a_text_is_taken_whole_or_not_at_all() {
    let Some((embedder, _)) = load() else { return };
    let max = embedder.card().max_tokens;
    let exact = "rain ".repeat(max - 2);
    let found = embedder
        .embed(vec![exact.clone()], Interactive.into())
        .await
        .expect("just fits");
    assert_eq!(found.tokens, [max]);
    let error = embedder
        .embed(vec!["short".into(), exact + "again"], Interactive.into())
        .await
        .expect_err("too long");
    let Error::Invalid { message, param, code } = error else {
        panic!("{error:?}")
    };
    assert_eq!(
        (param.as_deref(), code),
        (Some("input[1]"), Some("context_length_exceeded"))
    );
    assert!(message.contains(&format!("has {} tokens", max + 1)), "{message}");
}

#[tokio::test]
async fn a_query_is_answered_while_a_job_goes_on() {
    let Some((embedder, _)) = load() else { return };
    let worker = Arc::clone(&embedder);
    let job = tokio::spawn(async move { worker.embed(mixed_texts(2000), Bulk.into()).await });
    // The job is with the model once its lane is not empty; until then a query proves nothing.
    tokio::time::sleep(std::time::Duration::from_millis(300)).await;
    embedder
        .embed(vec!["where is the harbour?".into()], Interactive.into())
        .await
        .expect("a vector");
    assert!(!job.is_finished(), "the query overtook the job");
    job.abort();
    assert!(job.await.expect_err("aborted").is_cancelled());
    embedder
        .embed(vec!["and now?".into()], Bulk.into())
        .await
        .expect("the cancelled job left nothing behind");
}

#[tokio::test]
async fn several_sessions_give_the_same_vectors() {
    let Some(mut options) = runtime::options() else {
        return;
    };
    options.sessions = 2;
    options.threads = 1;
    let two = OnnxEmbedder::load(options.clone()).expect("loads");
    options.sessions = 1;
    let one = OnnxEmbedder::load(options).expect("a second model shares the library");
    let texts = mixed_texts(40);
    let found = two.embed(texts.clone(), Bulk.into()).await.expect("vectors");
    let expected = one.embed(texts, Bulk.into()).await.expect("vectors");
    for (a, b) in found.vectors.iter().zip(&expected.vectors) {
        assert!(cosine(a, b) >= 0.9999);
    }
}

#[tokio::test]
async fn the_graph_for_a_card_gives_the_same_vectors() {
    let Some(mut options) = runtime::options() else {
        return;
    };
    let graph = options.model_dir.join("model.cuda.onnx");
    if !graph.exists() {
        eprintln!(
            "skipped: {} is missing; `make bootstrap` makes it",
            graph.display()
        );
        return;
    }
    // A processor runs it too, if slowly.
    let dir = copy(&options, "for_a_card");
    std::fs::copy(graph, dir.join("model.onnx")).expect("copied");
    let manifest = std::fs::read_to_string(dir.join("model.toml")).expect("manifest");
    let unsigned = manifest.lines().filter(|line| !line.starts_with("sha256"));
    std::fs::write(dir.join("model.toml"), unsigned.collect::<Vec<_>>().join("\n")).expect("written");
    options.model_dir = dir;
    let golden = std::fs::read(options.model_dir.join("golden.json")).expect("golden.json");
    let golden: Vec<Golden> = serde_json::from_slice(&golden).expect("golden.json");
    let embedder = OnnxEmbedder::load(options).expect("loads");
    let texts = golden
        .iter()
        .filter(|golden| golden.ids.len() < embedder.card().max_tokens);
    let (texts, golden): (Vec<_>, Vec<_>) = texts.map(|golden| (golden.text.clone(), golden)).unzip();
    let found = embedder.embed(texts, Bulk.into()).await.expect("vectors");
    for (golden, vector) in golden.iter().zip(&found.vectors) {
        let cosine = cosine(vector, &golden.vector);
        assert!(cosine >= 0.9999, "cosine {cosine} for {:?}", golden.text);
    }
}

#[test]
fn a_card_that_cannot_be_used_is_an_error_and_never_the_processor() {
    let Some(options) = runtime::options() else {
        return;
    };
    // The bootstrap's library has no CUDA in it.
    let error = OnnxEmbedder::load(options.on(Device::Cuda(0)))
        .map(|_| ())
        .expect_err("no card");
    let told = error.to_string();
    assert!(
        matches!(
            error,
            LoadError::Device {
                device: Device::Cuda(0),
                ..
            }
        ),
        "{error:?}"
    );
    assert!(told.starts_with("the model cannot run on cuda:0: "), "{told}");
}

/// A copy of the model directory in which files can be broken.
fn copy(options: &insula_inference::onnx::OnnxOptions, name: &str) -> std::path::PathBuf {
    let dir = std::path::PathBuf::from(env!("CARGO_TARGET_TMPDIR")).join(name);
    std::fs::create_dir_all(&dir).expect("a directory");
    for file in std::fs::read_dir(&options.model_dir)
        .expect("model")
        .map(|file| file.expect("file"))
    {
        if file.file_name() != "model.onnx" {
            std::fs::copy(file.path(), dir.join(file.file_name())).expect("copied");
        }
    }
    dir
}

#[test]
fn damaged_models_are_refused_with_the_file_that_is_to_blame() {
    let Some(mut options) = runtime::options() else {
        return;
    };
    let graph = std::fs::read(options.model_dir.join("model.onnx")).expect("graph");
    options.model_dir = copy(&options, "damaged");
    let load = || {
        OnnxEmbedder::load(options.clone())
            .map(|_| ())
            .expect_err("damaged")
    };
    let file = |name: &str| options.model_dir.join(name);
    let _ = std::fs::remove_file(file("model.onnx"));
    let error = load();
    assert!(
        matches!(&error, LoadError::File { path, .. } if path.ends_with("model.onnx")),
        "{error:?}"
    );

    std::fs::write(file("model.onnx"), &graph[..graph.len() / 2]).expect("written");
    let error = load();
    assert!(
        matches!(&error, LoadError::Corrupt { reason, .. } if reason.contains("sha256")),
        "{error:?}"
    );

    let manifest = std::fs::read_to_string(file("model.toml")).expect("manifest");
    let unsigned: String = manifest
        .lines()
        .filter(|line| !line.starts_with("sha256"))
        .map(|l| format!("{l}\n"))
        .collect();
    std::fs::write(file("model.toml"), &unsigned).expect("written");
    let error = load();
    assert!(
        matches!(&error, LoadError::Corrupt { path, .. } if path.ends_with("model.onnx")),
        "{error:?}"
    );

    std::fs::write(file("model.onnx"), &graph).expect("written");
    let golden = std::fs::read_to_string(file("golden.json")).expect("golden");
    std::fs::write(
        file("golden.json"),
        golden.replacen("\"vector\":[", "\"vector\":[9.0,", 1),
    )
    .expect("written");
    let error = load();
    assert!(
        matches!(&error, LoadError::SelfCheck { reason, .. } if reason.contains("cosine")),
        "{error:?}"
    );

    std::fs::write(file("golden.json"), golden).expect("written");
    std::fs::write(
        file("model.toml"),
        unsigned.replace("max_tokens = 256", "max_tokens = 100000"),
    )
    .expect("written");
    let error = load();
    assert!(
        matches!(&error, LoadError::Corrupt { path, reason } if path.ends_with("config.json") && reason.contains("max_tokens")),
        "{error:?}"
    );
}
