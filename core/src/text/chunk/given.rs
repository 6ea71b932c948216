//! Chunks that were cut elsewhere: by a client, or by hand.

use super::stored::above;
use super::{ChunkDraft, context, shorten, window};
use crate::model::TokenCounter;

/// A passage as it was given.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Given {
    pub(crate) ordinal: i32,
    pub(crate) text: String,
    /// Character offsets in whatever the client cut it from.
    pub(crate) start_char: i64,
    pub(crate) end_char: i64,
    pub(crate) page: Option<i32>,
    pub(crate) heading_path: Vec<String>,
}

impl ChunkDraft {
    /// The chunk of a given passage, however long it is. `model_max` is the longest input of the model.
    pub(crate) fn given(given: Given, counter: &dyn TokenCounter, model_max: usize) -> Self {
        let heading_path: Vec<String> = given.heading_path.iter().map(|title| shorten(title)).collect();
        let tokens = counter.count(&given.text);
        let above = above(&heading_path, &given.text);
        let titles = above.iter().map(String::as_str);
        Self {
            ordinal: given.ordinal,
            start_char: given.start_char,
            end_char: given.end_char,
            page: given.page,
            tokens,
            above: above.len(),
            columns: None,
            context: context(titles, &given.text, tokens, counter, window(model_max)),
            heading_path,
            text: given.text,
        }
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

    fn draft(path: &[&str], text: &str) -> ChunkDraft {
        let given = Given {
            ordinal: 0,
            text: text.into(),
            start_char: 0,
            end_char: 0,
            page: None,
            heading_path: path.iter().map(|&title| title.to_owned()).collect(),
        };
        ChunkDraft::given(given, &Words, 36)
    }

    #[test]
    fn titles_that_the_text_does_not_have_are_put_before_it_while_they_fit() {
        let under = draft(&["Harbour", "Tides"], "High at six.");
        assert_eq!(under.embed_text(), "Harbour > Tides\nHigh at six.");
        assert_eq!(under.indexed_text(), "Harbour\nTides\nHigh at six.");
        let with_its_own = draft(&["Harbour", "Tides"], "## Tides\nHigh at six.");
        assert_eq!(with_its_own.indexed_text(), "Harbour\n## Tides\nHigh at six.");
        let long = "word ".repeat(40);
        assert_eq!(draft(&["Harbour"], &long).embed_text(), long, "never cut");
    }
}
