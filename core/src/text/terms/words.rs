//! Text to words: lower case, compatibility forms unified, scripts without spaces cut.

use charabia::Segment;
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

/// Longest word that is kept, in characters: beyond are data (base64, hashes in a row), not words.
const MAX_CHARS: usize = 64;

/// Calls `each` for every word of `text` in order.
///
/// A word is a run of letters, marks and digits. Apostrophes end it: English suffixes behind one (`'s`, `'ll`)
/// are dropped, elided articles before one (`l'eau`) become words of their own. Grouped digits lose their commas
/// (`1,000`), decimals stay whole (`3.14`). Chinese, Japanese and Korean runs become overlapping pairs, as do
/// other scripts without spaces for which there is no dictionary; Thai is cut by dictionary.
pub(super) fn for_each(text: &str, mut each: impl FnMut(&str)) {
    let chars: Vec<char> = text
        .nfkc()
        .flat_map(char::to_lowercase)
        .filter(|c| !is_ignorable(*c))
        .collect();
    let mut word = String::new();
    let mut at = 0;
    while at < chars.len() {
        let c = chars[at];
        let previous = word.chars().next_back();
        let next = chars.get(at + 1).copied();
        if is_word(c) || (previous.is_some() && is_combining_mark(c)) {
            word.push(digit(c));
        } else if is_decimal_point(c, previous, next) {
            if c != ',' {
                word.push('.');
            } else if !is_group(&chars[at + 1..]) {
                flush(&mut word, &mut each);
            }
        } else if is_apostrophe(c) && previous.is_some() {
            at += english_suffix(&chars[at + 1..]);
            flush(&mut word, &mut each);
        } else {
            flush(&mut word, &mut each);
        }
        at += 1;
    }
    flush(&mut word, &mut each);
}

fn is_word(c: char) -> bool {
    c.is_alphanumeric()
}

fn is_apostrophe(c: char) -> bool {
    matches!(c, '\'' | '\u{2019}' | '\u{02bc}')
}

/// Invisible characters inside words: soft hyphen, zero-width and directional controls, tatweel. The zero-width
/// non-joiner is among them: Persian writers put it or leave it out at will.
pub(in crate::text) fn is_ignorable(c: char) -> bool {
    matches!(c, '\u{ad}' | '\u{640}' | '\u{200b}'..='\u{200f}' | '\u{202a}'..='\u{202e}'
        | '\u{2060}'..='\u{2064}' | '\u{2066}'..='\u{2069}' | '\u{feff}' | '\u{fe00}'..='\u{fe0f}')
}

fn is_decimal_point(c: char, previous: Option<char>, next: Option<char>) -> bool {
    matches!(c, '.' | ',' | '\u{66b}')
        && previous.is_some_and(char::is_numeric)
        && next.is_some_and(char::is_numeric)
}

/// Whether exactly three digits follow, as in the second half of `1,000`.
fn is_group(rest: &[char]) -> bool {
    rest.iter().take_while(|c| c.is_numeric()).count() == 3
}

/// How many characters after an apostrophe are an English suffix.
fn english_suffix(rest: &[char]) -> usize {
    let tail: String = rest.iter().take_while(|c| c.is_alphanumeric()).take(3).collect();
    if matches!(tail.as_str(), "s" | "t" | "d" | "m" | "re" | "ve" | "ll") {
        tail.len()
    } else {
        0
    }
}

/// Decimal digits of other scripts as ASCII.
pub(in crate::text) fn digit(c: char) -> char {
    const ZEROS: [u32; 10] = [
        0x660, 0x6f0, 0x966, 0x9e6, 0xa66, 0xae6, 0xb66, 0xbe6, 0xc66, 0xe50,
    ];
    let code = u32::from(c);
    ZEROS
        .iter()
        .find(|zero| (**zero..**zero + 10).contains(&code))
        .and_then(|zero| char::from_digit(code - zero, 10))
        .unwrap_or(c)
}

fn flush(word: &mut String, each: &mut impl FnMut(&str)) {
    if word.is_empty() {
        return;
    }
    if word.is_ascii() {
        emit(word, each);
    } else {
        for_each_run(word, |kind, run| match kind {
            Writing::Spaced => emit(run, each),
            Writing::Pairs => pairs(run, each),
            Writing::Thai => run.segment_str().for_each(|piece| emit(piece, each)),
        });
    }
    word.clear();
}

