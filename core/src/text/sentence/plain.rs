//! Inline markup off.

use std::ops::Range;

use pulldown_cmark::{Event, Options, Parser};

/// Elements whose tags are layout, not content, when they appear inside a sentence.
const INLINE_TAGS: [&str; 24] = [
    "a", "abbr", "b", "br", "center", "code", "details", "div", "em", "font", "i", "img", "kbd", "mark", "p",
    "s", "small", "span", "strong", "sub", "summary", "sup", "td", "u",
];

/// A sentence as a reader should see it: emphasis, links (their text stays), code marks, HTML tags and comments off,
/// white space collapsed, outer pipes of a table row off.
///
/// Numbers in brackets, as encyclopedias use for footnotes, go too: in an answer they would look like citations of
/// its own. So do invisible and directional control characters, which could make an answer read otherwise than it
/// is.
pub fn plain(sentence: &str) -> String {
    let sentence = sentence.trim().trim_matches('|').trim();
    // A word joiner in front makes sure that nothing is taken for the start of a block.
    let guarded = format!("\u{2060}{sentence}");
    let mut text = String::with_capacity(sentence.len());
    for event in Parser::new_ext(&guarded, Options::ENABLE_STRIKETHROUGH) {
        match event {
            Event::Text(piece) | Event::Code(piece) => text.push_str(&piece),
            Event::SoftBreak | Event::HardBreak => text.push(' '),
            Event::InlineHtml(tag) | Event::Html(tag) if tag.starts_with("<br") => text.push(' '),
            Event::InlineHtml(tag) | Event::Html(tag) if is_markup(&tag) => {}
            Event::InlineHtml(other) | Event::Html(other) => text.push_str(&other),
            _ => {}
        }
    }
    let text = without_references(&text);
    let visible: String = text.chars().filter(|c| !is_invisible(*c)).collect();
    visible.split_whitespace().collect::<Vec<_>>().join(" ")
}

fn is_markup(tag: &str) -> bool {
    if tag.starts_with("<!--") {
        return true;
    }
    let name: String = tag
        .trim_start_matches(['<', '/'])
        .chars()
        .take_while(char::is_ascii_alphanumeric)
        .collect::<String>();
    INLINE_TAGS.contains(&name.to_ascii_lowercase().as_str())
}

fn is_invisible(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{200b}' | '\u{202a}'..='\u{202e}' | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}'
        | '\u{feff}' | '\u{e0000}'..='\u{e007f}')
}

/// Drops `[12]` and `[3, 4]`.
fn without_references(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut at = 0;
    for reference in references(text) {
        kept.push_str(&text[at..reference.start]);
        at = reference.end;
    }
    kept.push_str(&text[at..]);
    kept
}

/// Where numbers in brackets are.
pub(super) fn references(text: &str) -> impl Iterator<Item = Range<usize>> {
    text.match_indices('[').filter_map(|(open, _)| {
        let inside = &text[open + 1..];
        let close = inside.find(']').filter(|close| is_reference(&inside[..*close]))?;
        Some(open..open + close + 2)
    })
}

fn is_reference(inside: &str) -> bool {
    inside.len() <= 12
        && inside.starts_with(|c: char| c.is_ascii_digit())
        && inside
            .chars()
            .all(|c| c.is_ascii_digit() || matches!(c, ',' | ' ' | '-' | '–'))
}

#[cfg(test)]
mod tests {
    use super::plain;

    #[test]
    fn markup_goes_and_content_stays() {
        assert_eq!(
            plain("**Paid** in `14` days, see [terms](https://example.org/a_b)."),
            "Paid in 14 days, see terms."
        );
        assert_eq!(
            plain("The duck[12] swims.[3, 4] It is [sic]."),
            "The duck swims. It is [sic]."
        );
        assert_eq!(plain("| a | b |"), "a | b");
        assert_eq!(
            plain("x <b>bold</b><br>y <!-- hidden --> a<T> b"),
            "x bold y a<T> b"
        );
        assert_eq!(plain("1984. A year &amp; a book"), "1984. A year & a book");
        assert_eq!(plain("# no heading * 2 * 3"), "# no heading * 2 * 3");
        assert_eq!(plain("in\u{ad}voice\u{202e}gpj.exe"), "invoicegpj.exe");
        assert_eq!(plain("snake_case_name stays"), "snake_case_name stays");
    }
}
