//! Arabic words: one spelling per word, proclitics and endings off.
//!
//! The affixes are those of Larkey's light stemmer ("light10"), which beats root extraction in retrieval.

/// Fewest letters that must stay behind an ending.
const MIN_STEM: usize = 3;

/// Conjunction or preposition with the article, longest first.
const PREFIXES: [&str; 7] = ["وال", "بال", "كال", "فال", "ولل", "لل", "ال"];

/// Endings: possessives, duals, plurals, feminine and relative forms.
const SUFFIXES: [&str; 9] = ["ها", "ان", "ات", "ون", "ين", "يه", "ه", "ي", "ا"];

/// Unifies spellings: diacritics off, alef, ya, ta marbuta and hamza carriers to one form, Persian and Urdu
/// letters to Arabic ones.
pub(super) fn letters(word: &str) -> String {
    word.chars().filter_map(letter).collect()
}

/// One letter of [`letters`]; `None` for a diacritic. Other scripts' letters stay.
pub(in crate::text) fn letter(c: char) -> Option<char> {
    Some(match c {
        '\u{610}'..='\u{61a}' | '\u{640}' | '\u{64b}'..='\u{65f}' | '\u{670}' | '\u{6d6}'..='\u{6ed}' => {
            return None;
        }
        'أ' | 'إ' | 'آ' | 'ٱ' => 'ا',
        'ى' | 'ئ' | 'ی' | 'ے' | 'ې' => 'ي',
        'ؤ' => 'و',
        'ة' | 'ۀ' | 'ہ' | 'ۃ' | 'ە' | 'ھ' => 'ه',
        'ک' | 'ڪ' => 'ك',
        other => other,
    })
}

/// [`letters`], then proclitics and endings off as long as a stem remains.
pub(super) fn stem(word: &str) -> String {
    let word = letters(word);
    let mut stem = word.as_str();
    if let Some(rest) = strip_conjunction(stem) {
        stem = rest;
    }
    if let Some(rest) = PREFIXES.iter().find_map(|prefix| rest_of(stem, prefix, 2)) {
        stem = rest;
    }
    for suffix in SUFFIXES {
        if let Some(rest) = stem
            .strip_suffix(suffix)
            .filter(|rest| rest.chars().count() >= MIN_STEM)
        {
            stem = rest;
        }
    }
    stem.to_owned()
}

/// `و` (and) before a word of at least three letters, unless an article follows (a prefix of its own).
fn strip_conjunction(word: &str) -> Option<&str> {
    if PREFIXES.iter().any(|prefix| word.starts_with(prefix)) {
        None
    } else {
        rest_of(word, "و", 3)
    }
}

fn rest_of<'a>(word: &'a str, prefix: &str, min: usize) -> Option<&'a str> {
    word.strip_prefix(prefix)
        .filter(|rest| rest.chars().count() >= min)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spellings_become_one() {
        assert_eq!(letters("مُدَرِّسَـــة"), "مدرسه");
        assert_eq!(letters("إلى"), "الي");
        assert_eq!(letters("مسؤول"), "مسوول");
        assert_eq!(letters("کتابی"), "كتابي");
    }

    #[test]
    fn proclitics_and_endings_go() {
        for word in [
            "المدرسة",
            "والمدرسة",
            "بالمدرسة",
            "للمدرسة",
            "ومدرسة",
            "مدرسه",
            "المدرستان",
        ] {
            assert!(stem(word).starts_with("مدرس"), "{word} -> {}", stem(word));
        }
        assert_eq!(stem("الكتاب"), stem("كتاب"));
        assert_eq!(stem("المعلمون"), stem("المعلمين"));
        assert_eq!(stem("مستشفى"), stem("مستشفي"));
    }

    #[test]
    fn short_words_stay() {
        for word in ["ولد", "الم", "يد", "ماء"] {
            assert!(!stem(word).is_empty());
        }
        assert_eq!(stem("ولد"), "ولد");
    }
}
