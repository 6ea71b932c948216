//! Texts to sentences: candidates for an extractive answer, and what a citation points at.

mod plain;

use std::ops::Range;

use unicode_segmentation::UnicodeSegmentation;

pub use plain::plain;

/// A sentence longer than this many characters is cut at clauses.
const LONGEST: usize = 400;

/// What kind of line a sentence comes from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// Running text.
    Prose,
    /// A heading.
    Heading,
    /// Part of a list item.
    ListItem,
    /// A row of a table.
    TableRow,
    /// A line of a code block.
    Code,
}

/// A sentence of a text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Sentence {
    /// Where it is in the text: byte offsets on character boundaries, line markers (`#`, `-`, `1.`) excluded.
    pub range: Range<usize>,
    /// The sentence as a reader should see it: without markup, on one line. Never empty.
    pub text: String,
    /// Where it comes from.
    pub kind: Kind,
}

/// Splits Markdown or plain text into sentences in order.
///
/// Follows Unicode's sentence boundaries (which know Arabic `؟` and `۔`, Chinese `。！？`), except that a line break
/// inside a paragraph ends nothing, abbreviations and initials end nothing, and every heading, list item, table row
/// and line of code stands for itself. Rules and separator rows are dropped.
pub fn sentences(text: &str) -> Vec<Sentence> {
    let mut found = Found {
        text,
        sentences: Vec::new(),
        paragraph: None,
    };
    let mut fence: Option<&str> = None;
    let mut start = 0;
    for line in text.split_inclusive('\n') {
        let content = line.trim_end();
        let body = content.trim_start();
        let at = start + (content.len() - body.len());
        start += line.len();
        let range = at..at + body.len();
        if let Some(mark) = fence {
            if body.starts_with(mark) {
                fence = None;
            } else {
                found.add(range, Kind::Code);
            }
        } else if let Some(mark) = ["```", "~~~"].into_iter().find(|mark| body.starts_with(mark)) {
            found.flush();
            fence = Some(mark);
        } else {
            found.line(range, body);
        }
    }
    found.flush();
    found.sentences
}

/// The paragraph that is being read, and what was found before.
struct Found<'a> {
    text: &'a str,
    sentences: Vec<Sentence>,
    paragraph: Option<(Range<usize>, Kind)>,
}

impl Found<'_> {
    fn line(&mut self, range: Range<usize>, body: &str) {
        if body.is_empty() {
            self.flush();
        } else if is_rule(body) {
            // Under a single line of prose, a heading's underline.
            if let Some((range, kind)) = &mut self.paragraph
                && body.starts_with(['=', '-'])
                && *kind == Kind::Prose
                && !self.text[range.clone()].contains('\n')
            {
                *kind = Kind::Heading;
            }
            self.flush();
        } else if let Some(marker) = heading_marker(body) {
            self.flush();
            self.add(range.start + marker..range.end, Kind::Heading);
        } else if is_row(body) {
            self.flush();
            self.add(range, Kind::TableRow);
        } else if let Some(marker) = list_marker(body) {
            self.flush();
            self.paragraph = Some((range.start + marker..range.end, Kind::ListItem));
        } else {
            match &mut self.paragraph {
                Some((paragraph, _)) => paragraph.end = range.end,
                None => self.paragraph = Some((range, Kind::Prose)),
            }
        }
    }

    fn flush(&mut self) {
        let Some((range, kind)) = self.paragraph.take() else {
            return;
        };
        if kind == Kind::Heading {
            return self.add(range, kind);
        }
        // Line breaks and footnote references end no sentence. All of the same length, so that offsets stay.
        let mut unwrapped = self.text[range.clone()].replace('\n', " ");
        for reference in plain::references(&self.text[range.clone()]) {
            let blank = " ".repeat(reference.len());
            unwrapped.replace_range(reference, &blank);
        }
        for sentence in boundaries(&unwrapped) {
            self.add(range.start + sentence.start..range.start + sentence.end, kind);
        }
    }

    fn add(&mut self, range: Range<usize>, kind: Kind) {
        for piece in pieces(&self.text[range.clone()]) {
            self.push(range.start + piece.start..range.start + piece.end, kind);
        }
    }

    fn push(&mut self, range: Range<usize>, kind: Kind) {
        let raw = &self.text[range.clone()];
        let trimmed = raw.trim_start();
        let start = range.end - trimmed.len();
        let trimmed = trimmed.trim_end();
        let text = if kind == Kind::Code {
            trimmed.to_owned()
        } else {
            plain(trimmed)
        };
        if text.chars().any(char::is_alphanumeric) {
            self.sentences.push(Sentence {
                range: start..start + trimmed.len(),
                text,
                kind,
            });
        }
    }
}

