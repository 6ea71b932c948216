//! nDCG@10 of the text half of search on public sets in BEIR's layout, in memory, with the very functions that
//! indexing and querying use.
//!
//! ```text
//! cargo run --release -p insula-core --example bm25_eval -- <folder>…
//! ```
//! Each folder holds `corpus.jsonl`, `queries.jsonl` and `qrels/test.tsv`; an XQuAD JSON file may stand in for one.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;
use std::path::Path;
use std::time::Instant;

use insula_core::text::language;
use insula_core::text::terms::{DocumentTerms, QueryTerms, idf};
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

/// A retrieval test set.
#[derive(Default)]
struct Set {
    documents: Vec<(String, String)>,
    queries: Vec<(String, String)>,
    relevant: HashMap<String, HashMap<String, f64>>,
}

fn main() -> Result<()> {
    println!(
        "{:<40} {:>6} {:>7} {:>8} {:>9} {:>11}",
        "set", "docs", "queries", "nDCG@10", "µs/doc", "µs/query"
    );
    for path in std::env::args().skip(1) {
        let set = if path.ends_with(".json") {
            xquad(Path::new(&path))?
        } else {
            beir(Path::new(&path))?
        };
        let start = Instant::now();
        let index = Index::new(&set.documents);
        let indexing = start.elapsed().as_micros() as usize / set.documents.len().max(1);
        let start = Instant::now();
        let mut sum = 0.0;
        let mut judged = 0;
        for (id, text) in &set.queries {
            let Some(relevant) = set.relevant.get(id) else {
                continue;
            };
            judged += 1;
            sum += ndcg(&index.search(text, 10), relevant);
        }
        let querying = start.elapsed().as_micros() as usize / judged.max(1);
        let name = path.rsplit('/').take(2).collect::<Vec<_>>().join(" of ");
        println!(
            "{name:<40} {:>6} {judged:>7} {:>8.4} {indexing:>9} {querying:>11}",
            set.documents.len(),
            sum / judged.max(1) as f64
        );
    }
    Ok(())
}

/// An inverted index of BM25 weights.
struct Index {
    ids: Vec<String>,
    postings: HashMap<i32, Vec<(usize, f32)>>,
}

impl Index {
    fn new(documents: &[(String, String)]) -> Self {
        // Average length first, as a store that has been filled for a while knows it.
        let detected: Vec<_> = documents.iter().map(|(_, text)| language::detect(text)).collect();
        let hints = detected.iter().map(|d| d.reliable.then_some(d.code));
        let lengths: u64 = documents
            .iter()
            .zip(hints.clone())
            .map(|((_, text), hint)| u64::from(DocumentTerms::new(text, hint, 0.0).length))
            .sum();
        let average = lengths as f32 / documents.len().max(1) as f32;
        let mut postings: HashMap<i32, Vec<(usize, f32)>> = HashMap::new();
        for (at, ((_, text), hint)) in documents.iter().zip(hints).enumerate() {
            for (term, weight) in DocumentTerms::new(text, hint, average).weights {
                postings.entry(term).or_default().push((at, weight));
            }
        }
        Self {
            ids: documents.iter().map(|(id, _)| id.clone()).collect(),
            postings,
        }
    }

    fn search(&self, query: &str, k: usize) -> Vec<&str> {
        let mut scores: BTreeMap<usize, f32> = BTreeMap::new();
        for term in QueryTerms::new(query, &[]).terms {
            let Some(postings) = self.postings.get(&term) else {
                continue;
            };
            let idf = idf(self.ids.len() as i64, postings.len() as i64);
            for (document, weight) in postings {
                *scores.entry(*document).or_default() += weight * idf;
            }
        }
        let mut ranked: Vec<_> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked
            .into_iter()
            .take(k)
            .map(|(document, _)| self.ids[document].as_str())
            .collect()
    }
}

fn ndcg(ranked: &[&str], relevant: &HashMap<String, f64>) -> f64 {
    let discount = |at: usize| 1.0 / ((at + 2) as f64).log2();
    let gain: f64 = ranked
        .iter()
        .enumerate()
        .map(|(at, id)| relevant.get(*id).copied().unwrap_or(0.0) * discount(at))
        .sum();
    let mut ideal: Vec<f64> = relevant.values().copied().collect();
    ideal.sort_by(|a, b| b.total_cmp(a));
    let best: f64 = ideal
        .iter()
        .take(10)
        .enumerate()
        .map(|(at, gain)| gain * discount(at))
        .sum();
    if best > 0.0 { gain / best } else { 0.0 }
}

fn beir(folder: &Path) -> Result<Set> {
    let mut set = Set::default();
    for line in std::fs::read_to_string(folder.join("corpus.jsonl"))?.lines() {
        let value: Value = serde_json::from_str(line)?;
        set.documents.push((
            field(&value, "_id"),
            format!("{} {}", field(&value, "title"), field(&value, "text")),
        ));
    }
    for line in std::fs::read_to_string(folder.join("queries.jsonl"))?.lines() {
        let value: Value = serde_json::from_str(line)?;
        set.queries.push((field(&value, "_id"), field(&value, "text")));
    }
    for line in std::fs::read_to_string(folder.join("qrels/test.tsv"))?
        .lines()
        .skip(1)
    {
        let mut columns = line.split('\t');
        let (Some(query), Some(document), Some(score)) = (columns.next(), columns.next(), columns.next())
        else {
            continue;
        };
        set.relevant
            .entry(query.into())
            .or_default()
            .insert(document.into(), score.trim().parse()?);
    }
    Ok(set)
}

fn xquad(file: &Path) -> Result<Set> {
    let value: Value = serde_json::from_str(&std::fs::read_to_string(file)?)?;
    let mut set = Set::default();
    let paragraphs = value["data"]
        .as_array()
        .into_iter()
        .flatten()
        .flat_map(|article| article["paragraphs"].as_array());
    for paragraph in paragraphs.flatten() {
        let id = format!("p{}", set.documents.len());
        set.documents.push((id.clone(), field(paragraph, "context")));
        for question in paragraph["qas"].as_array().into_iter().flatten() {
            let query = field(question, "id");
            set.queries.push((query.clone(), field(question, "question")));
            set.relevant.entry(query).or_default().insert(id.clone(), 1.0);
        }
    }
    Ok(set)
}

fn field(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
