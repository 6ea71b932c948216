//! Telephone numbers: valid ones of any country with its code, national ones where the words before them, their form or
//! the tenant's countries say so. What is valid is known from the metadata of libphonenumber.

use phonenumber::country;

use super::context;
use super::number::Candidate;

/// A country whose national numbers are known.
pub(in crate::guard) type Region = country::Id;

/// The country of an ISO 3166-1 code, `IQ`.
pub(in crate::guard) fn region(code: &str) -> Option<Region> {
    code.parse().ok()
}

pub(super) fn is_phone(candidate: &Candidate<'_>, regions: &[Region]) -> bool {
    let digits = candidate.digits.as_str();
    if !(7..=15).contains(&digits.len()) || is_decimal(candidate) {
        return false;
    }
    if candidate.written().trim_start_matches('(').starts_with('+') {
        return is_valid(None, &format!("+{digits}"));
    }
    if let Some(international) = digits.strip_prefix("00")
        && is_valid(None, &format!("+{international}"))
    {
        return true;
    }
    let named = context::names_a_phone(candidate.text, candidate.range.start);
    let written_as_one = candidate.shape.len() > 1 || digits.starts_with('0');
    if (named || written_as_one) && regions.iter().any(|region| is_valid(Some(*region), digits)) {
        return true;
    }
    let american = matches!(candidate.shape.as_slice(), [3, 3, 4] | [1, 3, 3, 4]);
    american && is_valid(Some(Region::US), digits) || named
}

/// `1234567.89` is an amount.
fn is_decimal(candidate: &Candidate<'_>) -> bool {
    candidate.shape.len() == 2 && candidate.separators == ["."] && candidate.shape[1] <= 2
}

fn is_valid(region: Option<Region>, number: &str) -> bool {
    phonenumber::parse(region, number).is_ok_and(|number| number.is_valid())
}
