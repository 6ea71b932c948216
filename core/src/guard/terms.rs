//! Words that a tenant does not want, found in any spelling.

use std::ops::Range;

use aho_corasick::{AhoCorasick, MatchKind};

use crate::text::fold::Folded;
use crate::{Error, Result};

/// Particles that Arabic writes together with the next word.
const PROCLITICS: [&str; 15] = [
    "و", "ف", "ب", "ك", "ل", "ال", "وال", "فال", "بال", "كال", "لل", "ولل", "وب", "ول", "فل",
];

/// A term as it is compared.
pub(super) fn fold(term: &str) -> String {
    Folded::words(term.trim()).text.into_owned()
}

/// The terms of one rule, ready to be looked for.
#[derive(Debug)]
pub(super) struct Terms {
    automaton: AhoCorasick,
    /// Folded, in order.
    sorted: Vec<String>,
    longest: usize,
}

impl Terms {
    pub(super) fn compile(terms: &[String]) -> Result<Self> {
        let mut sorted: Vec<String> = terms.iter().map(|term| fold(term)).collect();
        sorted.sort_unstable();
        sorted.dedup();
        let automaton = AhoCorasick::builder()
            .match_kind(MatchKind::LeftmostLongest)
            .build(&sorted)
            .map_err(Error::internal)?;
        let longest = sorted.iter().map(String::len).max().unwrap_or(0);
        Ok(Self {
            automaton,
            sorted,
            longest,
        })
    }

    /// Where terms are in a text of [`Folded::words`], in bytes of that text.
    pub(super) fn find(&self, text: &str) -> Vec<Range<usize>> {
        self.automaton
            .find_iter(text)
            .map(|found| found.start()..found.end())
            .filter(|found| begins_a_word(text, found.start) && ends_a_word(text, found.end))
            .collect()
    }

    /// From where on a text that goes on might hold a term that is not complete yet, or whose word is not.
    pub(super) fn open_from(&self, text: &str) -> usize {
        let tail = text.len().saturating_sub(self.longest);
        text.char_indices()
            .map(|(at, _)| at)
            .filter(|at| *at >= tail)
            .find(|at| begins_a_word(text, *at) && self.may_begin_with(&text[*at..]))
            .unwrap_or(text.len())
    }

    fn may_begin_with(&self, start: &str) -> bool {
        let at = self.sorted.partition_point(|term| term.as_str() < start);
        self.sorted.get(at).is_some_and(|term| term.starts_with(start))
    }
}

fn begins_a_word(text: &str, at: usize) -> bool {
    let before = &text[..at];
    let stuck = before.len()
        - before
            .chars()
            .rev()
            .take_while(|c| c.is_alphanumeric() && is_spaced(*c))
            .map(char::len_utf8)
            .sum::<usize>();
    let prefix = &before[stuck..];
    prefix.is_empty()
        || !text[at..].chars().next().is_some_and(|c| c.is_alphanumeric())
        || PROCLITICS.contains(&prefix)
}

fn ends_a_word(text: &str, at: usize) -> bool {
    let inside = text[..at].chars().next_back().is_some_and(char::is_alphanumeric);
    let goes_on = text[at..]
        .chars()
        .next()
        .is_some_and(|c| c.is_alphanumeric() && is_spaced(c));
    !(inside && goes_on)
}

/// Whether the script of a letter separates its words by spaces.
fn is_spaced(c: char) -> bool {
    !matches!(c, '\u{e00}'..='\u{eff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' | '\u{3040}'..='\u{30ff}'
        | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn terms(terms: &[&str]) -> Terms {
        Terms::compile(&terms.iter().map(|term| (*term).to_owned()).collect::<Vec<_>>()).unwrap()
    }

    fn found<'a>(terms: &Terms, text: &'a str) -> Vec<&'a str> {
        let folded = Folded::words(text);
        let found = terms.find(&folded.text);
        found
            .into_iter()
            .map(|range| &text[folded.original(range)])
            .collect()
    }

    #[test]
    fn spellings_are_one_and_words_are_whole() {
        let terms = terms(&["Acme Corp", "café", "ass", "منافس", "退款"]);
        assert_eq!(
            found(&terms, "ask ACME\n  corp, or CAFE\u{301}s; first class or ＡＳＳ"),
            ["ACME\n  corp", "ＡＳＳ"]
        );
        assert_eq!(found(&terms, "le café."), ["café"]);
        assert_eq!(found(&terms, "المُنافِس والمنافس منافسة"), ["مُنافِس", "منافس"]);
        assert_eq!(found(&terms, "本公司的退款政策"), ["退款"]);
        assert_eq!(found(&terms, "nothing here"), Vec::<&str>::new());
    }

    #[test]
    fn a_text_is_open_from_where_a_term_may_have_begun() {
        let terms = terms(&["acme corp", "bell"]);
        let rest = |text: &'static str| &text[terms.open_from(text)..];
        assert_eq!(rest("we ask ac"), "ac");
        assert_eq!(rest("we ask acme "), "acme ");
        assert_eq!(rest("we ask acme corp"), "acme corp");
        assert_eq!(rest("we ask acme core"), "");
        assert_eq!(rest("a label"), "");
        assert_eq!(rest("a bell"), "bell");
        assert_eq!(rest("a bell "), "");
    }
}
