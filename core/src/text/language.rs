//! Which language a text is in, and whether a model can read it.

pub use whatlang::Script;

/// The longest prefix that is looked at, in characters. More changes the verdict rarely and costs time.
const SAMPLE_CHARS: usize = 4_000;

/// Latin-script queries with fewer letters than this say nothing certain about their language.
const MIN_LETTERS: usize = 20;

/// Weight of the vector half for a query in a language that the model was not trained on but whose script it
/// knows: shared words and names still carry some meaning.
const RELATED_WEIGHT: f64 = 0.3;

/// What [`detect`] found out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Detected {
    /// ISO 639-3 code, `und` when there are no letters.
    pub code: &'static str,
    /// Whether the detector is sure. Short texts rarely are.
    pub reliable: bool,
    /// The script that most letters belong to.
    pub script: Option<Script>,
}

/// Detects the main language and script of `text` from its first few thousand characters.
pub fn detect(text: &str) -> Detected {
    let end = text
        .char_indices()
        .nth(SAMPLE_CHARS)
        .map_or(text.len(), |(at, _)| at);
    match whatlang::detect(&text[..end]) {
        Some(info) => Detected {
            code: info.lang().code(),
            reliable: info.is_reliable(),
            script: Some(info.script()),
        },
        None => Detected {
            code: "und",
            reliable: false,
            script: whatlang::detect_script(&text[..end]),
        },
    }
}

/// How far the vector half of a hybrid search may be trusted for `query`, 0..=1.
///
/// - `1.0`: the model knows the language, or nothing speaks against it (short or mixed Latin text, numbers, a
///   model that does not name its languages);
/// - `0.3`: the script is known to the model, the language surely is not;
/// - `0.0`: the script belongs to none of the model's languages: its vectors are noise.
pub fn vector_weight(query: &str, model_languages: &[String]) -> f64 {
    let detected = detect(query);
    let Some(script) = detected.script else { return 1.0 };
    if model_languages.is_empty() {
        return 1.0;
    }
    let knows = |code: &str| model_languages.iter().any(|known| canonical(known) == code);
    if knows(detected.code) {
        return 1.0;
    }
    if !script.langs().iter().any(|lang| knows(lang.code())) {
        return 0.0;
    }
    let letters = query.chars().filter(|c| c.is_alphabetic()).count();
    if detected.reliable && letters >= MIN_LETTERS {
        RELATED_WEIGHT
    } else {
        1.0
    }
}

/// The detector's code of a language that is named by its two-letter (ISO 639-1) or three-letter code; `None` for one that the
/// detector does not know.
pub fn code_of(name: &str) -> Option<&'static str> {
    let name = name.to_ascii_lowercase();
    let short = TWO_LETTERS.iter().find(|(two, _)| *two == name);
    let code = short.map_or_else(|| canonical(&name), |(_, code)| code);
    whatlang::Lang::from_code(code).map(|language| language.code())
}

/// ISO 639-1 to the detector's codes.
const TWO_LETTERS: [(&str, &str); 69] = [
    ("af", "afr"),
    ("ak", "aka"),
    ("am", "amh"),
    ("ar", "ara"),
    ("az", "aze"),
    ("be", "bel"),
    ("bg", "bul"),
    ("bn", "ben"),
    ("ca", "cat"),
    ("cs", "ces"),
    ("cy", "cym"),
    ("da", "dan"),
    ("de", "deu"),
    ("el", "ell"),
    ("en", "eng"),
    ("eo", "epo"),
    ("es", "spa"),
    ("et", "est"),
    ("fa", "pes"),
    ("fi", "fin"),
    ("fr", "fra"),
    ("gu", "guj"),
    ("he", "heb"),
    ("hi", "hin"),
    ("hr", "hrv"),
    ("hu", "hun"),
    ("hy", "hye"),
    ("id", "ind"),
    ("it", "ita"),
    ("ja", "jpn"),
    ("jv", "jav"),
    ("ka", "kat"),
    ("km", "khm"),
    ("kn", "kan"),
    ("ko", "kor"),
    ("la", "lat"),
    ("lt", "lit"),
    ("lv", "lav"),
    ("mk", "mkd"),
    ("ml", "mal"),
    ("mr", "mar"),
    ("my", "mya"),
    ("nb", "nob"),
    ("ne", "nep"),
    ("nl", "nld"),
    ("no", "nob"),
    ("or", "ori"),
    ("pa", "pan"),
    ("pl", "pol"),
    ("pt", "por"),
    ("ro", "ron"),
    ("ru", "rus"),
    ("si", "sin"),
    ("sk", "slk"),
    ("sl", "slv"),
    ("sn", "sna"),
    ("sr", "srp"),
    ("sv", "swe"),
    ("ta", "tam"),
    ("te", "tel"),
    ("th", "tha"),
    ("tk", "tuk"),
    ("tl", "tgl"),
    ("tr", "tur"),
    ("uk", "ukr"),
    ("ur", "urd"),
    ("uz", "uzb"),
    ("vi", "vie"),
    ("zh", "cmn"),
];

