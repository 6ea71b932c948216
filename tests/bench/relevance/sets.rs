//! Public sets of questions with known answers: SciFact (BEIR) and XQuAD.

use std::collections::BTreeMap;
use std::path::Path;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// A question, and the documents that answer it.
pub(crate) struct Question {
    pub(crate) text: String,
    /// Places in [`Set::documents`].
    pub(crate) relevant: Vec<usize>,
    /// Whether constants may be chosen by it.
    pub(crate) tuning: bool,
    /// Whether it counts in the figures.
    pub(crate) counted: bool,
}

/// Documents and questions about them.
pub(crate) struct Set {
    pub(crate) name: &'static str,
    /// ISO 639-1.
    pub(crate) language: String,
    pub(crate) documents: Vec<String>,
    pub(crate) questions: Vec<Question>,
}

/// Languages of XQuAD, ISO 639-1.
const LANGUAGES: [&str; 8] = ["en", "ar", "de", "es", "tr", "ru", "zh", "hi"];

/// Those of an argument like `en,ar`, or all.
pub(crate) fn languages(names: Option<&str>) -> Vec<&str> {
    names.map_or(LANGUAGES.to_vec(), |names| names.split(',').collect())
}

/// SciFact, and XQuAD in these languages.
pub(crate) fn all(folder: &Path, languages: &[&str]) -> Result<Vec<Set>> {
    let mut sets = vec![scifact(&folder.join("scifact"))?];
    for language in languages {
        sets.push(xquad(
            &folder.join(format!("xquad/xquad.{language}.json")),
            language,
        )?);
    }
    Ok(sets)
}

#[derive(Deserialize)]
struct Line {
    #[serde(rename = "_id")]
    id: String,
    #[serde(default)]
    title: String,
    text: String,
}

/// Constants are chosen on the claims for training, and counted on those for testing.
fn scifact(folder: &Path) -> Result<Set> {
    let mut places = BTreeMap::new();
    let mut documents = Vec::new();
    for line in lines(&folder.join("corpus.jsonl"))? {
        places.insert(line.id, documents.len());
        documents.push(format!("{} {}", line.title, line.text).trim().to_owned());
    }
    let texts: BTreeMap<String, String> = lines(&folder.join("queries.jsonl"))?
        .into_iter()
        .map(|line| (line.id, line.text))
        .collect();
    let mut questions = Vec::new();
    for (file, tuning) in [("train", true), ("test", false)] {
        let path = folder.join(format!("qrels/{file}.tsv"));
        let mut relevant: BTreeMap<String, Vec<usize>> = BTreeMap::new();
        for row in read(&path)?.lines().skip(1) {
            let mut cells = row.split('\t');
            let (Some(query), Some(document), Some(score)) = (cells.next(), cells.next(), cells.next())
            else {
                anyhow::bail!("{}: {row}", path.display());
            };
            let place = *places.get(document).context("a judged document is not there")?;
            if score.trim() != "0" {
                relevant.entry(query.to_owned()).or_default().push(place);
            }
        }
        for (id, relevant) in relevant {
            let text = texts.get(&id).context("a judged question is not there")?;
            questions.push(Question {
                text: text.clone(),
                relevant,
                tuning,
                counted: !tuning,
            });
        }
    }
    Ok(Set {
        name: "SciFact",
        language: "en".into(),
        documents,
        questions,
    })
}

/// Constants are chosen on every other paragraph's questions; all are counted, as in the published figures.
fn xquad(path: &Path, language: &str) -> Result<Set> {
    let data: Value = serde_json::from_str(&read(path)?)?;
    let (mut documents, mut questions) = (Vec::new(), Vec::new());
    let articles = data["data"].as_array().context("no articles")?;
    for paragraph in articles
        .iter()
        .filter_map(|article| article["paragraphs"].as_array())
        .flatten()
    {
        let place = documents.len();
        documents.push(paragraph["context"].as_str().context("no text")?.to_owned());
        for question in paragraph["qas"].as_array().context("no questions")? {
            questions.push(Question {
                text: question["question"].as_str().context("no question")?.to_owned(),
                relevant: vec![place],
                tuning: place % 2 == 0,
                counted: true,
            });
        }
    }
    Ok(Set {
        name: "XQuAD",
        language: language.into(),
        documents,
        questions,
    })
}

fn lines(path: &Path) -> Result<Vec<Line>> {
    let parsed = read(path)?
        .lines()
        .map(serde_json::from_str)
        .collect::<Result<_, _>>();
    parsed.with_context(|| path.display().to_string())
}

fn read(path: &Path) -> Result<String> {
    std::fs::read_to_string(path).with_context(|| path.display().to_string())
}
