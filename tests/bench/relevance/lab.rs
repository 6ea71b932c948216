//! Where the constants of the fusion come from: the same halves without a server, joined in every way that is in question.
//!
//!     bench relevance-lab RUNTIME_DIR FOLDER [LANGUAGES]
//!
//! Constants are chosen on the questions for tuning; beside them stands what they come to on those that count.

use std::collections::HashMap;
use std::path::Path;

use anyhow::Result;
use insula_core::text::language;
use insula_core::text::terms::{DocumentTerms, QueryTerms, idf};

use super::measure::Quality;
use super::sets::{self, Question, Set};
use super::vectors;

/// Candidates of each half, as in the server.
const DEPTH: usize = 50;
/// The vector half's part of the sum of scores that was chosen.
const SHARE: f64 = 0.5;

/// A document that one of the halves has found.
struct Candidate {
    document: usize,
    cosine: f64,
    /// BM25, over what a document could have at most for this question.
    text: f64,
    vector_rank: Option<usize>,
    text_rank: Option<usize>,
}

/// What the halves found for a question.
struct Found<'a> {
    question: &'a Question,
    candidates: Vec<Candidate>,
    /// What the server would give the vector half.
    weight: f64,
}

/// A way of joining the halves: a candidate's score, by how much the vector half counts.
type Fusion<'a> = (String, Box<dyn Fn(&Candidate, f64) -> f64 + 'a>);

pub(crate) fn run(runtime: &Path, folder: &Path, languages: Option<&str>) -> Result<()> {
    let languages = sets::languages(languages);
    let sets = sets::all(folder, &languages)?;
    let mut found = Vec::new();
    for set in &sets {
        found.push((set, search(runtime, set)?));
    }
    print!("{:<34}", "nDCG@10, tuning / counted");
    for set in &sets {
        print!("{:>16}", format!("{} {}", set.name, set.language));
    }
    println!();
    for (name, fusion) in fusions() {
        print!("{name:<34}");
        for (_, found) in &found {
            let (tuning, counted) = measure(found, &fusion);
            print!("{:>16}", format!("{tuning:.4} / {counted:.4}"));
        }
        println!();
    }
    println!("\nchance = 1 / (1 + exp(-(scale * sum + bias))), on the English questions for tuning:");
    let english = || {
        found
            .iter()
            .filter(|(set, _)| set.language == "en")
            .map(|(_, found)| found.as_slice())
    };
    for share in [0.0, SHARE, 1.0] {
        let (scale, bias) = fit(english(), share);
        println!(
            "share {share}: vector {:.2}, text {:.2}, bias {bias:.2}",
            scale * share,
            scale * (1.0 - share)
        );
    }
    Ok(())
}

/// Logistic regression of being right on the weighted sum of both halves, by Newton's method. Every set counts the same.
fn fit<'a>(sets: impl Iterator<Item = &'a [Found<'a>]>, share: f64) -> (f64, f64) {
    let mut points: Vec<(f64, f64, f64)> = Vec::new();
    for found in sets {
        let tuning = || found.iter().filter(|one| one.question.tuning);
        let weight = 1.0 / tuning().count() as f64;
        for one in tuning() {
            for candidate in &one.candidates {
                let is_found = match share {
                    0.0 => candidate.text_rank.is_some(),
                    1.0 => candidate.vector_rank.is_some(),
                    _ => true,
                };
                if is_found {
                    let sum = share * candidate.cosine + (1.0 - share) * candidate.text;
                    let right = one.question.relevant.contains(&candidate.document);
                    points.push((sum, f64::from(u8::from(right)), weight));
                }
            }
        }
    }
    let (mut scale, mut bias) = (0.0, 0.0);
    for _ in 0..50 {
        let mut gradient = [0.0; 2];
        let mut hessian = [1e-9, 0.0, 1e-9];
        for (sum, right, weight) in &points {
            let chance = 1.0 / (1.0 + f64::exp(-(scale * sum + bias)));
            let (error, slope) = (weight * (right - chance), weight * chance * (1.0 - chance));
            gradient[0] += error * sum;
            gradient[1] += error;
            hessian[0] += slope * sum * sum;
            hessian[1] += slope * sum;
            hessian[2] += slope;
        }
        let determinant = hessian[0] * hessian[2] - hessian[1] * hessian[1];
        scale += (hessian[2] * gradient[0] - hessian[1] * gradient[1]) / determinant;
        bias += (hessian[0] * gradient[1] - hessian[1] * gradient[0]) / determinant;
    }
    (scale, bias)
}

fn fusions() -> Vec<Fusion<'static>> {
    let mut fusions: Vec<Fusion> = vec![
        ("text".into(), Box::new(|found, _| found.text)),
        ("vector".into(), Box::new(|found, _| found.cosine)),
    ];
    let reciprocal = |k: f64, rank: Option<usize>| rank.map_or(0.0, |rank| 1.0 / (k + rank as f64));
    for k in [2.0, 5.0, 10.0, 20.0, 60.0] {
        for share in [0.3, 0.4, 0.5] {
            let fuse = move |found: &Candidate, weight: f64| {
                weight * share * reciprocal(k, found.vector_rank)
                    + (1.0 - share) * reciprocal(k, found.text_rank)
            };
            fusions.push((format!("reciprocal ranks {k}, {share}"), Box::new(fuse)));
        }
    }
    for share in [0.3, 0.4, 0.5, 0.55, 0.6, 0.65, 0.7, 0.75, 0.8] {
        let fuse = move |found: &Candidate, weight: f64| {
            let vector = weight * share;
            vector * found.cosine.max(0.0) + (1.0 - vector) * found.text
        };
        fusions.push((format!("scores {share}"), Box::new(fuse)));
    }
    fusions
}

