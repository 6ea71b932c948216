//! Where the words of a query are in a text, whatever form they have there.

use std::collections::BTreeSet;

use unicode_normalization::char::is_combining_mark;

use super::terms::{is_ignorable, query_tokens, tokenize};

/// A part of a text, in characters.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Span {
    /// Where it starts.
    pub start: usize,
    /// Where it ends: the character behind it.
    pub end: usize,
}

/// Finds the words of queries in a text that is indexed in `language` (ISO 639-3, or `und`), by the stems that search compares.
/// Spans are in order and do not touch.
pub fn find(text: &str, language: &str, queries: &[String]) -> Vec<Span> {
    let wanted: BTreeSet<String> = queries
        .iter()
        .flat_map(|query| query_tokens(query, &[]))
        .flatten()
        .collect();
    let chars: Vec<char> = text.chars().collect();
    let mut spans: Vec<Span> = Vec::new();
    let mut start = 0;
    while start < chars.len() {
        let length = chars[start..]
            .iter()
            .enumerate()
            .take_while(|(at, _)| is_in_word(&chars, start + at))
            .count();
        for span in in_run(&chars[start..start + length], language, &wanted) {
            let (from, to) = (start + span.start, start + span.end);
            match spans.last_mut() {
                // Pairs of characters overlap where more than two are wanted in a row.
                Some(last) if from <= last.end => last.end = to,
                _ => spans.push(Span { start: from, end: to }),
            }
        }
        start += length.max(1);
    }
    spans
}

fn is_in_word(chars: &[char], at: usize) -> bool {
    let c = chars[at];
    let is_digit = |at: Option<usize>| at.and_then(|at| chars.get(at)).is_some_and(|c| c.is_numeric());
    c.is_alphanumeric()
        || is_combining_mark(c)
        || is_ignorable(c)
        || (matches!(c, '.' | ',') && is_digit(at.checked_sub(1)) && is_digit(Some(at + 1)))
}

/// The wanted words of a run of letters. In a script without spaces a run has many.
fn in_run(run: &[char], language: &str, wanted: &BTreeSet<String>) -> Vec<Span> {
    let text: String = run.iter().collect();
    // Of a language that is not known, search knows no more than its default.
    let tokens = tokenize(&text, Some(language));
    if let [token] = tokens.as_slice() {
        let whole = Span {
            start: 0,
            end: run.len(),
        };
        return wanted.contains(token).then_some(whole).into_iter().collect();
    }
    let lower: Vec<char> = run
        .iter()
        .map(|c| c.to_lowercase().next().unwrap_or(*c))
        .collect();
    let mut from = 0;
    let mut spans = Vec::new();
    for token in tokens {
        let token_chars: Vec<char> = token.chars().collect();
        let place = lower[from..]
            .windows(token_chars.len().max(1))
            .position(|window| window == token_chars);
        let Some(place) = place.map(|place| from + place) else {
            continue;
        };
        if wanted.contains(&token) {
            spans.push(Span {
                start: place,
                end: place + token_chars.len(),
            });
        }
        from = place + 1;
    }
    spans
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn found(text: &str, language: &str, query: &str) -> Vec<String> {
        let cut = |span: Span| {
            text.chars()
                .skip(span.start)
                .take(span.end - span.start)
                .collect()
        };
        find(text, language, &[query.to_owned()])
            .into_iter()
            .map(cut)
            .collect()
    }

    #[test]
    fn words_are_found_in_the_form_that_they_have() {
        let text = "Refunds are paid to the card; a refund of 1,250.50 euros was REFUNDED.";
        assert_eq!(
            found(text, "eng", "what is the refunding of 1,250.50?"),
            ["Refunds", "refund", "1,250.50", "REFUNDED"]
        );
        assert_eq!(
            found("في المدرسة والمدارس", "ara", "مدرسة"),
            ["المدرسة"],
            "an article is no other word"
        );
        assert_eq!(found("Die Häuser am See", "deu", "haus"), ["Häuser"]);
        assert_eq!(found("the and of", "eng", "the refund"), [""; 0]);
    }

    #[test]
    fn runs_without_spaces_are_marked_where_they_match() {
        assert_eq!(found("本公司的退款政策如下", "cmn", "退款政策"), ["退款政策"]);
        assert_eq!(found("GPT4模型和水", "cmn", "模型"), ["模型"]);
    }

    proptest! {
        #[test]
        fn spans_are_in_order_and_within(text in "\\PC{0,60}", query in "\\PC{0,20}") {
            let spans = find(&text, "und", &[query]);
            prop_assert!(spans.windows(2).all(|pair| pair[0].end < pair[1].start));
            prop_assert!(spans.iter().all(|span| span.start < span.end && span.end <= text.chars().count()));
        }
    }
}
