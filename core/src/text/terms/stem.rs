//! Words to stems, by script and language.

use rust_stemmers::{Algorithm, Stemmer};
use unicode_normalization::{UnicodeNormalization, char::is_combining_mark};

use super::arabic;

/// A way to reduce the forms of a word to one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Stemming {
    /// Snowball, then accents folded.
    Snowball(Algorithm),
    /// Accents folded only.
    Fold,
    /// Arabic letters unified, affixes removed.
    Arabic,
    /// Arabic letters unified: Persian, Urdu and others in Arabic script.
    ArabicLetters,
    /// As it is.
    Keep,
}

const LATIN: [(&str, Algorithm); 14] = [
    ("eng", Algorithm::English),
    ("deu", Algorithm::German),
    ("fra", Algorithm::French),
    ("spa", Algorithm::Spanish),
    ("ita", Algorithm::Italian),
    ("por", Algorithm::Portuguese),
    ("nld", Algorithm::Dutch),
    ("swe", Algorithm::Swedish),
    ("dan", Algorithm::Danish),
    ("nob", Algorithm::Norwegian),
    ("fin", Algorithm::Finnish),
    ("hun", Algorithm::Hungarian),
    ("ron", Algorithm::Romanian),
    ("tur", Algorithm::Turkish),
];

/// Languages in Latin script that have no stemmer here; their words keep their endings.
const LATIN_UNSTEMMED: [&str; 20] = [
    "pol", "ces", "slk", "slv", "hrv", "vie", "ind", "cat", "est", "lit", "lav", "aze", "uzb", "tgl", "epo",
    "afr", "jav", "lat", "cym", "sna",
];

enum Writing {
    Latin,
    Arabic,
    Cyrillic,
    Greek,
    Tamil,
    Other,
}

fn writing(word: &str) -> Writing {
    for c in word.chars() {
        match c {
            'a'..='z' | '\u{c0}'..='\u{24f}' | '\u{1e00}'..='\u{1eff}' => return Writing::Latin,
            '\u{370}'..='\u{3ff}' | '\u{1f00}'..='\u{1fff}' => return Writing::Greek,
            '\u{400}'..='\u{52f}' => return Writing::Cyrillic,
            '\u{600}'..='\u{6ff}' | '\u{750}'..='\u{77f}' | '\u{8a0}'..='\u{8ff}' => return Writing::Arabic,
            '\u{b80}'..='\u{bff}' => return Writing::Tamil,
            _ => {}
        }
    }
    Writing::Other
}

/// Words with digits are names and measures (`p53`, `il6`, `2.5mg`): an ending that looks like a suffix is none.
fn is_code(word: &str) -> bool {
    word.bytes().any(|b| b.is_ascii_digit())
}

impl Stemming {
    /// How a document in `language` (ISO 639-3, or `und`) has this word indexed. Words in another script than the
    /// document's are treated as that script's main language.
    pub(super) fn of(language: &str, word: &str) -> Self {
        if is_code(word) {
            return Self::Fold;
        }
        match writing(word) {
            Writing::Latin => match LATIN.iter().find(|(code, _)| *code == language) {
                Some((_, algorithm)) => Self::Snowball(*algorithm),
                None if LATIN_UNSTEMMED.contains(&language) => Self::Fold,
                None => Self::Snowball(Algorithm::English),
            },
            Writing::Arabic if matches!(language, "pes" | "urd") => Self::ArabicLetters,
            Writing::Arabic => Self::Arabic,
            Writing::Cyrillic if matches!(language, "ukr" | "bel" | "bul" | "srp" | "mkd") => Self::Fold,
            Writing::Cyrillic => Self::Snowball(Algorithm::Russian),
            Writing::Greek => Self::Snowball(Algorithm::Greek),
            Writing::Tamil => Self::Snowball(Algorithm::Tamil),
            Writing::Other => Self::Keep,
        }
    }

    /// All that [`Stemming::of`] may answer for this word in any of `languages`; over all languages if none are
    /// given.
    pub(super) fn candidates(languages: &[&str], word: &str) -> Vec<Self> {
        let mut candidates: Vec<Self> = Vec::new();
        let mut add = |language| {
            let stemming = Self::of(language, word);
            if !candidates.contains(&stemming) {
                candidates.push(stemming);
            }
        };
        if languages.is_empty() {
            // The unstemmed ones stand for all that have no stemmer, in Latin, Arabic and Cyrillic script.
            LATIN
                .iter()
                .map(|(code, _)| *code)
                .chain(["pol", "ara", "pes", "rus", "ukr"])
                .for_each(add);
        } else {
            languages.iter().copied().for_each(&mut add);
            add("und");
        }
        candidates
    }

    /// The stem of a lower-case word.
    pub(super) fn apply(self, word: &str) -> String {
        match self {
            Self::Snowball(algorithm) => fold(&Stemmer::create(algorithm).stem(word)),
            Self::Fold => fold(word),
            Self::Arabic => arabic::stem(word),
            Self::ArabicLetters => arabic::letters(word),
            Self::Keep => word.to_owned(),
        }
    }
}

/// Accents off, ligatures spelled out. Cyrillic keeps its letters (й is no accented и), save ё.
fn fold(word: &str) -> String {
    if word.is_ascii() {
        return word.to_owned();
    }
    if word.chars().any(|c| matches!(c, '\u{400}'..='\u{52f}')) {
        return word.replace('ё', "е");
    }
    let mut folded = String::with_capacity(word.len());
    for c in word.nfkd().filter(|c| !is_combining_mark(*c)) {
        match c {
            'ß' => folded.push_str("ss"),
            'æ' => folded.push_str("ae"),
            'œ' => folded.push_str("oe"),
            'ø' => folded.push('o'),
            'ł' => folded.push('l'),
            'đ' | 'ð' => folded.push('d'),
            'þ' => folded.push_str("th"),
            'ı' => folded.push('i'),
            'ς' => folded.push('σ'),
            _ => folded.push(c),
        }
    }
    folded
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_document_language_decides() {
        assert_eq!(Stemming::of("eng", "running").apply("running"), "run");
        assert_eq!(Stemming::of("deu", "häuser").apply("häuser"), "haus");
        assert_eq!(Stemming::of("pol", "domami"), Stemming::Fold);
        assert_eq!(
            Stemming::of("ara", "running"),
            Stemming::Snowball(Algorithm::English)
        );
        assert_eq!(Stemming::of("pes", "کتاب").apply("کتاب"), "كتاب");
        assert_eq!(Stemming::of("eng", "p53s").apply("p53s"), "p53s");
    }

    #[test]
    fn candidates_cover_what_a_document_may_have() {
        for word in [
            "running",
            "häuser",
            "возврата",
            "والكتاب",
            "λόγος",
            "il6",
            "हिन्दी",
        ] {
            for language in [
                "eng", "deu", "pol", "rus", "ukr", "ara", "pes", "ell", "hin", "und",
            ] {
                let wanted = Stemming::of(language, word);
                assert!(
                    Stemming::candidates(&[], word).contains(&wanted),
                    "{word} in {language}"
                );
                assert!(
                    Stemming::candidates(&[language], word).contains(&wanted),
                    "{word} in {language}"
                );
            }
        }
    }

    #[test]
    fn folding() {
        assert_eq!(fold("straße"), "strasse");
        assert_eq!(fold("çağdaş"), "cagdas");
        assert_eq!(fold("łódź"), "lodz");
        assert_eq!(fold("ёлкой"), "елкой");
    }
}
