//! How good the search of the real server is, on public sets.
//!
//!     bench relevance INSULA_BINARY RUNTIME_DIR FOLDER [LANGUAGES]
//!
//! Documents are brought as passages, one for each, with vectors that the real model computed once (they are kept in
//! RUNTIME_DIR/bench). Each question is asked over HTTP: by words alone, by meaning alone, by both, and by both with a model that
//! ranks, where `INSULA_RERANK_MODELS` names one. Only questions that no constant was chosen by are counted, except XQuAD's,
//! half of which were; SciFact's are its published test questions.

pub(crate) mod lab;
mod measure;
mod sets;
mod vectors;

use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use futures::{StreamExt, TryStreamExt};
use serde_json::{Value, json};

use self::measure::{AT, Quality};
use self::sets::Set;
use crate::server::Server;

/// Passages of one call.
const PART: usize = 500;
/// Questions at once.
const CLIENTS: usize = 4;
/// Bounds of the parts in which scores are compared with what they promise.
const PARTS: usize = 10;

/// What a set's search comes to in one way.
struct Measured {
    quality: Quality,
    /// By tenths of the score: results, and how many of them were right.
    calibration: [(usize, usize); PARTS],
}

/// Prints the tables, of XQuAD in these languages (`en,ar`) or all.
pub(crate) async fn run(binary: &Path, runtime: &Path, folder: &Path, languages: Option<&str>) -> Result<()> {
    let languages = sets::languages(languages);
    let data = tempfile::tempdir()?;
    let server = Server::start(binary, runtime, data.path(), &[]).await?;
    let ranker = ranker()?;
    let weights =
        |vector: f64, text: f64| json!({"hybrid_search": {"embedding_weight": vector, "text_weight": text}});
    let mut ways = vec![
        ("words", weights(0.0, 1.0)),
        ("meaning", weights(1.0, 0.0)),
        ("both", json!({})),
    ];
    if let Some(ranker) = &ranker {
        ways.push(("both, ranked anew", json!({ "ranker": ranker })));
    }
    println!("| set | documents | questions | by | nDCG@{AT} | recall@{AT} |");
    println!("| --- | --: | --: | --- | --: | --: |");
    let mut promised = [(0, 0); PARTS];
    for set in sets::all(folder, &languages)? {
        let store = bring(&server, runtime, &set).await?;
        let name = format!("{} {}", set.name, set.language);
        let questions = set.questions.iter().filter(|question| question.counted).count();
        for (way, options) in &ways {
            let measured = ask(&server, &store, &set, options).await?;
            println!(
                "| {name} | {} | {questions} | {way} | {:.3} | {:.3} |",
                set.documents.len(),
                measured.quality.ndcg(),
                measured.quality.recall()
            );
            if *way == "both" {
                for (sum, part) in promised.iter_mut().zip(measured.calibration) {
                    sum.0 += part.0;
                    sum.1 += part.1;
                }
            }
        }
    }
    if ranker.is_none() {
        println!("\nNo model that ranks: INSULA_RERANK_MODELS names none.");
    }
    println!("\n| score of a result by both | results | of them right |");
    println!("| --- | --: | --: |");
    for (part, (results, right)) in promised.into_iter().enumerate() {
        let share = 100.0 * right as f64 / results.max(1) as f64;
        println!("| 0.{part} and above | {results} | {share:.0} % |");
    }
    server.stop().await
}

/// The name of the first model that ranks, if the server will load one.
fn ranker() -> Result<Option<String>> {
    let Some(folders) = std::env::var_os("INSULA_RERANK_MODELS") else {
        return Ok(None);
    };
    let folders = folders
        .into_string()
        .ok()
        .context("INSULA_RERANK_MODELS is not UTF-8")?;
    let Some(first) = folders.split(',').find(|folder| !folder.is_empty()) else {
        return Ok(None);
    };
    let manifest = std::fs::read_to_string(PathBuf::from(first).join("model.toml"))?;
    let id = manifest
        .lines()
        .find_map(|line| line.strip_prefix("id = \"")?.strip_suffix('"'));
    Ok(Some(id.context("a model without an id")?.to_owned()))
}

/// Puts the documents of a set into a store of their own. Each is a passage whose place is where it starts.
async fn bring(server: &Server, runtime: &Path, set: &Set) -> Result<String> {
    let texts: Vec<&str> = set.documents.iter().map(String::as_str).collect();
    let vectors = vectors::of(runtime, &texts)?;
    let url = |path: &str| format!("{}{path}", server.base_url);
    let new = json!({"name": set.name, "embedding_model": vectors::MODEL});
    let store = server
        .call(server.http.post(url("/vector_stores")).json(&new))
        .await?;
    let store = store["id"].as_str().context("no store id")?.to_owned();
    let places: Vec<usize> = (0..texts.len()).collect();
    for part in places.chunks(PART) {
        let chunk = |place: &usize| {
            let bytes: Vec<u8> = vectors[*place]
                .iter()
                .flat_map(|value| value.to_le_bytes())
                .collect();
            json!({
                "text": texts[*place], "embedding": BASE64_STANDARD.encode(bytes),
                "start_char": place, "end_char": place,
            })
        };
        let body = json!({
            "filename": format!("{}.jsonl", part[0]), "chunks": part.iter().map(chunk).collect::<Vec<_>>(),
        });
        let path = url(&format!("/insula/vector_stores/{store}/chunks"));
        server.call(server.http.post(path).json(&body)).await?;
    }
    Ok(store)
}

async fn ask(server: &Server, store: &str, set: &Set, options: &Value) -> Result<Measured> {
    let url = format!("{}/vector_stores/{store}/search", server.base_url);
    let mut measured = Measured {
        quality: Quality::default(),
        calibration: [(0, 0); PARTS],
    };
    let questions = set.questions.iter().filter(|question| question.counted);
    let answers = futures::stream::iter(questions.map(|question| {
        let body = json!({"query": question.text, "max_num_results": AT, "ranking_options": options});
        let request = server.http.post(&url).json(&body);
        async move { Ok::<_, anyhow::Error>((question, server.call(request).await?)) }
    }));
    let mut answers = answers.buffer_unordered(CLIENTS);
    while let Some((question, found)) = answers.try_next().await? {
        let hits = found["data"].as_array().context("no results")?;
        let mut ranking = Vec::with_capacity(hits.len());
        for hit in hits {
            let place = hit["start"].as_u64().context("no place")? as usize;
            let score = hit["score"].as_f64().context("no score")?;
            let part = &mut measured.calibration[((score * PARTS as f64) as usize).min(PARTS - 1)];
            part.0 += 1;
            part.1 += usize::from(question.relevant.contains(&place));
            ranking.push(place);
        }
        measured.quality.note(&ranking, &question.relevant);
    }
    Ok(measured)
}
