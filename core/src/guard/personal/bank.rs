//! International bank account numbers.

use iban::Iban;

use super::{Finding, Kind, Pattern, pattern};

static HEAD: Pattern = Pattern::new(|| pattern(r"(?i)(?-u:\b)[a-z]{2}\d{2}"));

/// The shortest and the longest number there is.
const LENGTHS: std::ops::RangeInclusive<usize> = 15..=34;

pub(super) fn ibans(text: &str, found: &mut Vec<Finding>) {
    let mut from = 0;
    while let Some(head) = HEAD.find_at(text, from) {
        from = match end_of_iban(text, head.start()) {
            Some(end) => {
                found.push(Finding {
                    kind: Kind::Iban,
                    range: head.start()..end,
                });
                end
            }
            None => head.start() + 2,
        };
    }
}

/// Where the number ends that begins at `start`. It may be written in groups, and the next word may look like one more.
fn end_of_iban(text: &str, start: usize) -> Option<usize> {
    let mut compact = String::with_capacity(*LENGTHS.end());
    let mut ends = Vec::with_capacity(*LENGTHS.end());
    let mut gap = false;
    for (at, c) in text[start..].char_indices() {
        match c {
            c if c.is_ascii_alphanumeric() => {
                compact.push(c.to_ascii_uppercase());
                ends.push(start + at + 1);
                gap = false;
            }
            ' ' | '-' if !gap => gap = true,
            _ => break,
        }
        if compact.len() == *LENGTHS.end() {
            break;
        }
    }
    let ends_a_word = |end: usize| !text[end..].starts_with(|c: char| c.is_ascii_alphanumeric());
    (*LENGTHS.start()..=compact.len())
        .rev()
        .find(|length| ends_a_word(ends[length - 1]) && compact[..*length].parse::<Iban>().is_ok())
        .map(|length| ends[length - 1])
}
