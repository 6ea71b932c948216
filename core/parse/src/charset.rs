//! Bytes to text, whatever the character set.

use std::borrow::Cow;

use chardetng::{EncodingDetector, Utf8Detection};
use encoding_rs::{Encoding, UTF_8, UTF_16BE, UTF_16LE};

/// How much of the beginning may hold a declaration in HTML or XML (the standard's own limit).
const DECLARATION: usize = 1024;

/// Decodes bytes. Nothing is lost silently: what no character set explains becomes U+FFFD.
///
/// In order: a byte order mark; UTF-16 without one; valid UTF-8; for HTML and XML the declared set; a detector.
pub(crate) fn decode(bytes: &[u8], markup: bool) -> Cow<'_, str> {
    if let Some((encoding, mark)) = Encoding::for_bom(bytes) {
        return encoding.decode_without_bom_handling(&bytes[mark..]).0;
    }
    // Before UTF-8: the UTF-16 of English, and of most Arabic, is also valid UTF-8 with a NUL in every other place.
    if let Some(encoding) = utf16_without_mark(bytes) {
        return encoding.decode_without_bom_handling(bytes).0;
    }
    if let Ok(text) = std::str::from_utf8(bytes) {
        return Cow::Borrowed(text);
    }
    let encoding = markup
        .then(|| declared(bytes))
        .flatten()
        .unwrap_or_else(|| guess(bytes));
    encoding.decode_without_bom_handling(bytes).0
}

/// Whether a byte order mark says that this is text.
pub(crate) fn has_mark(bytes: &[u8]) -> bool {
    Encoding::for_bom(bytes).is_some()
}

/// Whether the bytes are UTF-16 although no mark says so.
pub(crate) fn is_utf16_without_mark(bytes: &[u8]) -> bool {
    utf16_without_mark(bytes).is_some()
}

/// UTF-16 gives itself away by zeros in every other place, as long as some of its text is Latin or has spaces.
fn utf16_without_mark(bytes: &[u8]) -> Option<&'static Encoding> {
    let sample = &bytes[..bytes.len().min(4096) & !1];
    if sample.len() < 8 {
        return None;
    }
    let zeros = |offset: usize| {
        sample
            .iter()
            .skip(offset)
            .step_by(2)
            .filter(|byte| **byte == 0)
            .count()
    };
    let (even, odd, half) = (zeros(0), zeros(1), sample.len() / 2);
    let encoding = match (even, odd) {
        (even, odd) if odd * 10 > half && even * 20 < odd => UTF_16LE,
        (even, odd) if even * 10 > half && odd * 20 < even => UTF_16BE,
        _ => return None,
    };
    let (_, malformed) = encoding.decode_without_bom_handling(sample);
    (!malformed).then_some(encoding)
}

fn declared(bytes: &[u8]) -> Option<&'static Encoding> {
    let head = String::from_utf8_lossy(&bytes[..bytes.len().min(DECLARATION)]).to_ascii_lowercase();
    let (_, after) = head
        .split_once("charset=")
        .or_else(|| head.split_once("encoding="))?;
    let label: String = after
        .trim_start_matches(['"', '\'', ' '])
        .chars()
        .take_while(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | ':'))
        .collect();
    let encoding = Encoding::for_label(label.as_bytes())?;
    // A declaration that can be read as bytes is no UTF-16, whatever it says; and UTF-8 was tried already.
    (encoding != UTF_16LE && encoding != UTF_16BE && encoding != UTF_8).then_some(encoding)
}

fn guess(bytes: &[u8]) -> &'static Encoding {
    // Mostly UTF-8 with a few bad bytes stays UTF-8, or every other character of it would be mangled.
    let lossy = String::from_utf8_lossy(bytes);
    let replaced = lossy.matches('\u{fffd}').count();
    let multibyte = lossy
        .chars()
        .filter(|c| !c.is_ascii() && *c != '\u{fffd}')
        .count();
    if multibyte > replaced {
        return UTF_8;
    }
    let mut detector = EncodingDetector::new(chardetng::Iso2022JpDetection::Deny);
    detector.feed(bytes, true);
    detector.guess(None, Utf8Detection::Deny)
}

#[cfg(test)]
mod tests {
    use super::*;

    const ARABIC: &str =
        "هذا نص عربي مكتوب بترميز قديم، وفيه ما يكفي من الكلمات حتى يعرف الكاشف لغته وترميزه.";

    #[test]
    fn arabic_in_windows_1256_is_read() {
        let bytes = encoding_rs::WINDOWS_1256.encode(ARABIC).0;
        assert_eq!(decode(&bytes, false), ARABIC);
        // Two words are enough.
        let short = encoding_rs::WINDOWS_1256.encode("مرحبا بالعالم").0;
        assert_eq!(decode(&short, false), "مرحبا بالعالم");
    }

    #[test]
    fn utf16_is_read_with_and_without_its_mark() {
        let text = "Notice period: three months.\nمدة الإشعار ثلاثة أشهر.";
        let little: Vec<u8> = text.encode_utf16().flat_map(u16::to_le_bytes).collect();
        let big: Vec<u8> = text.encode_utf16().flat_map(u16::to_be_bytes).collect();
        assert_eq!(decode(&little, false), text);
        assert_eq!(decode(&big, false), text);
        assert_eq!(decode(&[&[0xff, 0xfe], little.as_slice()].concat(), false), text);
        assert_eq!(decode("\u{feff}x".as_bytes(), false), "x");
    }

    #[test]
    fn html_says_what_it_is() {
        let page = "<meta charset=\"iso-8859-7\"><p>Καλημέρα κόσμε</p>";
        let bytes = encoding_rs::ISO_8859_7.encode(page).0;
        assert_eq!(decode(&bytes, true), page);
        let xml = "<?xml version=\"1.0\" encoding='windows-1251'?><a>Привет, мир</a>";
        let bytes = encoding_rs::WINDOWS_1251.encode(xml).0;
        assert_eq!(decode(&bytes, true), xml);
    }

    #[test]
    fn a_few_bad_bytes_do_not_cost_the_rest() {
        let mut bytes = "Größe und Übermaß sind ärgerlich. ".repeat(3).into_bytes();
        bytes.insert(10, 0xff);
        let text = decode(&bytes, false);
        assert!(text.contains("Übermaß sind ärgerlich") && text.contains('\u{fffd}'));
    }
}
