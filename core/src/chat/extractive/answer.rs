//! Chosen sentences to an answer with markers.

use crate::model::{ChatOptions, Citation, FinishReason, Passage};
use crate::text::sentence::Kind;

use super::score::Candidate;

/// An answer in parts, before limits are applied.
pub(super) struct Draft {
    parts: Vec<Part>,
}

struct Part {
    text: String,
    /// Whether it stands on a line of its own.
    line: bool,
    source: Option<Source>,
}

struct Source {
    passage: usize,
    start: i64,
    end: i64,
}

impl Draft {
    /// A sentence of our own, without sources.
    pub(super) fn plain(text: &str) -> Self {
        Self {
            parts: vec![Part {
                text: text.to_owned(),
                line: false,
                source: None,
            }],
        }
    }

    /// The chosen sentences, in the order given.
    pub(super) fn cited(chosen: &[Candidate], passages: &[Passage]) -> Self {
        let parts = chosen
            .iter()
            .filter_map(|candidate| {
                let passage = passages.get(candidate.passage)?;
                let range = candidate.sentence.range.clone();
                let start = passage.start + chars(passage.text.get(..range.start)?);
                let end = start + chars(passage.text.get(range)?);
                Some(Part {
                    text: candidate.sentence.text.clone(),
                    line: candidate.sentence.kind != Kind::Prose,
                    source: Some(Source {
                        passage: candidate.passage,
                        start,
                        end,
                    }),
                })
            })
            .collect();
        Self { parts }
    }

    /// The answer's text, its citations and why it ends, under the options' token limit and stop strings. `count`
    /// measures text in tokens; the limit is kept per sentence, and within the first one per word.
    pub(super) fn finish(
        self,
        options: &ChatOptions,
        count: impl Fn(&str) -> usize,
    ) -> (String, Vec<Citation>, FinishReason) {
        let limit = options.max_tokens.map_or(usize::MAX, |tokens| tokens as usize);
        let mut answer = Answer::default();
        let mut finish = FinishReason::Stop;
        let mut last_line = false;
        for part in &self.parts {
            let separator = if answer.text.is_empty() {
                ""
            } else if part.line || last_line {
                "\n"
            } else {
                " "
            };
            let mut longer = answer.clone();
            longer.push(separator, &part.text, part.source.as_ref());
            if count(&longer.text) > limit {
                finish = FinishReason::Length;
                if answer.text.is_empty() {
                    answer.text = first_words(&part.text, |text| count(text) <= limit);
                }
                break;
            }
            answer = longer;
            last_line = part.line;
        }
        if let Some(end) = options
            .stop
            .iter()
            .filter(|s| !s.is_empty())
            .filter_map(|s| answer.text.find(s.as_str()))
            .min()
        {
            answer.text.truncate(end);
            let length = answer.text.chars().count();
            answer.citations.retain(|citation| citation.index + 3 <= length);
            finish = FinishReason::Stop;
        }
        (answer.text, answer.citations, finish)
    }
}

#[derive(Default, Clone)]
struct Answer {
    text: String,
    citations: Vec<Citation>,
}

impl Answer {
    fn push(&mut self, separator: &str, text: &str, source: Option<&Source>) {
        self.text.push_str(separator);
        self.text.push_str(text);
        let Some(source) = source else { return };
        self.text.push(' ');
        let index = self.text.chars().count();
        self.text.push_str(&format!("[{}]", source.passage + 1));
        self.citations.push(Citation {
            passage: source.passage,
            index,
            start: source.start,
            end: source.end,
        });
    }
}

fn chars(text: &str) -> i64 {
    i64::try_from(text.chars().count()).unwrap_or(i64::MAX)
}

/// As many words of `text` as fit.
fn first_words(text: &str, fits: impl Fn(&str) -> bool) -> String {
    let mut kept = String::new();
    for word in text.split_inclusive(' ') {
        let longer = format!("{kept}{word}");
        if !fits(longer.trim_end()) {
            break;
        }
        kept = longer;
    }
    kept.trim_end().to_owned()
}
