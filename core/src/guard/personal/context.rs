//! Words before a number that tell what it is.

/// How far before a number such a word counts, in bytes.
const REACH: usize = 48;

const PHONE: [&str; 20] = [
    "phone",
    "tel",
    "mobile",
    "cell",
    "call",
    "fax",
    "whatsapp",
    "handy",
    "rufnummer",
    "téléphone",
    "teléfono",
    "هاتف",
    "جوال",
    "موبايل",
    "محمول",
    "اتصل",
    "واتساب",
    "واتس",
    "تلفون",
    "فاكس",
];

const DOCUMENT: [&str; 31] = [
    "national id",
    "national number",
    "identity card",
    "identity number",
    "id card",
    "id number",
    "id no",
    "civil id",
    "iqama",
    "emirates id",
    "passport",
    "social security",
    "ssn",
    "aadhaar",
    "tax id",
    "steuer",
    "ausweis",
    "personnummer",
    "pesel",
    "bsn",
    "tckn",
    "رقم الهوية",
    "الهوية",
    "هوية",
    "إقامة",
    "الاقامة",
    "الرقم القومي",
    "الرقم الوطني",
    "البطاقة الوطنية",
    "البطاقة الموحدة",
    "جواز",
];

const VERSION: [&str; 5] = ["version", "ver.", "release", "إصدار", "الإصدار"];

/// Whether the words before `at` speak of telephones.
pub(super) fn names_a_phone(text: &str, at: usize) -> bool {
    names(text, at, &PHONE)
}

/// Whether the words before `at` speak of an identity document.
pub(super) fn names_a_document(text: &str, at: usize) -> bool {
    names(text, at, &DOCUMENT)
}

/// Whether the words before `at` speak of a version of software.
pub(super) fn names_a_version(text: &str, at: usize) -> bool {
    let before = text[..at].trim_end();
    names(text, at, &VERSION) || before.ends_with('v') && before.len() == at
}

fn names(text: &str, at: usize, words: &[&str]) -> bool {
    let from = (at.saturating_sub(REACH)..=at).find(|from| text.is_char_boundary(*from));
    let before = text[from.unwrap_or(at)..at].to_lowercase();
    // What was said before the last number, or in another line, is about something else.
    let before = before
        .rsplit(|c: char| c.is_ascii_digit() || c == '\n')
        .next()
        .unwrap_or_default();
    words.iter().any(|word| {
        before.match_indices(word).any(|(start, _)| {
            // `tel` is not in `hotel`; Arabic particles may be in front.
            !word.is_ascii() || !before[..start].ends_with(|c: char| c.is_ascii_alphabetic())
        })
    })
}
