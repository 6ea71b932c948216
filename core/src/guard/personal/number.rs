//! Runs of digits: payment cards, identity documents, telephone numbers.

use std::ops::Range;

use super::{Finding, Kind, national, phone, stands_alone};

/// Most digits of anything that is looked for.
const MOST_DIGITS: usize = 19;
/// Most groups of digits that are looked at together.
const MOST_GROUPS: usize = 8;

/// Digits with separators between them, as `+964 770 123 4567`.
pub(super) struct Run<'a> {
    pub(super) text: &'a str,
    /// Where the groups of digits are in the text.
    groups: Vec<Range<usize>>,
    /// Where the run begins, with `+` and parentheses.
    start: usize,
}

/// Some groups of a run that belong together.
pub(super) struct Candidate<'a> {
    /// The whole text.
    pub(super) text: &'a str,
    /// Where the candidate is, with `+` and parentheses.
    pub(super) range: Range<usize>,
    /// All its digits.
    pub(super) digits: String,
    /// Lengths of its groups.
    pub(super) shape: Vec<usize>,
    /// What is between the groups.
    pub(super) separators: Vec<&'a str>,
}

impl Candidate<'_> {
    pub(super) fn separated_by(&self, separator: &str) -> bool {
        self.separators.iter().all(|found| *found == separator)
    }

    /// The candidate as it is written.
    pub(super) fn written(&self) -> &str {
        &self.text[self.range.clone()]
    }
}

pub(super) fn find(text: &str, regions: &[phone::Region], found: &mut Vec<Finding>) {
    let mut from = 0;
    while let Some(run) = next_run(text, from) {
        from = run.groups.last().map_or(text.len(), |group| group.end);
        let mut first = 0;
        while first < run.groups.len() {
            let date = run.date(first);
            if date > 0 {
                first += date;
                continue;
            }
            let last = (first + MOST_GROUPS).min(run.groups.len());
            // The longest first: a telephone number is not its own beginning.
            let hit = (first + 1..=last).rev().find_map(|end| {
                let candidate = run.candidate(first..end)?;
                Some((end, classify(&candidate, regions)?, candidate.range))
            });
            first = match hit {
                Some((end, kind, range)) => {
                    found.push(Finding { kind, range });
                    end
                }
                None => first + 1,
            };
        }
    }
}

fn classify(candidate: &Candidate<'_>, regions: &[phone::Region]) -> Option<Kind> {
    if !stands_alone(candidate.text, &candidate.range) {
        return None;
    }
    if is_card(candidate) {
        Some(Kind::PaymentCard)
    } else if national::is_id(candidate) {
        Some(Kind::NationalId)
    } else if phone::is_phone(candidate, regions) {
        Some(Kind::Phone)
    } else {
        None
    }
}

/// The next digits in the text from `from` on, with all that are joined to them.
fn next_run(text: &str, from: usize) -> Option<Run<'_>> {
    let bytes = text.as_bytes();
    let first = from + bytes[from..].iter().position(u8::is_ascii_digit)?;
    let mut start = first;
    while start > from && matches!(bytes[start - 1], b'+' | b'(') {
        start -= 1;
    }
    let mut groups = Vec::from([Range {
        start: first,
        end: first + 1,
    }]);
    let mut at = first + 1;
    while at < bytes.len() {
        if bytes[at].is_ascii_digit() {
            let group = groups.last_mut()?;
            if group.end == at {
                group.end = at + 1;
            } else {
                groups.push(at..at + 1);
            }
        } else if !matches!(bytes[at], b' ' | b'-' | b'.' | b'/' | b'(' | b')')
            || at - groups.last()?.end >= 2
        {
            break;
        }
        at += 1;
    }
    Some(Run { text, groups, start })
}

impl<'a> Run<'a> {
    fn candidate(&self, groups: Range<usize>) -> Option<Candidate<'a>> {
        let own = &self.groups[groups.clone()];
        let shape: Vec<usize> = own.iter().map(Range::len).collect();
        if !(7..=MOST_DIGITS).contains(&shape.iter().sum()) {
            return None;
        }
        let mut start = own.first()?.start;
        if groups.start == 0 {
            start = self.start;
        } else if self.text[..start].ends_with('(') {
            start -= 1;
        }
        Some(Candidate {
            text: self.text,
            range: start..own.last()?.end,
            digits: own.iter().map(|group| &self.text[group.clone()]).collect(),
            shape,
            separators: own
                .windows(2)
                .map(|pair| &self.text[pair[0].end..pair[1].start])
                .collect(),
        })
    }

    /// How many groups from this one on are a date: three, or none.
    fn date(&self, first: usize) -> usize {
        let group = |n: usize| {
            self.groups
                .get(first + n)
                .map_or("", |group| &self.text[group.clone()])
        };
        let (one, two, three) = (group(0), group(1), group(2));
        let is_date = match (one.len(), two.len(), three.len()) {
            (4, 1..=2, 1..=2) => matches!(one.as_bytes()[0], b'1' | b'2'),
            (1..=2, 1..=2, 4) => matches!(three.as_bytes()[0], b'1' | b'2'),
            _ => false,
        };
        if is_date { 3 } else { 0 }
    }
}

/// A payment card: a range of an issuer, its length, and the Luhn checksum.
fn is_card(candidate: &Candidate<'_>) -> bool {
    let grouped = candidate.shape.iter().all(|digits| (2..=7).contains(digits)) || candidate.shape.len() == 1;
    grouped
        && (candidate.separated_by(" ") || candidate.separated_by("-"))
        && has_issuer(&candidate.digits)
        && luhn(&candidate.digits)
}

fn has_issuer(digits: &str) -> bool {
    let head = |length: usize| {
        digits
            .get(..length)
            .and_then(|head| head.parse::<u32>().ok())
            .unwrap_or(0)
    };
    let (two, three, four) = (head(2), head(3), head(4));
    match digits.len() {
        13 => two / 10 == 4,
        14 => matches!(three, 300..=305) || matches!(two, 36 | 38),
        15 => matches!(two, 34 | 37),
        16 => {
            two / 10 == 4
                || matches!(two, 51..=55 | 62 | 65 | 81 | 82)
                || matches!(three, 644..=649)
                || matches!(four, 2221..=2720 | 3528..=3589 | 5018 | 5020 | 5038 | 5893 | 6011 | 6304 | 6759..=6763 | 9792)
        }
        17..=19 => {
            two == 62
                || matches!(four, 5018 | 5020 | 5038 | 5893 | 6304 | 6759..=6763)
                || two / 10 == 4 && digits.len() == 19
        }
        _ => false,
    }
}

/// The checksum of ISO/IEC 7812.
pub(super) fn luhn(digits: &str) -> bool {
    let sum: u32 = digits
        .bytes()
        .rev()
        .map(|b| u32::from(b - b'0'))
        .enumerate()
        .map(|(n, digit)| match (n % 2, digit) {
            (0, digit) => digit,
            (_, digit) if digit > 4 => digit * 2 - 9,
            (_, digit) => digit * 2,
        })
        .sum();
    sum.is_multiple_of(10)
}