/// Unicode's sentences, with those joined that an abbreviation tore apart.
fn boundaries(paragraph: &str) -> Vec<Range<usize>> {
    let mut joined: Vec<Range<usize>> = Vec::new();
    for (start, sentence) in paragraph.split_sentence_bound_indices() {
        let end = start + sentence.len();
        match joined.last_mut() {
            Some(last) if continues(&paragraph[last.clone()], sentence) => last.end = end,
            _ => joined.push(start..end),
        }
    }
    joined
}

/// Whether `next` belongs to the sentence that seems to end with `before`.
fn continues(before: &str, next: &str) -> bool {
    const TITLES: [&str; 26] = [
        "mr", "mrs", "ms", "dr", "prof", "st", "jr", "sr", "gen", "col", "lt", "capt", "rev", "hon", "gov",
        "sen", "rep", "fig", "figs", "eq", "vs", "cf", "e.g", "i.e", "approx", "bzw",
    ];
    const BEFORE_NUMBERS: [&str; 12] = [
        "no", "nos", "vol", "p", "pp", "ch", "sec", "art", "nr", "s", "v", "ed",
    ];
    let trimmed = before.trim_end();
    let Some(stem) = trimmed.strip_suffix('.') else {
        return false;
    };
    let word = stem
        .rsplit(|c: char| c.is_whitespace() || c == '(')
        .next()
        .unwrap_or_default();
    let lower = word.to_lowercase();
    let is_initial = word.chars().count() == 1 && word.chars().all(char::is_uppercase);
    // `U.S.` or `z.B.`, but not a number.
    let is_dotted = word.contains('.')
        && word.split('.').all(|part| part.chars().count() <= 2)
        && word.chars().any(char::is_alphabetic);
    TITLES.contains(&lower.as_str())
        || is_initial
        || is_dotted
        || (BEFORE_NUMBERS.contains(&lower.as_str()) && next.starts_with(|c: char| c.is_numeric()))
}

/// Cuts what is too long at the last semicolon, comma or space that fits.
fn pieces(sentence: &str) -> Vec<Range<usize>> {
    let mut cut = Vec::new();
    let mut start = 0;
    while let Some((limit, _)) = sentence[start..].char_indices().nth(LONGEST) {
        let head = &sentence[start..start + limit];
        let late = |at: &usize| *at > head.len() / 3;
        let end = [&[';', '؛', '；'][..], &[',', '،', '，', '、'], &[' ']]
            .into_iter()
            .find_map(|marks| {
                head.char_indices()
                    .rev()
                    .find(|(_, c)| marks.contains(c))
                    .map(|(at, c)| at + c.len_utf8())
                    .filter(late)
            })
            .unwrap_or(head.len());
        cut.push(start..start + end);
        start += end;
    }
    cut.push(start..sentence.len());
    cut
}

/// A thematic break, the underline of a heading, or the separator row of a table.
fn is_rule(line: &str) -> bool {
    line.len() >= 3
        && line
            .chars()
            .all(|c| matches!(c, '-' | '=' | '*' | '_' | '|' | ':' | '+' | ' '))
        && line.chars().any(|c| c != ' ')
}

