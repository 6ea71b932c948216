//! Texts to BM25 terms: the text half of hybrid search.
//!
//! A chunk is indexed with the stems of **one** language, its own. The few words of a query often do not tell
//! their language: such a query is looked up with the stems of **all** languages that share the script, so that
//! both sides need not agree. A variant that no chunk has costs nothing: its document frequency is zero. A query
//! whose language is certain, or whose store's languages are known, is looked up in those (and in English, which
//! chunks of unknown language are indexed as): on SciFact that is worth a point of nDCG.

mod arabic;
mod stem;
mod stop_words;
mod words;

use std::collections::{BTreeMap, BTreeSet};

use sha2::{Digest, Sha256};

pub(super) use arabic::letter;
pub(super) use words::{digit, is_ignorable};

use super::language;
use stem::Stemming;

/// BM25's saturation of repeated terms.
const K1: f32 = 1.2;
/// BM25's share of length normalisation.
const B: f32 = 0.75;
/// Term ids are `1..=MAX_TERM_ID`: positions in a `sparsevec(1000000000)`.
const MAX_TERM_ID: u32 = 999_999_999;
/// A query shorter than this (in characters) may be taken for a wrong language, however sure the detector is.
const MIN_CERTAIN_CHARS: usize = 40;
/// Most terms that a chunk keeps.
const MAX_TERMS: usize = 256;

/// The sparse vector of a chunk: everything of BM25 but the inverse document frequency, which belongs to the
/// query because it changes with the store.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct DocumentTerms {
    /// Term id and weight, ascending by id, at most 256 (the heaviest).
    pub weights: Vec<(i32, f32)>,
    /// Length of the chunk in terms, stop words excluded. The store's average of these is `average_length`.
    pub length: u32,
}

impl DocumentTerms {
    /// Terms of `text`, written in `language` (ISO 639-3; `None` detects it). `average_length` is the mean
    /// [`DocumentTerms::length`] of the store; zero or less means unknown, and lengths are not normalised.
    pub fn new(text: &str, language: Option<&str>, average_length: f32) -> Self {
        let tokens = tokenize(text, language);
        let length = u32::try_from(tokens.len()).unwrap_or(u32::MAX);
        let mut frequencies: BTreeMap<i32, f32> = BTreeMap::new();
        for token in &tokens {
            *frequencies.entry(term_id(token)).or_default() += 1.0;
        }
        let relative = if average_length > 0.0 {
            length as f32 / average_length
        } else {
            1.0
        };
        let norm = K1 * (1.0 - B + B * relative);
        let mut weights: Vec<(i32, f32)> = frequencies
            .into_iter()
            .map(|(term, tf)| (term, tf * (K1 + 1.0) / (tf + norm)))
            .collect();
        if weights.len() > MAX_TERMS {
            weights.sort_by(|a, b| b.1.total_cmp(&a.1).then(a.0.cmp(&b.0)));
            weights.truncate(MAX_TERMS);
            weights.sort_by_key(|(term, _)| *term);
        }
        Self { weights, length }
    }
}

/// The terms that a query is looked up with.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct QueryTerms {
    /// Unique term ids, ascending. Weigh each with [`idf`]; leave out those whose document frequency is zero.
    pub terms: Vec<i32>,
    /// The same by word: each one's forms, of which a chunk has one at most.
    words: Vec<Vec<i32>>,
}

impl QueryTerms {
    /// Terms of `text`, in every stemming that a chunk may have been indexed with. `languages` are those of the
    /// store's chunks (ISO 639-3), if they are known; empty otherwise.
    pub fn new(text: &str, languages: &[&str]) -> Self {
        let words: BTreeSet<Vec<i32>> = query_tokens(text, languages)
            .iter()
            .map(|forms| forms.iter().map(|form| term_id(form)).collect())
            .collect();
        let terms: BTreeSet<i32> = words.iter().flatten().copied().collect();
        Self {
            terms: terms.into_iter().collect(),
            words: words.into_iter().collect(),
        }
    }

