//! Personal data in texts: what has a form that can be checked. Names and addresses have none and are not looked for.
//!
//! Everything is looked for in a plain form of the text, in which digits of all scripts are ASCII, so that a number in
//! Arabic-Indic digits is found like any other.

mod address;
mod bank;
mod context;
mod document;
mod national;
mod number;
mod open;
pub(super) mod phone;

pub(super) use open::open_from;

use std::ops::Range;
use std::sync::LazyLock;

use regex::Regex;
use serde::{Deserialize, Serialize};

use crate::text::fold::Folded;

/// Kinds of personal data.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// An e-mail address.
    Email,
    /// A telephone number.
    Phone,
    /// An international bank account number, by its checksum.
    Iban,
    /// The number of a payment card, by its issuer's range and its checksum.
    PaymentCard,
    /// An address of the Internet Protocol, version 4 or 6.
    IpAddress,
    /// The number of an identity document, by its form or by the words before it.
    NationalId,
}

impl Kind {
    /// Every kind. Where two could be meant, the earlier one is.
    pub const ALL: [Self; 6] = [
        Self::Email,
        Self::Iban,
        Self::PaymentCard,
        Self::NationalId,
        Self::IpAddress,
        Self::Phone,
    ];

    /// What decisions call it.
    pub(super) const fn rule(self) -> &'static str {
        match self {
            Self::Email => "personal_data.email",
            Self::Phone => "personal_data.phone",
            Self::Iban => "personal_data.iban",
            Self::PaymentCard => "personal_data.payment_card",
            Self::IpAddress => "personal_data.ip_address",
            Self::NationalId => "personal_data.national_id",
        }
    }

    /// What is written in its place.
    pub(super) const fn placeholder(self) -> &'static str {
        match self {
            Self::Email => "[EMAIL]",
            Self::Phone => "[PHONE]",
            Self::Iban => "[IBAN]",
            Self::PaymentCard => "[CARD]",
            Self::IpAddress => "[IP]",
            Self::NationalId => "[ID]",
        }
    }
}

/// Something that was found, in bytes of the text.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Finding {
    pub(super) kind: Kind,
    pub(super) range: Range<usize>,
}

/// What is in a text, in order and without overlaps. `regions` are the countries whose national telephone numbers are
/// known.
pub(super) fn find(text: &str, regions: &[phone::Region]) -> Vec<Finding> {
    if !text
        .chars()
        .any(|c| matches!(c, '@' | '＠' | ':') || c.is_numeric())
    {
        return Vec::new();
    }
    let folded = Folded::plain(text);
    let text = folded.text.as_ref();
    let mut found = Vec::new();
    address::emails(text, &mut found);
    bank::ibans(text, &mut found);
    document::find(text, &mut found);
    address::ips(text, &mut found);
    number::find(text, regions, &mut found);
    // The sort is stable: of what begins at the same place, the kind that was looked for first wins.
    found.sort_by_key(|finding| finding.range.start);
    let mut end = 0;
    found.retain(|finding| {
        let apart = finding.range.start >= end;
        if apart {
            end = finding.range.end;
        }
        apart
    });
    for finding in &mut found {
        finding.range = folded.original(finding.range.clone());
    }
    found
}

/// A pattern of this module; each is a constant and is compiled by a test.
fn pattern(text: &'static str) -> Regex {
    Regex::new(text).unwrap_or_else(|error| unreachable!("{error}"))
}

type Pattern = LazyLock<Regex>;

/// Whether a part of a text stands alone: neither neighbour is a letter or digit that it could belong to. A letter of
/// another script may touch it, as an Arabic conjunction does.
fn stands_alone(text: &str, range: &Range<usize>) -> bool {
    let word = |c: char| c.is_ascii_alphanumeric() || c == '_';
    let before = &text[..range.start];
    let joined = match before.chars().next_back() {
        Some('-' | '.') => {
            // Part of something longer, such as a UUID, if what is joined to it has a digit.
            let stem = &before[..before.len() - 1];
            stem.chars()
                .rev()
                .take_while(|c| word(*c))
                .any(|c| c.is_ascii_digit())
        }
        Some(c) => word(c),
        None => false,
    };
    let mut after = text[range.end..].chars();
    let goes_on = match after.next() {
        Some('-') => after.next().is_some_and(word),
        Some(c) => word(c),
        None => false,
    };
    !joined && !goes_on
}

#[cfg(test)]
mod tests;