/// Length of `## ` at the start of a heading.
fn heading_marker(line: &str) -> Option<usize> {
    let level = line.bytes().take_while(|b| *b == b'#').count();
    ((1..=6).contains(&level) && line[level..].starts_with(' ')).then_some(level + 1)
}

fn is_row(line: &str) -> bool {
    line.starts_with('|') || line.contains(" | ")
}

/// Length of `- `, `* `, `• `, `12. `, `> ` at the start of a line.
fn list_marker(line: &str) -> Option<usize> {
    for bullet in ["- ", "* ", "+ ", "• ", "– ", "> "] {
        if line.starts_with(bullet) {
            return Some(bullet.len());
        }
    }
    let digits = line.bytes().take_while(u8::is_ascii_digit).count();
    let rest = &line[digits..];
    ((1..=3).contains(&digits) && (rest.starts_with(". ") || rest.starts_with(") "))).then_some(digits + 2)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn texts(text: &str) -> Vec<String> {
        sentences(text)
            .into_iter()
            .map(|sentence| sentence.text)
            .collect()
    }

    #[test]
    fn prose() {
        assert_eq!(
            texts("Dr. Smith paid 3.14 USD. He left\nthe U.S. Army in May! Why? See No. 5."),
            [
                "Dr. Smith paid 3.14 USD.",
                "He left the U.S. Army in May!",
                "Why?",
                "See No. 5."
            ]
        );
        assert_eq!(
            texts("It swims.[1][2, 3] It [sic] flies.[4]"),
            ["It swims.", "It [sic] flies."]
        );
        assert_eq!(
            texts("متى يدفع؟ خلال أسبوعين۔ شكرا."),
            ["متى يدفع؟", "خلال أسبوعين۔", "شكرا."]
        );
        assert_eq!(
            texts("退款需要时间。请等待！好吗？"),
            ["退款需要时间。", "请等待！", "好吗？"]
        );
    }

    #[test]
    fn structure_ends_sentences() {
        let text = "# Refunds #1\n\nPaid soon\n- first item. More\n- second\n\nTitle\n=====\n\n| a | b |\n|---|---|\n| 1 | 2 |\n\n```\nlet x = 1;\n```\n***\n";
        let found = sentences(text);
        let kinds: Vec<_> = found.iter().map(|s| (s.kind, s.text.as_str())).collect();
        assert_eq!(
            kinds,
            [
                (Kind::Heading, "Refunds #1"),
                (Kind::Prose, "Paid soon"),
                (Kind::ListItem, "first item."),
                (Kind::ListItem, "More"),
                (Kind::ListItem, "second"),
                (Kind::Heading, "Title"),
                (Kind::TableRow, "a | b"),
                (Kind::TableRow, "1 | 2"),
                (Kind::Code, "let x = 1;"),
            ]
        );
        assert_eq!(&text[found[0].range.clone()], "Refunds #1");
        assert_eq!(&text[found[4].range.clone()], "second");
    }

    #[test]
    fn long_sentences_are_cut_at_clauses() {
        let text = format!("{}، {}", "كلمة ".repeat(60).trim_end(), "كلمة ".repeat(60));
        let found = sentences(&text);
        assert_eq!(found.len(), 2);
        assert!(found[0].text.ends_with('،'));
        assert!(found.iter().all(|s| s.text.chars().count() <= LONGEST));
    }

    proptest! {
        #[test]
        fn ranges_ascend_and_fit(text in "(\\PC|[\n.# |*`-]){0,300}") {
            let mut last = 0;
            for sentence in sentences(&text) {
                prop_assert!(sentence.range.start >= last && sentence.range.end <= text.len());
                prop_assert!(text.get(sentence.range.clone()).is_some_and(|raw| !raw.trim().is_empty()));
                prop_assert!(!sentence.text.is_empty());
                last = sentence.range.end;
            }
        }
    }
}