    /// The BM25 score that no chunk can exceed: of one that is about nothing but the words of the query, with these
    /// inverse document frequencies. Words that are in no chunk do not count.
    pub fn most(&self, idf: impl Fn(i32) -> Option<f32>) -> f32 {
        let of_word = |forms: &Vec<i32>| forms.iter().filter_map(|form| idf(*form)).fold(0.0, f32::max);
        (K1 + 1.0) * self.words.iter().map(of_word).sum::<f32>()
    }
}

/// BM25's inverse document frequency, never negative: `ln(1 + (N - df + 0.5) / (df + 0.5))`.
pub fn idf(n_chunks: i64, document_frequency: i64) -> f32 {
    let df = document_frequency.max(0) as f64;
    let rest = (n_chunks as f64 - df).max(0.0);
    (1.0 + (rest + 0.5) / (df + 0.5)).ln() as f32
}

/// Stable id of a normalised term, `1..=999_999_999`. Stored: may never change.
pub fn term_id(term: &str) -> i32 {
    let digest = Sha256::digest(term.as_bytes());
    let head = u32::from_be_bytes([digest[0], digest[1], digest[2], digest[3]]);
    (head % MAX_TERM_ID + 1).cast_signed()
}

/// Normalised terms of a document's text in order, with repetitions, without stop words.
///
/// `language` is an ISO 639-3 code; `None` detects it.
pub fn tokenize(text: &str, language: Option<&str>) -> Vec<String> {
    let detected;
    let language = match language {
        Some(code) => code,
        None => {
            detected = language::detect(text);
            if detected.reliable { detected.code } else { "und" }
        }
    };
    let mut tokens = Vec::new();
    words::for_each(text, |word| {
        if !stop_words::contains(language, word) {
            tokens.push(Stemming::of(language, word).apply(word));
        }
    });
    tokens
}