/// Maps macro-language and two-letter codes that model cards use to the detector's codes.
fn canonical(code: &str) -> &str {
    match code {
        "zho" | "chi" | "zh" => "cmn",
        "fas" | "per" | "fa" => "pes",
        "arb" | "ar" => "ara",
        "nor" | "nno" | "no" => "nob",
        "en" => "eng",
        "de" | "ger" => "deu",
        "fr" | "fre" => "fra",
        "es" => "spa",
        "ru" => "rus",
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn languages(codes: &[&str]) -> Vec<String> {
        codes.iter().map(|code| (*code).to_owned()).collect()
    }

    #[test]
    fn detects_language_and_script() {
        let arabic = detect("ما هي عاصمة المملكة العربية السعودية؟");
        assert_eq!((arabic.code, arabic.script), ("ara", Some(Script::Arabic)));
        let english = detect("The refund is paid within fourteen days after we have received the goods.");
        assert_eq!((english.code, english.reliable), ("eng", true));
        assert_eq!(
            detect("2024 42"),
            Detected {
                code: "und",
                reliable: false,
                script: None
            }
        );
    }

    #[test]
    fn an_english_model_reads_english_and_short_latin_queries() {
        let english = languages(&["eng"]);
        for query in [
            "How long does a refund take after the goods were returned?",
            "refund policy",
            "SKU-1234",
            "CVE-2024-3094",
            "Schmidt",
            "",
            "42",
        ] {
            assert_eq!(vector_weight(query, &english), 1.0, "{query}");
        }
    }

    #[test]
    fn a_foreign_script_is_noise_to_an_english_model() {
        let english = languages(&["eng"]);
        for query in [
            "ما هي سياسة الاسترداد؟",
            "退款政策是什么",
            "Какова политика возврата?",
            "환불 정책",
            "ถามอะไร",
        ] {
            assert_eq!(vector_weight(query, &english), 0.0, "{query}");
        }
    }

    #[test]
    fn a_surely_foreign_latin_language_keeps_a_little() {
        let english = languages(&["eng"]);
        let query = "Wie lange dauert es, bis die Rückerstattung nach der Rücksendung überwiesen wird?";
        assert_eq!(vector_weight(query, &english), RELATED_WEIGHT);
        assert_eq!(vector_weight(query, &languages(&["eng", "deu"])), 1.0);
    }

    #[test]
    fn languages_are_named_by_either_code() {
        for (name, code) in [
            ("ar", Some("ara")),
            ("ARA", Some("ara")),
            ("zho", Some("cmn")),
            ("en", Some("eng")),
            ("xx", None),
        ] {
            assert_eq!(code_of(name), code, "{name}");
        }
        for language in whatlang::Lang::all() {
            assert_eq!(code_of(language.code()), Some(language.code()));
        }
        let unknown = TWO_LETTERS.iter().filter(|(two, _)| code_of(two).is_none());
        assert_eq!(unknown.collect::<Vec<_>>(), [&("", ""); 0]);
    }

    #[test]
    fn names_of_languages_are_understood_in_several_forms() {
        assert_eq!(vector_weight("退款政策是什么", &languages(&["zho"])), 1.0);
        assert_eq!(vector_weight("ما هي سياسة الاسترداد؟", &languages(&["arb"])), 1.0);
        assert_eq!(vector_weight("ما هي سياسة الاسترداد؟", &[]), 1.0);
    }
}
