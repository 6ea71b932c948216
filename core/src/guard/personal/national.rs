//! Numbers of identity documents that are digits only: by their checksum where it is strong, or the date in them.

use super::context;
use super::number::{Candidate, luhn};

pub(super) fn is_id(candidate: &Candidate<'_>) -> bool {
    let digits = candidate.digits.as_str();
    let shape = candidate.shape.as_slice();
    let named = || context::names_a_document(candidate.text, candidate.range.start);
    let whole = shape.len() == 1;
    match digits.len() {
        9 => shape == [3, 2, 4] && (candidate.separated_by("-") || named()) && is_ssn(digits),
        10 => whole && digits.starts_with(['1', '2']) && luhn(digits) && named(),
        11 if shape == [3, 3, 3, 2] => is_cpf(digits),
        11 => whole && is_tckn(digits),
        12 if shape == [4, 4, 4] => (candidate.separated_by(" ") && is_aadhaar(digits)) || named(),
        12 => whole && is_kuwaiti(digits),
        14 => whole && is_egyptian(digits),
        15 => is_emirati(digits, shape) || is_nir(digits),
        _ => named() && (7..=17).contains(&digits.len()),
    }
}

/// Whether eight digits are a day of the last or this century: `19700131`; or four, a year.
pub(super) fn is_date(digits: &str) -> bool {
    let number = |from: usize, to: usize| digits.get(from..to).and_then(|part| part.parse::<u32>().ok());
    let (Some(year), month, day) = (number(0, 4), number(4, 6), number(6, 8)) else {
        return false;
    };
    (1900..2100).contains(&year)
        && month.is_none_or(|month| (1..=12).contains(&month))
        && day.is_none_or(|day| (1..=31).contains(&day))
}

/// The United States: social security numbers that may be given out.
fn is_ssn(digits: &str) -> bool {
    let (area, rest) = digits.split_at(3);
    !matches!(area, "000" | "666")
        && !area.starts_with('9')
        && !rest.starts_with("00")
        && !rest.ends_with("0000")
}

/// Weighted sum of the first digits.
fn weighted(digits: &str, weights: &[u32]) -> u32 {
    digits
        .bytes()
        .zip(weights)
        .map(|(b, weight)| u32::from(b - b'0') * weight)
        .sum()
}

fn at(digits: &str, n: usize) -> u32 {
    digits.as_bytes().get(n).map_or(0, |b| u32::from(b - b'0'))
}

/// Brazil: two check digits.
fn is_cpf(digits: &str) -> bool {
    let check = |sum: u32| (sum * 10 % 11) % 10;
    check(weighted(digits, &[10, 9, 8, 7, 6, 5, 4, 3, 2])) == at(digits, 9)
        && check(weighted(digits, &[11, 10, 9, 8, 7, 6, 5, 4, 3, 2])) == at(digits, 10)
        && digits.bytes().any(|b| b != digits.as_bytes()[0])
}

/// Türkiye: two check digits.
fn is_tckn(digits: &str) -> bool {
    let odd = weighted(digits, &[1, 0, 1, 0, 1, 0, 1, 0, 1]);
    let even = weighted(digits, &[0, 1, 0, 1, 0, 1, 0, 1]);
    let all = weighted(digits, &[1; 10]);
    at(digits, 0) != 0 && (odd * 7 + 90 - even) % 10 == at(digits, 9) && all % 10 == at(digits, 10)
}

/// India: the checksum of Verhoeff.
fn is_aadhaar(digits: &str) -> bool {
    const TURNS: [[usize; 10]; 8] = [
        [0, 1, 2, 3, 4, 5, 6, 7, 8, 9],
        [1, 5, 7, 6, 2, 8, 3, 0, 9, 4],
        [5, 8, 0, 3, 7, 9, 6, 1, 4, 2],
        [8, 9, 1, 6, 0, 4, 3, 5, 2, 7],
        [9, 4, 5, 3, 1, 2, 6, 8, 7, 0],
        [4, 2, 8, 6, 5, 7, 3, 9, 0, 1],
        [2, 7, 9, 3, 8, 0, 6, 4, 1, 5],
        [7, 0, 4, 6, 9, 1, 3, 2, 5, 8],
    ];
    // The group of symmetries of a pentagon: 0 to 4 turn it, 5 to 9 also mirror it.
    let joined = |a: usize, b: usize| match (a < 5, b < 5) {
        (true, true) => (a + b) % 5,
        (true, false) => (a + b) % 5 + 5,
        (false, true) => (a + 5 - b) % 5 + 5,
        (false, false) => (a + 5 - b) % 5,
    };
    let check = digits.bytes().rev().enumerate().fold(0, |check, (n, b)| {
        joined(check, TURNS[n % 8][usize::from(b - b'0')])
    });
    !digits.starts_with(['0', '1']) && check == 0
}

/// The day of birth behind a digit for the century, as Egypt and Kuwait write it.
fn has_century_and_date(digits: &str) -> bool {
    let century = match digits.as_bytes().first() {
        Some(b'2') => "19",
        Some(b'3') => "20",
        _ => return false,
    };
    digits
        .get(1..7)
        .is_some_and(|date| is_date(&format!("{century}{date}")))
}

fn is_kuwaiti(digits: &str) -> bool {
    let sum = weighted(digits, &[2, 1, 6, 3, 7, 9, 10, 5, 8, 4, 2]);
    has_century_and_date(digits) && 11 - sum % 11 == at(digits, 11)
}

/// Egypt: the governorate of birth instead of a checksum, which is not published.
fn is_egyptian(digits: &str) -> bool {
    let governorate = at(digits, 7) * 10 + at(digits, 8);
    has_century_and_date(digits) && matches!(governorate, 1..=4 | 11..=19 | 21..=29 | 31..=35 | 88)
}

fn is_emirati(digits: &str, shape: &[usize]) -> bool {
    let written = shape == [15] || shape == [3, 4, 7, 1];
    written && digits.starts_with("784") && is_date(&digits[3..7]) && luhn(digits)
}

/// France: sex, year, month, and a key modulo 97.
fn is_nir(digits: &str) -> bool {
    let month = at(digits, 3) * 10 + at(digits, 4);
    let (number, key) = digits.split_at(13);
    let key_is_right = match (number.parse::<u64>(), key.parse::<u64>()) {
        (Ok(number), Ok(key)) => 97 - number % 97 == key,
        _ => false,
    };
    digits.starts_with(['1', '2']) && matches!(month, 1..=12 | 20..=42 | 50..=99) && key_is_right
}
