//! What the bytes are.

mod container;
mod ole;
mod text;

use insula_core::ingest::ParseError;
use memchr::memmem;

use crate::{charset, error, foreign};

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Pdf,
    Office(Office),
    Sheet(Sheet),
    Zip,
    Gzip,
    Html,
    Xml,
    Email,
    Markdown,
    /// Plain text, which includes JSON and tables: only reading them tells.
    Text,
}

/// What is read by `office`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Office {
    Docx,
    Pptx,
    Odt,
    Odp,
    Doc,
    Ppt,
    Epub,
    Rtf,
    Msg,
    Notebook,
}

/// Spreadsheets.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Sheet {
    Xlsx,
    Xlsb,
    Ods,
    Xls,
}

/// How much of the beginning is looked at.
const HEAD: usize = 8 * 1024;
/// A PDF may have rubbish in front of its signature, up to here.
const PDF_SIGNATURE_WITHIN: usize = 1024;
/// More control characters than one in this many bytes are not a text's.
const CONTROL_SHARE: usize = 50;

/// The kind of a document. Content decides; `filename` only tells Markdown from other plain text.
///
/// # Errors
/// `invalid_file` for an empty, encrypted or truncated file, `unsupported_file` for a format that is not read.
pub(crate) fn detect(bytes: &[u8], filename: &str) -> Result<Kind, ParseError> {
    if bytes.is_empty() {
        return Err(error::invalid("The file is empty."));
    }
    if let Some(kind) = by_signature(bytes)? {
        return Ok(kind);
    }
    let head = &bytes[..bytes.len().min(HEAD)];
    // Short signatures (`BM` of a bitmap) also begin sentences: what reads as text is text, save for the formats that
    // are written in ASCII.
    if !reads_as_text(head)
        && let Some(name) = foreign::name(bytes)
    {
        return Err(error::unsupported(&name));
    }
    if is_binary(head) {
        return Err(error::unsupported("a binary file of an unknown kind"));
    }
    if bytes.iter().all(|byte| *byte == 0 || byte.is_ascii_whitespace()) {
        return Err(error::no_text());
    }
    Ok(text::kind(bytes, &charset::decode(head, true), filename))
}

fn by_signature(bytes: &[u8]) -> Result<Option<Kind>, ParseError> {
    let head = &bytes[..bytes.len().min(PDF_SIGNATURE_WITHIN)];
    let has_pdf_signature = memmem::find(head, b"%PDF-").is_some();
    Ok(
        if bytes.starts_with(b"%PDF-") || (has_pdf_signature && !reads_as_text(head)) {
            Some(Kind::Pdf)
        } else if bytes.starts_with(b"{\\rtf") {
            Some(Kind::Office(Office::Rtf))
        } else if bytes.starts_with(b"PK\x03\x04") || bytes.starts_with(b"PK\x05\x06") {
            Some(container::kind(bytes)?)
        } else if bytes.starts_with(b"\xd0\xcf\x11\xe0\xa1\xb1\x1a\xe1") {
            Some(ole::kind(bytes)?)
        } else if bytes.starts_with(b"\x1f\x8b\x08") {
            Some(Kind::Gzip)
        } else {
            None
        },
    )
}

fn reads_as_text(head: &[u8]) -> bool {
    charset::has_mark(head) || (is_utf8(head) && !is_binary(head) && !foreign::is_written_in_ascii(head))
}

fn is_utf8(head: &[u8]) -> bool {
    match std::str::from_utf8(head) {
        Ok(_) => true,
        // Cut in the middle of a character.
        Err(error) => error.error_len().is_none(),
    }
}

/// Text has few control characters. It may have NULs: UTF-16 in every other place, careless software as field ends.
fn is_binary(head: &[u8]) -> bool {
    if charset::has_mark(head) || charset::is_utf16_without_mark(head) {
        return false;
    }
    let is_control = |byte: u8| byte < 0x20 && !matches!(byte, 0 | b'\t' | b'\n' | b'\r' | 0x0c | 0x1b);
    let controls = head.iter().filter(|byte| is_control(**byte)).count();
    let nuls = head.iter().filter(|byte| **byte == 0).count();
    let many_nuls = if is_utf8(head) {
        nuls > head.len() / 3
    } else {
        nuls > 0
    };
    many_nuls || controls > head.len() / CONTROL_SHARE + 4
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(bytes: &[u8], name: &str) -> Kind {
        detect(bytes, name).unwrap()
    }

    #[test]
    fn content_decides_and_the_name_only_tells_markdown_from_text() {
        assert_eq!(kind(b"plain words", "notes.txt"), Kind::Text);
        assert_eq!(kind(b"plain words", "notes.md"), Kind::Markdown);
        assert_eq!(kind(b"<!DOCTYPE html><p>x", "report.pdf"), Kind::Html);
        assert_eq!(kind(b"%PDF-1.7\n%\xe2\xe3\xcf\xd3", "notes.md"), Kind::Pdf);
        assert_eq!(kind(b"\0\0\xff\xfe junk\n%PDF-1.4", "x"), Kind::Pdf);
        assert_eq!(kind(b"A PDF starts with %PDF-1.4.", "x"), Kind::Text);
        assert_eq!(kind(b"{\\rtf1\\ansi x}", "x.doc"), Kind::Office(Office::Rtf));
        assert_eq!(kind(b"\x1f\x8b\x08\0", "x"), Kind::Gzip);
        assert_eq!(kind(b"abc\0def\0\nabc\0def\0\n", "x"), Kind::Text);
        assert_eq!(
            kind(b"\xe3\xd1\xcd\xc8\xc7 \xc8\xc7\xe1\xda\xc7\xe1\xe3", "x"),
            Kind::Text
        );
        assert_eq!(kind(b"BM25 ranks by words. MZ is a city.", "x"), Kind::Text);
        let utf16: Vec<u8> = "\u{feff}# h".encode_utf16().flat_map(u16::to_le_bytes).collect();
        assert_eq!(kind(&utf16, "x"), Kind::Text);
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        for (bytes, word) in [
            (&b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR"[..], "png"),
            (b"%!PS-Adobe-3.0\n", "PostScript"),
            (b"7z\xbc\xaf\x27\x1c\x00\x04", "7z"),
            (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00", "unknown"),
        ] {
            let error = detect(bytes, "x.txt").unwrap_err();
            assert!(error.message.contains(word), "{}", error.message);
        }
        assert_eq!(detect(b"", "x").unwrap_err().message, "The file is empty.");
        assert!(detect(b"\0\0\0\0", "x").is_err());
    }
}
