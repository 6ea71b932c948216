//! Sentences of the passages, scored against the question.

use std::collections::{BTreeSet, HashMap, HashSet};

use crate::model::Passage;
use crate::text::language;
use crate::text::sentence::{Kind, Sentence, sentences};
use crate::text::terms;

/// Passages that are read, best first.
const MAX_PASSAGES: usize = 8;
/// Sentences that are considered.
const MAX_SENTENCES: usize = 64;
/// Sentences that are compared by meaning.
const MAX_EMBEDDED: usize = 32;
/// Room for the special tokens of the embedding model.
pub(super) const SPECIAL_TOKENS: usize = 4;

/// Share of a term that is not in the sentence but in its heading or the sentence before: pronouns and sections
/// carry the subject on.
const NEAR: f32 = 0.5;
/// Share of a term that is elsewhere in the passage.
const AROUND: f32 = 0.2;
/// What a number in the sentence is worth to a question for one.
const NUMBER: f32 = 0.08;
/// What coming from the best passage is worth; less for each that follows.
const FIRST: f32 = 0.06;

/// A sentence that may become part of the answer.
#[derive(Debug, Clone)]
pub(super) struct Candidate {
    /// Index into the request's passages.
    pub(super) passage: usize,
    /// The sentence; its range is into the passage's text.
    pub(super) sentence: Sentence,
    /// How much of the question's terms, by weight, the sentence has: 0..=1.
    pub(super) coverage: f32,
    /// The same with its surroundings counted in part, and with small merits added: 0..=1.2 or so.
    pub(super) score: f32,
    /// Similarity of meaning with the question, where it was measured.
    pub(super) cosine: Option<f32>,
    /// Terms of the sentence.
    pub(super) terms: HashSet<String>,
}

/// The sentences of the best passages with their scores, in order of passages and text.
pub(super) fn candidates(question: &str, passages: &[Passage]) -> Vec<Candidate> {
    let mut sources = Vec::new();
    let mut seen = HashSet::new();
    for (at, passage) in passages.iter().enumerate().take(MAX_PASSAGES) {
        sources.push(Source::read(at, passage, &mut seen));
    }
    let languages: BTreeSet<&str> = sources.iter().map(|source| source.language).collect();
    let languages: Vec<&str> = languages.into_iter().collect();
    let wanted = Wanted::new(question, &languages, &sources);
    let scored = sources
        .into_iter()
        .enumerate()
        .flat_map(|(rank, source)| source.score(rank, &wanted));
    scored.take(MAX_SENTENCES).collect()
}

/// Which candidates to embed: the best by terms, among those that fit the model.
pub(super) fn worth_embedding(candidates: &[Candidate], fits: impl Fn(&str) -> bool) -> Vec<usize> {
    let mut order: Vec<usize> = (0..candidates.len()).collect();
    order.sort_by(|a, b| {
        candidates[*b]
            .score
            .total_cmp(&candidates[*a].score)
            .then(a.cmp(b))
    });
    order.retain(|at| fits(&candidates[*at].sentence.text));
    order.truncate(MAX_EMBEDDED);
    order
}

/// A passage, read.
struct Source {
    passage: usize,
    language: &'static str,
    /// Terms of the heading path.
    path: HashSet<String>,
    sentences: Vec<(Sentence, HashSet<String>)>,
}

impl Source {
    fn read(at: usize, passage: &Passage, seen: &mut HashSet<String>) -> Self {
        let detected = language::detect(&passage.text);
        let language = if detected.reliable { detected.code } else { "und" };
        let terms = |text: &str| {
            terms::tokenize(text, Some(language))
                .into_iter()
                .collect::<HashSet<_>>()
        };
        let sentences = sentences(&passage.text)
            .into_iter()
            // Chunks overlap: what was read in a better passage is not read again.
            .filter(|sentence| sentence.kind == Kind::Heading || seen.insert(sentence.text.clone()))
            .map(|sentence| {
                let terms = terms(&sentence.text);
                (sentence, terms)
            })
            .collect();
        Self {
            passage: at,
            language,
            path: terms(&passage.heading_path.join("\n")),
            sentences,
        }
    }

