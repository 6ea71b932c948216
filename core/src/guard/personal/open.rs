//! How much of an unfinished text may be the beginning of something personal.

/// Longest that is held back, in bytes: no address of mail is longer.
const LONGEST: usize = 256;
/// Longest series of groups, as of a bank account, that is held back.
const LONGEST_SERIES: usize = 80;

/// From where on a text that goes on may hold something that is not complete yet: its last word, and the groups of
/// digits and capitals before it.
pub(in crate::guard) fn open_from(text: &str) -> usize {
    let mut open = text.len();
    let mut rest = text;
    let mut is_last = true;
    loop {
        let word_ends = rest.trim_end_matches(is_space).len();
        let word = rest[..word_ends].rsplit(is_space).next().unwrap_or_default();
        let unfinished = is_last && word_ends == text.len();
        let start = word_ends - word.len();
        let length = text.len() - start;
        let holds = if unfinished {
            !word.is_empty() && length <= LONGEST
        } else {
            is_group(word) && length <= LONGEST_SERIES
        };
        if !holds {
            return open;
        }
        open = start;
        rest = &text[..start];
        is_last = false;
    }
}

fn is_space(c: char) -> bool {
    c.is_whitespace()
}

/// Whether a word may be a group of a number that is written in groups.
fn is_group(word: &str) -> bool {
    let mut length = 0;
    !word.is_empty()
        && word.chars().all(|c| {
            length += 1;
            c.is_numeric()
                || matches!(c, '+' | '(' | ')' | '-' | '.' | '/')
                || (c.is_ascii_uppercase() && length <= 4)
        })
        && (length <= 4 || word.chars().any(char::is_numeric))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_word_and_groups_before_it_are_open() {
        for (text, open) in [
            ("Hello wor", "wor"),
            ("Hello world ", ""),
            ("write to ada@exam", "ada@exam"),
            ("call +964 770 12", "+964 770 12"),
            ("call +964 770 ", "+964 770 "),
            ("GB82 WEST 1234 ", "GB82 WEST 1234 "),
            ("رقمي ٠٧٧٠ ١٢", "٠٧٧٠ ١٢"),
            ("", ""),
        ] {
            assert_eq!(&text[open_from(text)..], open, "{text}");
        }
    }

    #[test]
    fn what_is_too_long_is_let_go() {
        assert_eq!(open_from(&"x".repeat(300)), 300);
        assert!("1234 ".repeat(100).len() - open_from(&"1234 ".repeat(100)) <= LONGEST_SERIES);
    }
}