fn emit(word: &str, each: &mut impl FnMut(&str)) {
    match word.char_indices().nth(MAX_CHARS) {
        Some((end, _)) => each(&word[..end]),
        None if word.is_empty() => {}
        None => each(word),
    }
}

fn pairs(run: &str, each: &mut impl FnMut(&str)) {
    let starts: Vec<usize> = run.char_indices().map(|(at, _)| at).chain([run.len()]).collect();
    if starts.len() <= 3 {
        return each(run);
    }
    for window in starts.windows(3) {
        each(&run[window[0]..window[2]]);
    }
}

/// How a script separates its words.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Writing {
    Spaced,
    Pairs,
    Thai,
}

fn writing(c: char) -> Writing {
    match c {
        '\u{e00}'..='\u{e7f}' => Writing::Thai,
        // Lao, Tibetan, Myanmar, Khmer; Hangul, kana and Han with their extensions.
        '\u{e80}'..='\u{fff}' | '\u{1000}'..='\u{109f}' | '\u{1780}'..='\u{17ff}' => Writing::Pairs,
        '\u{1100}'..='\u{11ff}' | '\u{ac00}'..='\u{d7ff}' | '\u{3040}'..='\u{30ff}' => Writing::Pairs,
        '\u{3005}'..='\u{3007}' | '\u{31f0}'..='\u{31ff}' | '\u{3400}'..='\u{9fff}' => Writing::Pairs,
        '\u{f900}'..='\u{faff}' | '\u{20000}'..='\u{3ffff}' => Writing::Pairs,
        _ => Writing::Spaced,
    }
}

fn for_each_run(word: &str, mut each: impl FnMut(Writing, &str)) {
    let mut start = 0;
    let mut kind = None;
    for (at, c) in word.char_indices() {
        // A mark belongs to the letter before it.
        let here = if is_combining_mark(c) {
            kind.unwrap_or(Writing::Spaced)
        } else {
            writing(c)
        };
        if kind.is_some_and(|kind| kind != here) {
            each(kind.unwrap_or(here), &word[start..at]);
            start = at;
        }
        kind = Some(here);
    }
    if let Some(kind) = kind {
        each(kind, &word[start..]);
    }
}

#[cfg(test)]
mod tests {
    use super::for_each;

    fn words(text: &str) -> Vec<String> {
        let mut words = Vec::new();
        for_each(text, |word| words.push(word.to_owned()));
        words
    }

    #[test]
    fn words_numbers_and_apostrophes() {
        assert_eq!(
            words("The Quick-brown fox_jumps!"),
            ["the", "quick", "brown", "fox", "jumps"]
        );
        assert_eq!(words("It's Bob\u{2019}s, don't"), ["it", "bob", "don"]);
        assert_eq!(words("l'eau d'Italia"), ["l", "eau", "d", "italia"]);
        assert_eq!(
            words("1,000 and 3.14, 2.5mg; v1.2.3."),
            ["1000", "and", "3.14", "2.5mg", "v1.2.3"]
        );
        assert_eq!(words("1,25 ١٢٣ \u{ff21}\u{ff22}"), ["1", "25", "123", "ab"]);
        assert_eq!(words("in\u{ad}for\u{200b}mation"), ["information"]);
        assert_eq!(words(" ,.'' "), Vec::<String>::new());
    }

    #[test]
    fn scripts_without_spaces_are_cut() {
        assert_eq!(words("退款政策"), ["退款", "款政", "政策"]);
        assert_eq!(words("水 GPT4模型"), ["水", "gpt4", "模型"]);
        assert_eq!(words("ภาษาไทยง่าย"), ["ภาษาไทย", "ง่าย"]);
        assert_eq!(words("환불은"), ["환불", "불은"]);
        assert_eq!(words("हिन्दी भाषा"), ["हिन्दी", "भाषा"]);
    }

    #[test]
    fn data_is_not_a_word() {
        assert_eq!(words(&"a".repeat(10_000)), ["a".repeat(super::MAX_CHARS)]);
    }
}
