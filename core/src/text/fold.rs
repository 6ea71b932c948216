//! Text rewritten character by character, with the way back: what is found in the rewritten text is somewhere in the
//! original one.

use std::borrow::Cow;
use std::ops::Range;

use unicode_normalization::UnicodeNormalization;

use super::terms::{digit, is_ignorable, letter};

/// A rewritten text that knows where each of its bytes comes from.
pub(crate) struct Folded<'a> {
    pub(crate) text: Cow<'a, str>,
    /// For each byte of `text`, the original character's bytes. `None` when every byte is where it was.
    origin: Option<Vec<(u32, u32)>>,
}

impl<'a> Folded<'a> {
    /// The same characters in one form: decimal digits, full-width letters, dashes and spaces of all scripts as ASCII,
    /// invisible characters gone.
    pub(crate) fn plain(text: &'a str) -> Self {
        if text.is_ascii() {
            return Self {
                text: Cow::Borrowed(text),
                origin: None,
            };
        }
        let mut builder = Builder::new(text);
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            if let Some(c) = plain(c) {
                builder.push(c, at, end);
            }
        }
        builder.finish()
    }

    /// One spelling per word: besides [`Folded::plain`], lower case, accents off, Arabic letters unified, and one space
    /// for any white space.
    pub(crate) fn words(text: &'a str) -> Self {
        let mut builder = Builder::new(text);
        let mut after_space = false;
        for (at, c) in text.char_indices() {
            let end = at + c.len_utf8();
            if c.is_whitespace() {
                if !after_space {
                    builder.push(' ', at, end);
                }
                after_space = true;
                continue;
            }
            let Some(c) = plain(c) else { continue };
            after_space = false;
            if c.is_ascii() {
                builder.push(c.to_ascii_lowercase(), at, end);
                continue;
            }
            for c in std::iter::once(c).nfkd().flat_map(char::to_lowercase) {
                if !matches!(c, '\u{300}'..='\u{36f}')
                    && let Some(c) = letter(digit(c))
                {
                    builder.push(c, at, end);
                }
            }
        }
        builder.finish()
    }

    /// Where a part of the rewritten text comes from, in bytes of the original.
    pub(crate) fn original(&self, range: Range<usize>) -> Range<usize> {
        let Some(origin) = &self.origin else { return range };
        let (Some(first), Some(last)) = (
            origin.get(range.start),
            range.end.checked_sub(1).and_then(|end| origin.get(end)),
        ) else {
            return 0..0;
        };
        first.0 as usize..last.1 as usize
    }
}

struct Builder {
    text: String,
    origin: Vec<(u32, u32)>,
}

impl Builder {
    fn new(text: &str) -> Self {
        Self {
            text: String::with_capacity(text.len()),
            origin: Vec::with_capacity(text.len()),
        }
    }

    fn push(&mut self, c: char, start: usize, end: usize) {
        self.text.push(c);
        // Texts are bounded by the size of a request, far below 4 GB.
        let from = (
            u32::try_from(start).unwrap_or(u32::MAX),
            u32::try_from(end).unwrap_or(u32::MAX),
        );
        self.origin.extend(std::iter::repeat_n(from, c.len_utf8()));
    }

    fn finish<'a>(self) -> Folded<'a> {
        Folded {
            text: Cow::Owned(self.text),
            origin: Some(self.origin),
        }
    }
}

/// A character in its plain form; `None` if it is invisible.
fn plain(c: char) -> Option<char> {
    if c.is_ascii() {
        return Some(c);
    }
    if is_ignorable(c) || matches!(c, '\u{61c}' | '\u{e0000}'..='\u{e007f}') {
        return None;
    }
    Some(match c {
        // Full-width ASCII.
        '\u{ff01}'..='\u{ff5e}' => char::from_u32(u32::from(c) - 0xfee0).unwrap_or(c),
        '\u{2010}'..='\u{2015}' | '\u{2212}' | '\u{fe63}' => '-',
        '\u{66b}' => '.',
        c if c.is_whitespace() => ' ',
        c => digit(c),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_found_leads_back() {
        let text = "هاتف: ٠٥٠-١٢٣ \u{200b}x";
        let folded = Folded::plain(text);
        let at = folded.text.find("050-123").unwrap();
        assert_eq!(&text[folded.original(at..at + 7)], "٠٥٠-١٢٣");
    }

    #[test]
    fn spellings_of_a_word_are_one() {
        for (written, folded) in [
            ("Café  au\nLAIT", "cafe au lait"),
            ("مُدَرِّسَـــة", "مدرسه"),
            ("ＦＵＬＬ ２", "full 2"),
            ("إلى", "الي"),
        ] {
            assert_eq!(Folded::words(written).text, folded, "{written}");
        }
    }

    proptest! {
        #[test]
        fn every_part_comes_from_whole_characters(text in "\\PC{0,80}") {
            for folded in [Folded::plain(&text), Folded::words(&text)] {
                for (at, c) in folded.text.char_indices() {
                    let from = folded.original(at..at + c.len_utf8());
                    prop_assert!(from.start < from.end);
                    prop_assert!(text.get(from).is_some());
                }
            }
        }
    }
}
