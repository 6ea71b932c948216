//! How much of an unfinished text may be the beginning of something personal.

/// Longest that is held back, in bytes: no address of mail is longer.
const LONGEST: usize = 256;
/// Longest series of groups, as of a bank account, that is held back.
const LONGEST_SERIES: usize = 80;

/// From where on a text that goes on may hold something that is not complete yet: its last word, and the groups of
/// digits and capitals before it.
pub(in crate::guard) fn open_from(text: &str) -> usize {
    let last = text.len() - last_word(text).len();
    if text.len() - last > LONGEST {
        return text.len();
    }
    let mut open = last;
    loop {
        let before = text[..open].trim_end_matches(char::is_whitespace);
        let word = last_word(before);
        let group = group_at_end(word);
        let start = before.len() - group.len();
        if group.is_empty() || text.len() - start > LONGEST_SERIES {
            return open;
        }
        open = start;
        if group.len() < word.len() {
            return open;
        }
    }
}

fn last_word(text: &str) -> &str {
    text.rsplit(char::is_whitespace).next().unwrap_or_default()
}

/// The end of a word that may be a group of a number that is written in groups; other letters and marks may be in front.
fn group_at_end(word: &str) -> &str {
    let may =
        |c: char| c.is_numeric() || c.is_ascii_uppercase() || matches!(c, '+' | '(' | ')' | '-' | '.' | '/');
    let group = &word[word.trim_end_matches(may).len()..];
    // Of an account that is written in groups, none has more than four letters.
    let is_letters = group.len() <= 4 && group.contains(|c: char| c.is_ascii_uppercase());
    if group.chars().any(char::is_numeric) || is_letters {
        group
    } else {
        ""
    }
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
            ("number:4111 1111 ", "4111 1111 "),
            ("رقمي4111 1111 11", "4111 1111 11"),
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
