//! How good the extractive model's answers and refusals are, on a question set in SQuAD's JSON format (XQuAD).
//!
//! ```text
//! cargo run --release -p insula-core --example extractive_eval -- xquad.en.json xquad.ar.json
//! ```
//! Per file and kind of passages: how often the answer contains a gold answer when the right paragraph is among five
//! passages, how often it refuses although it is, and how often it refuses when the whole article is missing.
//! `drawn`: the other passages are drawn from other articles. `found`: they are the best five by BM25, as in
//! production; the article of the question is left out of the corpus for the unanswerable half.
//! Scores by words only: the embedder lives in another crate.

use std::collections::{BTreeMap, HashMap};
use std::error::Error;

use insula_core::chat::extractive::Extractive;
use insula_core::model::{ChatMessage, ChatModel, ChatOptions, ChatRequest, Passage, Role};
use insula_core::text::terms::{DocumentTerms, QueryTerms, idf};
use serde_json::Value;

type Result<T> = std::result::Result<T, Box<dyn Error>>;

const PASSAGES: usize = 5;

struct Paragraph {
    article: usize,
    text: String,
    questions: Vec<(String, Vec<String>)>,
}

#[derive(Default)]
struct Tally {
    questions: usize,
    contained: usize,
    refused_wrongly: usize,
    refused_rightly: usize,
    sentences: usize,
    cited_right: usize,
}

#[tokio::main(flavor = "current_thread")]
async fn main() -> Result<()> {
    println!(
        "{:<14} {:<6} {:>9} {:>10} {:>10} {:>9} {:>11} {:>10}",
        "set", "others", "questions", "gold in it", "right cite", "refused", "refused ok", "sentences"
    );
    for path in std::env::args().skip(1) {
        let paragraphs = read(&path)?;
        let index = Index::new(&paragraphs);
        for found in [false, true] {
            let tally = evaluate(&paragraphs, &index, found).await?;
            let share = |part: usize| 100.0 * part as f64 / tally.questions.max(1) as f64;
            let answered = tally.questions - tally.refused_wrongly;
            println!(
                "{:<14} {:<6} {:>9} {:>9.1}% {:>9.1}% {:>8.1}% {:>10.1}% {:>10.2}",
                path.rsplit('/').next().unwrap_or_default(),
                if found { "found" } else { "drawn" },
                tally.questions,
                share(tally.contained),
                share(tally.cited_right),
                share(tally.refused_wrongly),
                share(tally.refused_rightly),
                tally.sentences as f64 / answered.max(1) as f64,
            );
        }
    }
    Ok(())
}

async fn evaluate(paragraphs: &[Paragraph], index: &Index, found: bool) -> Result<Tally> {
    let model = Extractive::new(None);
    let mut tally = Tally::default();
    for (gold, paragraph) in paragraphs.iter().enumerate() {
        for (question, answers) in &paragraph.questions {
            tally.questions += 1;
            let others = |at: &usize| paragraphs[*at].article != paragraph.article;
            let (with, without) = if found {
                let ranked = index.rank(question);
                let without = ranked.iter().copied().filter(others).take(PASSAGES).collect();
                (ranked.into_iter().take(PASSAGES).collect(), without)
            } else {
                let drawn: Vec<usize> = (1..)
                    .map(|step| (gold + step * 37) % paragraphs.len())
                    .filter(others)
                    .take(PASSAGES)
                    .collect();
                let mut with = drawn[..PASSAGES - 1].to_vec();
                // Somewhere among them, the same for each run.
                with.insert(tally.questions % PASSAGES, gold);
                (with, drawn)
            };
            let answer = ask(&model, question, paragraphs, &with).await?;
            let text = answer.content.unwrap_or_default();
            let refused = answer.citations.is_empty();
            tally.refused_wrongly += usize::from(refused);
            tally.sentences += answer.citations.len();
            let simple = simplify(&text);
            tally.contained +=
                usize::from(!refused && answers.iter().any(|gold| simple.contains(&simplify(gold))));
            tally.cited_right += usize::from(
                answer
                    .citations
                    .iter()
                    .any(|citation| with[citation.passage] == gold),
            );
            let none = ask(&model, question, paragraphs, &without).await?;
            tally.refused_rightly += usize::from(none.citations.is_empty());
        }
    }
    Ok(tally)
}

async fn ask(
    model: &Extractive,
    question: &str,
    paragraphs: &[Paragraph],
    chosen: &[usize],
) -> Result<insula_core::model::Completion> {
    let passages = chosen.iter().map(|at| Passage {
        vector_store_id: String::new(),
        file_id: "file".into(),
        filename: "file".into(),
        chunk_id: at.to_string(),
        heading_path: Vec::new(),
        page: None,
        start: 0,
        text: paragraphs[*at].text.clone(),
        score: 0.5,
    });
    let request = ChatRequest {
        model: "insula/extractive".into(),
        messages: vec![ChatMessage::text(Role::User, question)],
        options: ChatOptions::default(),
        passages: passages.collect(),
        grounded: true,
    };
    Ok(model.complete(&request).await?)
}

struct Index {
    size: usize,
    postings: HashMap<i32, Vec<(usize, f32)>>,
}

impl Index {
    fn new(paragraphs: &[Paragraph]) -> Self {
        let mut postings: HashMap<i32, Vec<(usize, f32)>> = HashMap::new();
        for (at, paragraph) in paragraphs.iter().enumerate() {
            for (term, weight) in DocumentTerms::new(&paragraph.text, None, 80.0).weights {
                postings.entry(term).or_default().push((at, weight));
            }
        }
        Self {
            size: paragraphs.len(),
            postings,
        }
    }

    fn rank(&self, question: &str) -> Vec<usize> {
        let mut scores: BTreeMap<usize, f32> = BTreeMap::new();
        for term in QueryTerms::new(question, &[]).terms {
            let Some(postings) = self.postings.get(&term) else {
                continue;
            };
            for (at, weight) in postings {
                *scores.entry(*at).or_default() += weight * idf(self.size as i64, postings.len() as i64);
            }
        }
        let mut ranked: Vec<_> = scores.into_iter().collect();
        ranked.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
        ranked.into_iter().map(|(at, _)| at).collect()
    }
}

fn read(path: &str) -> Result<Vec<Paragraph>> {
    let value: Value = serde_json::from_str(&std::fs::read_to_string(path)?)?;
    let mut paragraphs = Vec::new();
    for (article, entry) in value["data"].as_array().into_iter().flatten().enumerate() {
        for paragraph in entry["paragraphs"].as_array().into_iter().flatten() {
            let questions = paragraph["qas"].as_array().into_iter().flatten().map(|qa| {
                let answers = qa["answers"]
                    .as_array()
                    .into_iter()
                    .flatten()
                    .map(|answer| field(answer, "text"));
                (field(qa, "question"), answers.collect())
            });
            paragraphs.push(Paragraph {
                article,
                text: field(paragraph, "context"),
                questions: questions.collect(),
            });
        }
    }
    Ok(paragraphs)
}

/// Letters and digits only, so that footnotes, quotes and spaces make no difference.
fn simplify(text: &str) -> String {
    text.chars()
        .filter(|c| c.is_alphanumeric())
        .flat_map(char::to_lowercase)
        .collect()
}

fn field(value: &Value, name: &str) -> String {
    value[name].as_str().unwrap_or_default().to_owned()
}
