//! Characters of a page to lines of text.

use std::borrow::Cow;

use unicode_normalization::UnicodeNormalization;

use super::rtl;

/// How pdfium gives a hyphen that splits a word at the end of a line.
const LINE_END_HYPHEN: u32 = 0x02;
/// Shorter lines may be cells, titles or verses: they are never joined.
const SHORTEST_FULL_LINE: usize = 40;
/// A line is full if it has this share, in percent, of the characters of the page's long lines.
const FULL_PERCENT: usize = 75;

/// The text of a page from its character codes: words that were split at line ends are whole again, lines of a
/// paragraph are one where that is certain, letters have their plain forms.
pub(super) fn tidy(codes: impl Iterator<Item = u32>) -> String {
    let text = decode(codes);
    let mirrored: Vec<Cow<'_, str>> = text
        .lines()
        .map(|line| rtl::mirror_brackets(line).map_or(Cow::Borrowed(line), Cow::Owned))
        .collect();
    let lines: Vec<&str> = mirrored.iter().map(|line| line.trim_end()).collect();
    let full = full_length(&lines);
    let mut joined = String::with_capacity(text.len());
    let mut previous: Option<&str> = None;
    for line in lines {
        match previous {
            Some(above) if continues(above, line, full) => {
                if !is_ideographic(above.chars().next_back()) {
                    joined.push(' ');
                }
                joined.push_str(line.trim_start());
            }
            Some(_) => {
                joined.push('\n');
                joined.push_str(line);
            }
            None => joined.push_str(line),
        }
        previous = Some(line);
    }
    joined
}

/// Codes to characters. Surrogates may come in pairs; a split word's hyphen goes with the line break behind it.
fn decode(codes: impl Iterator<Item = u32>) -> String {
    let mut text = String::new();
    let mut high: Option<u32> = None;
    let mut split = false;
    for code in codes {
        if let Some(first) = high.take()
            && (0xdc00..0xe000).contains(&code)
        {
            push(
                &mut text,
                char::from_u32(0x10000 + ((first - 0xd800) << 10) + (code - 0xdc00)),
            );
            continue;
        }
        match code {
            0xd800..0xdc00 => high = Some(code),
            LINE_END_HYPHEN => split = true,
            // What stands behind the hyphen on its line: its break, and spaces.
            0x0a | 0x0d | 0x20 if split => {}
            0x0d => {}
            other => {
                split = false;
                // The space behind a Latin word in Arabic text gets lost.
                if rtl::is_letter(other) && text.ends_with(|c: char| c.is_ascii_alphabetic()) {
                    text.push(' ');
                }
                push(&mut text, char::from_u32(other));
            }
        }
    }
    text
}

/// Ligatures and the forms that Arabic letters take inside words become the letters that they stand for.
fn push(text: &mut String, character: Option<char>) {
    match character {
        Some(form @ ('\u{fb00}'..='\u{fdfb}' | '\u{fe70}'..='\u{fefc}')) => text.extend(form.nfkc()),
        Some(other) => text.push(other),
        None => text.push('\u{fffd}'),
    }
}

/// From how many characters on a line of this page runs to its end.
fn full_length(lines: &[&str]) -> usize {
    let mut lengths: Vec<usize> = lines.iter().map(|line| line.chars().count()).collect();
    lengths.sort_unstable();
    let long = lengths.get(lengths.len() * 4 / 5).copied().unwrap_or_default();
    (long * FULL_PERCENT / 100).max(SHORTEST_FULL_LINE)
}

/// Whether `line` goes on with the sentence of a full line `above`: one that ends in a letter or a comma, before one
/// that begins with a letter that no sentence begins with, or whose script has no capitals.
fn continues(above: &str, line: &str, full: usize) -> bool {
    let ends = above
        .chars()
        .next_back()
        .is_some_and(|c| c.is_alphabetic() || matches!(c, ',' | '،' | '、' | '，'));
    let begins = line
        .trim_start()
        .chars()
        .next()
        .is_some_and(|c| c.is_alphabetic() && !c.is_uppercase());
    // An ideograph says as much as two letters and takes as much room.
    let width = |c: char| if is_ideographic(Some(c)) { 2 } else { 1 };
    ends && begins && above.chars().map(width).sum::<usize>() >= full
}

fn is_ideographic(character: Option<char>) -> bool {
    character.is_some_and(
        |c| matches!(c, '\u{3001}'..='\u{30ff}' | '\u{3400}'..='\u{9fff}' | '\u{f900}'..='\u{faff}' | '，'),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tidied(text: &str) -> String {
        tidy(text.chars().map(u32::from))
    }

    #[test]
    fn split_words_are_whole_again() {
        assert_eq!(
            tidied("the docu\u{2}\r\nments are here"),
            "the documents are here"
        );
        assert_eq!(tidied("a well-\r\nknown fact"), "a well-\nknown fact");
    }

    #[test]
    fn lines_of_a_paragraph_are_joined_where_it_is_certain() {
        let first = "The tenant shall give notice three months before the end of";
        assert_eq!(
            tidied(&format!("{first}\r\nthe term in writing.\r\nPets are allowed.")),
            format!("{first} the term in writing.\nPets are allowed.")
        );
        let first = "يجب على المستأجر أن يقدم إشعارا قبل ثلاثة أشهر من نهاية العقد";
        assert_eq!(tidied(&format!("{first}\r\nكتابة.")), format!("{first} كتابة."));
        // Cells, and a new sentence.
        assert_eq!(tidied("apple\r\nbanana"), "apple\nbanana");
        let sentence = "The tenant shall give notice three months before the end.";
        assert_eq!(
            tidied(&format!("{sentence}\r\nthen")),
            format!("{sentence}\nthen")
        );
    }

    #[test]
    fn forms_become_letters() {
        assert_eq!(tidied("o\u{fb03}ce"), "office");
        assert_eq!(tidied("لغة Pythonمن"), "لغة Python من");
        assert_eq!(tidied("\u{fee3}\u{feae}\u{fea3}\u{feb0}"), "مرحز");
        assert_eq!(tidy([0xd83d, 0xde00, 0xd800].into_iter()), "😀");
    }
}
