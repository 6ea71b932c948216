//! What stored text looks like.

use unicode_normalization::{UnicodeNormalization, is_nfc_quick};

/// NFC, `\n` line ends, and neither NUL nor other C0 or C1 control characters but newline and tab (a form feed ends a
/// line).
///
/// Bidirectional controls, joiners and soft hyphens stay: they belong to correct Arabic, Persian and Indic text, and a
/// citation must point at what the document says. Two kinds of invisible characters go, because no text needs them:
/// byte order marks inside the text, and Unicode's tag characters, which hide instructions from people but not from
/// language models.
pub(crate) fn clean(text: &str) -> String {
    let mut kept = String::with_capacity(text.len());
    let mut characters = text.chars().peekable();
    while let Some(character) = characters.next() {
        match character {
            '\r' => {
                if characters.peek() != Some(&'\n') {
                    kept.push('\n');
                }
            }
            '\n' | '\t' => kept.push(character),
            '\u{0c}' | '\u{2028}' | '\u{85}' => kept.push('\n'),
            '\u{2029}' => kept.push_str("\n\n"),
            '\u{feff}' | '\u{e0000}'..='\u{e007f}' => {}
            control if control.is_control() => {}
            other => kept.push(other),
        }
    }
    match is_nfc_quick(kept.chars()) {
        unicode_normalization::IsNormalized::Yes => kept,
        _ => kept.nfc().collect(),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn control_characters_go_and_line_ends_are_one() {
        assert_eq!(
            clean("a\0b\u{1b}[0m\r\nc\rd\u{0c}e\tf\u{85}g"),
            "ab[0m\nc\nd\ne\tf\ng"
        );
        assert_eq!(clean("Cafe\u{301}"), "Café");
        assert_eq!(clean("x\u{feff}\u{e0041}\u{e007f}y"), "xy");
        // A right-to-left mark and a zero-width non-joiner belong to the text.
        assert_eq!(clean("می\u{200c}خواهم \u{200f}"), "می\u{200c}خواهم \u{200f}");
    }

    proptest! {
        #[test]
        fn cleaning_twice_is_cleaning_once(text in any::<String>()) {
            let once = clean(&text);
            prop_assert!(!once.chars().any(|c| c.is_control() && c != '\n' && c != '\t'));
            prop_assert_eq!(clean(&once), once);
        }
    }
}
