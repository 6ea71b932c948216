//! Numbers of identity documents that have letters in them, and any number that is introduced as one.

use super::{Finding, Kind, Pattern, context, national, pattern, stands_alone};

/// British national insurance numbers.
static NINO: Pattern = Pattern::new(|| {
    pattern(r"(?-u:\b)[A-CEGHJ-PR-TW-Z][A-CEGHJ-NPR-TW-Z] ?\d{2} ?\d{2} ?\d{2} ?[A-D](?-u:\b)")
});
/// Prefixes that are not given out.
const NO_NINO: [&str; 7] = ["BG", "GB", "NK", "KN", "TN", "NT", "ZZ"];
/// Spanish DNI and NIE.
static DNI: Pattern = Pattern::new(|| pattern(r"(?-u:\b)(?:\d{8}|[XYZ]\d{7})-?[A-HJ-NP-TV-Z](?-u:\b)"));
/// Italian tax codes.
static CODICE_FISCALE: Pattern = Pattern::new(|| {
    pattern(r"(?i)(?-u:\b)[A-Z]{6}\d{2}[A-EHLMPRST](?:[04][1-9]|[1256]\d|[37][01])[A-Z]\d{3}[A-Z](?-u:\b)")
});
/// Chinese resident numbers.
static RESIDENT: Pattern = Pattern::new(|| pattern(r"(?i)(?-u:\b)[1-9]\d{16}[\dx](?-u:\b)"));
/// Whatever has the length of a document's number, passports included.
static ANY: Pattern = Pattern::new(|| pattern(r"(?i)(?-u:\b)[a-z]{0,3}\d[\da-z]{4,17}(?-u:\b)"));

pub(super) fn find(text: &str, found: &mut Vec<Finding>) {
    let mut look = |regex: &Pattern, accept: &dyn Fn(&str, usize) -> bool| {
        for number in regex.find_iter(text) {
            if accept(number.as_str(), number.start()) && stands_alone(text, &number.range()) {
                found.push(Finding {
                    kind: Kind::NationalId,
                    range: number.range(),
                });
            }
        }
    };
    look(&NINO, &|number, _| !NO_NINO.contains(&&number[..2]));
    look(&DNI, &|number, _| is_dni(number));
    look(&CODICE_FISCALE, &|_, _| true);
    look(&RESIDENT, &|number, _| is_resident(number));
    look(&ANY, &|number, at| {
        number.bytes().filter(u8::is_ascii_digit).count() >= 5 && context::names_a_document(text, at)
    });
}

fn is_dni(number: &str) -> bool {
    const LETTERS: &[u8; 23] = b"TRWAGMYFPDXBNJZSQVHLCKE";
    let (digits, letter) = number.split_at(number.len() - 1);
    let digits = match digits.as_bytes().first() {
        Some(b'X') => format!("0{}", &digits[1..]),
        Some(b'Y') => format!("1{}", &digits[1..]),
        Some(b'Z') => format!("2{}", &digits[1..]),
        _ => digits.to_owned(),
    };
    let number: Option<usize> = digits.trim_end_matches('-').parse().ok();
    number.is_some_and(|number| LETTERS[number % 23] == letter.as_bytes()[0])
}

/// ISO 7064, modulo 11-2, and a date of birth.
fn is_resident(number: &str) -> bool {
    let bytes = number.as_bytes();
    let digit = |b: u8| u32::from(b.wrapping_sub(b'0'));
    let sum = bytes[..17].iter().fold(0, |sum, b| (sum + digit(*b)) * 2 % 11);
    let check = match bytes[17] {
        b'X' | b'x' => 10,
        b => digit(b),
    };
    (sum + check) % 11 == 1
        && national::is_date(&number[6..14])
        && (number.starts_with(['1', '2', '3', '4', '5', '6', '8']))
}
