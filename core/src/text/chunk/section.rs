//! Large documents to sections that are split on their own.
//!
//! The splitter looks at all that remains for every chunk, which is quadratic in the length of the text. Sections
//! of bounded length make it linear; they end where a chunk would want to end anyway.

use std::ops::Range;

use crate::ingest::Heading;

/// A section ends at the first heading behind this many bytes.
const SMALLEST: usize = 8 * 1024;
/// A section without headings ends at the last paragraph (line, sentence, word) before this many bytes.
const LARGEST: usize = 24 * 1024;

/// Cuts `text` into sections that cover it without gaps.
pub(super) fn cut(text: &str, headings: &[Heading]) -> Vec<Range<usize>> {
    let mut sections = Vec::new();
    let mut start = 0;
    let mut headings = headings.iter().map(|heading| heading.offset).peekable();
    while text.len() - start > LARGEST {
        while headings.next_if(|offset| *offset < start + SMALLEST).is_some() {}
        let end = match headings.peek() {
            Some(offset) if *offset <= start + LARGEST && text.is_char_boundary(*offset) => *offset,
            _ => start + last_break(&text[start..floor(text, start + LARGEST)]),
        };
        sections.push(start..end);
        start = end;
    }
    sections.push(start..text.len());
    sections
}

/// Where to cut a piece that is too long in two: the break nearest its middle. `None` for a single character.
pub(super) fn middle(text: &str) -> Option<usize> {
    let half = floor(text, text.len().div_ceil(2));
    let space = text[..half]
        .rfind(char::is_whitespace)
        .filter(|at| *at > 0 && !text[..*at].trim().is_empty());
    let character = if half > 0 {
        Some(half)
    } else {
        text.char_indices().nth(1).map(|(at, _)| at)
    };
    space.filter(|at| *at > text.len() / 4).or(character)
}

/// The end of the last paragraph in `text`; of the last line, sentence or word if there is none in its second half.
fn last_break(text: &str) -> usize {
    let late = |at: usize| at > text.len() / 2;
    ["\n\n", "\n", ". ", "。", "؟ ", " "]
        .into_iter()
        .find_map(|mark| text.rfind(mark).map(|at| at + mark.len()).filter(|at| late(*at)))
        .unwrap_or(text.len())
}

/// The last character boundary at or before `at`.
fn floor(text: &str, at: usize) -> usize {
    text.floor_char_boundary(at)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn small_documents_stay_whole() {
        for text in ["", "a\n\nb"] {
            assert_eq!(cut(text, &[]), vec![0..text.len()]);
        }
    }

    #[test]
    fn large_ones_end_at_headings_or_paragraphs() {
        let text = format!("{}\n\n# Two\n\n{}", "word ".repeat(2500), "word ".repeat(4000));
        let two = text.find("# Two").unwrap();
        let headings = [Heading {
            offset: two,
            level: 1,
            title: "Two".into(),
        }];
        assert_eq!(cut(&text, &headings), [0..two, two..text.len()]);
        let paragraphs = "A sentence of a paragraph.\n\n".repeat(2000);
        for section in cut(&paragraphs, &[]) {
            assert!(section.len() <= LARGEST && paragraphs[section].ends_with("\n\n"));
        }
    }

    #[test]
    fn text_without_any_break_is_cut_between_characters() {
        let text = "水".repeat(50_000);
        let sections = cut(&text, &[]);
        assert_eq!(
            sections.iter().map(|section| section.len()).sum::<usize>(),
            text.len()
        );
        assert!(
            sections
                .iter()
                .all(|section| text.get(section.clone()).is_some_and(|s| !s.is_empty()))
        );
    }

    #[test]
    fn middle_prefers_spaces() {
        assert_eq!(middle("hello world again"), Some(5));
        assert_eq!(middle("水水水水"), Some(6));
        assert_eq!(middle("水"), None);
        assert_eq!(middle("ab"), Some(1));
        assert_eq!(middle(""), None);
    }
}