    fn score(self, rank: usize, wanted: &Wanted) -> Vec<Candidate> {
        let all: HashSet<&String> = self
            .sentences
            .iter()
            .flat_map(|(_, terms)| terms)
            .chain(&self.path)
            .collect();
        let around = wanted.matched(|term| all.contains(term));
        let path = wanted.matched(|term| self.path.contains(term));
        let mut heading = vec![false; wanted.terms.len()];
        let mut before = vec![false; wanted.terms.len()];
        let mut scored = Vec::new();
        for (sentence, terms) in &self.sentences {
            let own = wanted.matched(|term| terms.contains(term));
            if sentence.kind == Kind::Heading {
                heading = own;
                before.fill(false);
                continue;
            }
            let (mut coverage, mut score) = (0.0, 0.0);
            for (at, (_, weight)) in wanted.terms.iter().enumerate() {
                let share = if own[at] {
                    coverage += weight;
                    1.0
                } else if path[at] || heading[at] || before[at] {
                    NEAR
                } else if around[at] {
                    AROUND
                } else {
                    0.0
                };
                score += weight * share;
            }
            if wanted.number && sentence.text.contains(char::is_numeric) {
                score += NUMBER;
            }
            score += FIRST / (rank + 1) as f32;
            before = own;
            scored.push(Candidate {
                passage: self.passage,
                sentence: sentence.clone(),
                coverage,
                score,
                cosine: None,
                terms: terms.clone(),
            });
        }
        scored
    }
}

/// What the question asks for.
struct Wanted {
    /// Variants of a term, and its share of all weight: rarer among the sentences is more.
    terms: Vec<(BTreeSet<String>, f32)>,
    /// Whether a number, date or amount is asked for.
    number: bool,
}

impl Wanted {
    fn new(question: &str, languages: &[&str], sources: &[Source]) -> Self {
        let mut unique: Vec<BTreeSet<String>> = Vec::new();
        for variants in terms::query_tokens(question, languages) {
            if !unique.contains(&variants) {
                unique.push(variants);
            }
        }
        let sentences: Vec<&HashSet<String>> = sources
            .iter()
            .flat_map(|source| source.sentences.iter().map(|(_, terms)| terms))
            .collect();
        let mut frequencies: HashMap<&String, i64> = HashMap::new();
        for term in sentences.iter().flat_map(|terms| terms.iter()) {
            *frequencies.entry(term).or_default() += 1;
        }
        let count = i64::try_from(sentences.len()).unwrap_or(i64::MAX);
        let weights: Vec<f32> = unique
            .iter()
            .map(|variants| {
                let frequency = variants
                    .iter()
                    .filter_map(|term| frequencies.get(term))
                    .max()
                    .copied()
                    .unwrap_or(0);
                terms::idf(count, frequency)
            })
            .collect();
        let total: f32 = weights.iter().sum::<f32>().max(f32::EPSILON);
        let terms = unique
            .into_iter()
            .zip(weights)
            .map(|(variants, weight)| (variants, weight / total))
            .collect();
        Self {
            terms,
            number: asks_for_number(question),
        }
    }

    fn matched(&self, has: impl Fn(&String) -> bool) -> Vec<bool> {
        self.terms
            .iter()
            .map(|(variants, _)| variants.iter().any(&has))
            .collect()
    }
}

fn asks_for_number(question: &str) -> bool {
    const CUES: [&str; 16] = [
        "how many",
        "how much",
        "how long",
        "how old",
        "how far",
        "how often",
        "when ",
        "what year",
        "which year",
        "what percent",
        "what date",
        "كم ",
        "متى",
        "أي عام",
        "عدد ",
        "نسبة",
    ];
    let lower = question.to_lowercase();
    CUES.iter().any(|cue| lower.contains(cue))
}