/// The words of a query, each in all stemmings that a document may have, without stop words unless there is
/// nothing else. `languages` as in [`QueryTerms::new`].
pub fn query_tokens(text: &str, languages: &[&str]) -> Vec<BTreeSet<String>> {
    let detected = language::detect(text);
    let certain = [detected.code];
    let languages = if languages.is_empty() && detected.reliable && text.chars().count() >= MIN_CERTAIN_CHARS
    {
        &certain
    } else {
        languages
    };
    let mut kept = Vec::new();
    let mut stopped = Vec::new();
    words::for_each(text, |word| {
        let variants: BTreeSet<String> = Stemming::candidates(languages, word)
            .iter()
            .map(|stemming| stemming.apply(word))
            .collect();
        // English is the fallback of documents of unknown language, so its stop words are never indexed there.
        let stop = stop_words::contains(detected.code, word) || stop_words::contains("eng", word);
        if stop { &mut stopped } else { &mut kept }.push(variants);
    });
    if kept.is_empty() { stopped } else { kept }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn matches(query: &str, document: &str, language: Option<&str>) -> bool {
        let document = DocumentTerms::new(document, language, 0.0);
        QueryTerms::new(query, &[])
            .terms
            .iter()
            .any(|id| document.weights.iter().any(|(term, _)| term == id))
    }

    #[test]
    fn weights_follow_the_formula() {
        // tf 2 and 1 in a chunk of average length: 2*2.2/(2+1.2) and 1*2.2/(1+1.2).
        let terms = DocumentTerms::new("refund refund goods", Some("eng"), 3.0);
        assert_eq!(terms.length, 3);
        let weight = |word| {
            terms
                .weights
                .iter()
                .find(|(id, _)| *id == term_id(word))
                .map(|(_, w)| *w)
        };
        assert!((weight("refund").unwrap() - 1.375).abs() < 1e-6);
        assert!((weight("good").unwrap() - 1.0).abs() < 1e-6);
        let long = DocumentTerms::new("refund refund goods", Some("eng"), 1.0);
        assert!(long.weights[0].1 < terms.weights[0].1);
    }

    #[test]
    fn rare_terms_weigh_more_and_none_weighs_less_than_nothing() {
        assert!(idf(1000, 1) > idf(1000, 10));
        assert!(idf(1000, 1000) > 0.0);
        assert!(idf(10, 20).is_finite() && idf(10, 20) > 0.0);
        assert!(idf(0, 0).is_finite());
    }

    #[test]
    fn ids_are_stable() {
        assert_eq!(term_id("refund"), 493_027_624);
        assert_ne!(term_id("refund"), term_id("refunds"));
    }

    #[test]
    fn keeps_the_heaviest_terms_in_order() {
        let mut text = String::new();
        for i in 0..400 {
            text.push_str(&format!("word{i} "));
        }
        text.push_str("refund refund");
        let terms = DocumentTerms::new(&text, Some("eng"), 100.0);
        assert_eq!((terms.weights.len(), terms.length), (MAX_TERMS, 402));
        assert!(terms.weights.is_sorted_by_key(|(id, _)| *id));
        assert!(terms.weights.iter().any(|(id, _)| *id == term_id("refund")));
    }

    #[test]
    fn query_and_document_meet_across_inflections_and_languages() {
        assert!(matches("refunding", "Refunds are paid in 14 days", None));
        assert!(matches(
            "Rückerstattungen",
            "Die Rückerstattung erfolgt innerhalb von 14 Tagen",
            Some("deu")
        ));
        assert!(matches(
            "ruckerstattung",
            "Die Rückerstattung erfolgt innerhalb von 14 Tagen",
            Some("deu")
        ));
        assert!(matches("cafe", "Les cafés parisiens ouvrent tôt", Some("fra")));
        assert!(matches("возврат", "Условия возврата товаров", Some("rus")));
        assert!(matches("المدرسة", "والمدارس والمدرسه الجديدة", Some("ara")));
        assert!(matches("مستشفي", "في المستشفى", Some("ara")));
        assert!(matches("٢٠٢٤", "صدر في عام 2024", Some("ara")));
        assert!(matches("退款政策", "本公司的退款政策如下", None));
        assert!(matches("환불", "환불은 14일 이내에", None));
        assert!(matches("น้ำ", "ฉันดื่มน้ำทุกวัน", None));
        assert!(!matches("invoice", "Refunds are paid in 14 days", None));
    }

    #[test]
    fn stop_words_only_count_when_there_is_nothing_else() {
        assert_eq!(tokenize("what is the refund", Some("eng")), ["refund"]);
        assert!(!QueryTerms::new("to be or not to be", &[]).terms.is_empty());
        assert_eq!(query_tokens("what is the refund", &[]).len(), 1);
    }

    proptest! {
        #[test]
        fn any_text_gives_a_valid_sparse_vector(text in "\\PC{0,300}", average in -1.0f32..500.0) {
            let terms = DocumentTerms::new(&text, None, average);
            prop_assert!(terms.weights.len() <= MAX_TERMS);
            prop_assert!(terms.weights.windows(2).all(|pair| pair[0].0 < pair[1].0));
            prop_assert!(terms.weights.iter().all(|(id, w)| (1..1_000_000_000).contains(id) && *w > 0.0 && w.is_finite()));
            for id in QueryTerms::new(&text, &[]).terms {
                prop_assert!((1..1_000_000_000).contains(&id));
            }
        }

        #[test]
        fn a_text_finds_itself(text in "[a-zA-Zäöüéا-ي一-十]{3,12}( [a-zA-Zا-ي]{3,12}){0,6}") {
            let document = DocumentTerms::new(&text, None, 0.0);
            let query = QueryTerms::new(&text, &[]).terms;
            let found = document.weights.iter().filter(|(id, _)| query.contains(id)).count();
            prop_assert!(document.weights.is_empty() || found > 0);
        }
    }
}