fn measure(found: &[Found], fusion: &dyn Fn(&Candidate, f64) -> f64) -> (f64, f64) {
    let (mut tuning, mut counted) = (Quality::default(), Quality::default());
    for one in found {
        let mut scored: Vec<(f64, usize)> = one
            .candidates
            .iter()
            .map(|candidate| (fusion(candidate, one.weight), candidate.document))
            .filter(|(score, _)| *score > 0.0)
            .collect();
        scored.sort_by(|a, b| b.0.total_cmp(&a.0).then(a.1.cmp(&b.1)));
        let ranking: Vec<usize> = scored.into_iter().map(|(_, document)| document).collect();
        for (is_in, quality) in [
            (one.question.tuning, &mut tuning),
            (one.question.counted, &mut counted),
        ] {
            if is_in {
                quality.note(&ranking, &one.question.relevant);
            }
        }
    }
    (tuning.ndcg(), counted.ndcg())
}

fn search<'a>(runtime: &Path, set: &'a Set) -> Result<Vec<Found<'a>>> {
    let documents: Vec<&str> = set.documents.iter().map(String::as_str).collect();
    let questions: Vec<&str> = set
        .questions
        .iter()
        .map(|question| question.text.as_str())
        .collect();
    let document_vectors = vectors::of(runtime, &documents)?;
    let question_vectors = vectors::of(runtime, &questions)?;
    let index = Index::new(&documents);
    let english = ["eng".to_owned()];
    let found = set
        .questions
        .iter()
        .zip(question_vectors)
        .map(|(question, vector)| {
            let cosines: Vec<f64> = document_vectors
                .iter()
                .map(|document| f64::from(dot(document, &vector)))
                .collect();
            let texts = index.scores(&question.text);
            let by_vector = best(cosines.iter().copied());
            let by_text = best(
                texts
                    .iter()
                    .copied()
                    .map(|score| if score > 0.0 { score } else { f64::MIN }),
            );
            let mut candidates: HashMap<usize, Candidate> = HashMap::new();
            let new = |document: usize| Candidate {
                document,
                cosine: cosines[document],
                text: texts[document],
                vector_rank: None,
                text_rank: None,
            };
            for (rank, document) in by_vector.into_iter().enumerate() {
                candidates
                    .entry(document)
                    .or_insert_with(|| new(document))
                    .vector_rank = Some(rank + 1);
            }
            for (rank, document) in by_text.into_iter().enumerate() {
                candidates
                    .entry(document)
                    .or_insert_with(|| new(document))
                    .text_rank = Some(rank + 1);
            }
            Found {
                question,
                candidates: candidates.into_values().collect(),
                weight: language::vector_weight(&question.text, &english),
            }
        });
    Ok(found.collect())
}

/// A plain loop: this is most of what the lab does, and it is not built to be fast.
fn dot(a: &[f32], b: &[f32]) -> f32 {
    let (mut sum, mut at) = (0.0, 0);
    while at < a.len() {
        sum += a[at] * b[at];
        at += 1;
    }
    sum
}

/// The places of the highest values above [`f64::MIN`].
fn best(values: impl Iterator<Item = f64>) -> Vec<usize> {
    let mut places: Vec<(usize, f64)> = values
        .enumerate()
        .filter(|(_, value)| *value > f64::MIN)
        .collect();
    places.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
    places.truncate(DEPTH);
    places.into_iter().map(|(place, _)| place).collect()
}

/// Terms to the documents that have them.
struct Index {
    postings: HashMap<i32, Vec<(usize, f32)>>,
    documents: usize,
}

impl Index {
    fn new(documents: &[&str]) -> Self {
        // A sample, as at ingestion.
        let sample = documents.iter().step_by(8);
        let count = sample.len();
        let lengths = sample.map(|text| f64::from(DocumentTerms::new(text, None, 1.0).length));
        let average = lengths.sum::<f64>() / count as f64;
        let mut postings: HashMap<i32, Vec<(usize, f32)>> = HashMap::new();
        for (place, text) in documents.iter().enumerate() {
            for (term, weight) in DocumentTerms::new(text, None, average as f32).weights {
                postings.entry(term).or_default().push((place, weight));
            }
        }
        Self {
            postings,
            documents: documents.len(),
        }
    }

    fn scores(&self, question: &str) -> Vec<f64> {
        let mut scores = vec![0.0; self.documents];
        let query = QueryTerms::new(question, &[]);
        let idf = |term: i32| {
            let postings = self.postings.get(&term)?;
            Some(idf(self.documents as i64, postings.len() as i64))
        };
        let most = f64::from(query.most(idf));
        for term in &query.terms {
            let (Some(idf), Some(postings)) = (idf(*term), self.postings.get(term)) else {
                continue;
            };
            for (document, weight) in postings {
                scores[*document] += f64::from(idf * *weight);
            }
        }
        scores
            .iter()
            .map(|score| if most > 0.0 { score / most } else { 0.0 })
            .collect()
    }
}
