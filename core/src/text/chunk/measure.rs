//! Token counts of any slice of a text, in logarithmic time.

use std::collections::HashMap;

use text_splitter::ChunkSizer;

use crate::model::TokenCounter;

/// Longest unit in characters. A longer word is counted in parts: that bounds how much text a tokenizer that
/// folds long words to one unknown token (WordPiece) lets into a chunk.
const MAX_UNIT_CHARS: usize = 48;

/// The tokens of each word of a text, summed up.
///
/// A splitter asks for the size of hundreds of overlapping slices. Tokenizing each would cost twenty times the
/// text; tokenizing each distinct word once and adding costs less than the text. The sum is exact for tokenizers
/// that split at white space (WordPiece) and close for others.
pub(super) struct Measure<'a> {
    text: &'a str,
    counter: &'a dyn TokenCounter,
    units: Vec<Unit>,
}

/// White space and the word behind it.
#[derive(Debug, Clone, Copy)]
struct Unit {
    /// Byte offset of the word.
    word: usize,
    /// Byte offset behind the word.
    end: usize,
    /// Tokens of this and all units before.
    sum: usize,
}

impl<'a> Measure<'a> {
    pub(super) fn new(text: &'a str, counter: &'a dyn TokenCounter) -> Self {
        let mut known: HashMap<&str, usize> = HashMap::new();
        let mut units = Vec::new();
        let mut sum = 0;
        let mut start = 0;
        for (word, end) in bounds(text) {
            let unit = &text[start..end];
            // At least one: no run of whatever the tokenizer drops may be free of charge.
            sum += *known.entry(unit).or_insert_with(|| counter.count(unit).max(1));
            units.push(Unit { word, end, sum });
            start = end;
        }
        Self { text, counter, units }
    }

    /// Tokens between two byte offsets on character boundaries.
    fn between(&self, start: usize, end: usize) -> usize {
        let first = self.units.partition_point(|unit| unit.end <= start);
        let last = self.units.partition_point(|unit| unit.end < end);
        let Some(unit) = self.units.get(first).filter(|_| start < end) else {
            return 0;
        };
        if first == last && (start > unit.word || end < unit.end) {
            return self.part(start, end);
        }
        let mut tokens = 0;
        let mut from = first;
        if start > unit.word {
            tokens += self.part(start, unit.end);
            from += 1;
        }
        let mut until = last + 1;
        if let Some(unit) = self.units.get(last).filter(|unit| end < unit.end) {
            tokens += self.part(
                if last == 0 { 0 } else { self.units[last - 1].end },
                end.min(unit.end),
            );
            until = last;
        }
        let sum_before = |at: usize| {
            if at == 0 {
                0
            } else {
                self.units[at.min(self.units.len()) - 1].sum
            }
        };
        tokens + sum_before(until).saturating_sub(sum_before(from))
    }

    fn part(&self, start: usize, end: usize) -> usize {
        self.counter.count(&self.text[start..end]).max(1)
    }
}

impl ChunkSizer for &Measure<'_> {
    /// Tokens of `chunk`, which is a slice of the measured text.
    fn size(&self, chunk: &str) -> usize {
        let offset = (chunk.as_ptr() as usize).wrapping_sub(self.text.as_ptr() as usize);
        if self
            .text
            .get(offset..offset.saturating_add(chunk.len()))
            .is_some()
        {
            self.between(offset, offset + chunk.len())
        } else {
            self.counter.count(chunk)
        }
    }
}

/// Where the word of each unit starts and ends.
fn bounds(text: &str) -> impl Iterator<Item = (usize, usize)> {
    let mut chars = text.char_indices().peekable();
    std::iter::from_fn(move || {
        let mut word = None;
        let mut length = 0;
        while let Some((at, c)) = chars.peek().copied() {
            let ends = if word.is_some() { c.is_whitespace() } else { false };
            if ends || length == MAX_UNIT_CHARS {
                return Some((word.unwrap_or(at), at));
            }
            if word.is_none() && !c.is_whitespace() {
                word = Some(at);
            }
            length += 1;
            chars.next();
        }
        (length > 0).then(|| (word.unwrap_or(text.len()), text.len()))
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    struct Words;

    impl TokenCounter for Words {
        fn count(&self, text: &str) -> usize {
            text.split_whitespace()
                .map(|word| word.chars().count().div_ceil(4))
                .sum()
        }
    }

    #[test]
    fn sums_words() {
        let text = "  one twenty  three\n";
        let measure = Measure::new(text, &Words);
        assert_eq!((&measure).size(text), 6);
        assert_eq!((&measure).size(&text[2..5]), 1);
        assert_eq!((&measure).size(&text[6..12]), 2);
        assert_eq!((&measure).size(&text[6..19]), 4);
        assert_eq!((&measure).size(&text[8..16]), 2);
        assert_eq!((&measure).size("elsewhere"), 3);
        assert_eq!((&measure).size(""), 0);
    }

    #[test]
    fn long_words_are_counted_in_parts() {
        struct Unknown;
        impl TokenCounter for Unknown {
            fn count(&self, text: &str) -> usize {
                text.split_whitespace().count()
            }
        }
        let text = "x".repeat(4800);
        assert_eq!((&Measure::new(&text, &Unknown)).size(&text), 100);
    }

    proptest! {
        #[test]
        fn whole_words_cost_what_the_counter_says(words in prop::collection::vec("[a-zé一]{1,12}", 1..40), from in 0usize..40, to in 0usize..40) {
            let text = words.join(" ");
            let measure = Measure::new(&text, &Words);
            let (from, to) = (from.min(words.len() - 1), to.min(words.len() - 1));
            prop_assume!(from <= to);
            let start = words[..from].iter().map(|word| word.len() + 1).sum::<usize>();
            let slice = &text[start..start + words[from..=to].join(" ").len()];
            prop_assert_eq!((&measure).size(slice), Words.count(slice));
        }

        #[test]
        fn any_slice_has_a_size(text in "\\PC{0,80}", a in 0usize..200, b in 0usize..200) {
            let measure = Measure::new(&text, &Words);
            if let Some(slice) = text.get(a..b) {
                let size = (&measure).size(slice);
                prop_assert!(size <= slice.chars().count() + 2);
                prop_assert!(size >= Words.count(slice).saturating_sub(2) / 4);
            }
        }
    }
}
