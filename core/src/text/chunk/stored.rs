//! What another model is given of a chunk that was cut for the window of the first.

use super::measure::Measure;
use super::{ChunkSettings, context, section, split, window};
use crate::model::TokenCounter;

/// The texts that stand for a stored chunk in a model whose longest input is `model_max` tokens: as a rule one, the
/// same that [`super::ChunkDraft::embed_text`] would give. A chunk that is longer than the window is cut at sentences
/// and words into several, without its titles; its vector is their mean.
pub(crate) fn embed_texts(
    heading_path: &[String],
    text: &str,
    counter: &dyn TokenCounter,
    model_max: usize,
) -> Vec<String> {
    let window = window(model_max);
    let tokens = counter.count(text);
    if tokens > window {
        let mut pieces = Vec::new();
        let measure = Measure::new(text, counter);
        let settings = ChunkSettings {
            max_tokens: window,
            overlap_tokens: 0,
            window_tokens: window,
        };
        for (_, piece) in split(text, &measure, false, settings) {
            fit(piece, counter, window, &mut pieces);
        }
        return pieces;
    }
    let above = above(heading_path, text).iter().map(String::as_str);
    let path = context(above, text, tokens, counter, window);
    vec![if path.is_empty() {
        text.to_owned()
    } else {
        format!("{path}\n{text}")
    }]
}

/// The titles that are not in the text itself: a chunk at the start of a section begins with its heading.
pub(super) fn above<'a>(heading_path: &'a [String], text: &str) -> &'a [String] {
    let first_line = text.lines().next().unwrap_or_default();
    match heading_path.split_last() {
        Some((last, outer)) if first_line.contains(last.as_str()) => outer,
        _ => heading_path,
    }
}

/// The splitter adds up words, which some tokenizers do not agree with to the token; here the whole is counted.
fn fit(piece: &str, counter: &dyn TokenCounter, window: usize, fitting: &mut Vec<String>) {
    let piece = piece.trim();
    if counter.count(piece) > window
        && let Some(middle) = section::middle(piece)
    {
        let (head, tail) = piece.split_at(middle);
        fit(head, counter, window, fitting);
        fit(tail, counter, window, fitting);
    } else if !piece.is_empty() {
        fitting.push(piece.to_owned());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    struct Words;

    impl TokenCounter for Words {
        fn count(&self, text: &str) -> usize {
            text.split_whitespace().count()
        }
    }

    fn texts(path: &[&str], text: &str, model_max: usize) -> Vec<String> {
        let path: Vec<String> = path.iter().map(|&title| title.to_owned()).collect();
        embed_texts(&path, text, &Words, model_max)
    }

    #[test]
    fn a_chunk_that_fits_is_one_text_under_its_titles() {
        assert_eq!(
            texts(&["Harbour", "Tides"], "High at six.", 256),
            ["Harbour > Tides\nHigh at six."]
        );
        assert_eq!(
            texts(&["Harbour", "Tides"], "## Tides\n\nHigh at six.", 256),
            ["Harbour\n## Tides\n\nHigh at six."]
        );
        assert_eq!(texts(&[], "High at six.", 256), ["High at six."]);
    }

    #[test]
    fn a_chunk_that_does_not_fit_is_cut_and_nothing_of_it_is_lost() {
        let text = (0..100).map(|n| format!("Word number {n}. ")).collect::<String>();
        let pieces = texts(&["Title"], &text, 36);
        assert!(pieces.len() > 9, "{pieces:?}");
        assert!(pieces.iter().all(|piece| Words.count(piece) <= 32), "{pieces:?}");
        let words = |text: &str| text.split_whitespace().map(str::to_owned).collect::<Vec<_>>();
        assert_eq!(words(&pieces.join(" ")), words(&text));
    }
}
