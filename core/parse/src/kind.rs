//! What the bytes are.

use insula_core::ingest::ParseError;

use crate::{charset, foreign, invalid, unsupported};

/// A format that is read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Kind {
    Text,
    Markdown,
    Html,
}

/// How much of the beginning is looked at.
const HEAD: usize = 8 * 1024;
/// More control characters than one in this many bytes are not a text's.
const CONTROL_SHARE: usize = 50;

pub(crate) fn detect(bytes: &[u8], filename: &str) -> Result<Kind, ParseError> {
    if bytes.is_empty() {
        return Err(invalid("The file is empty."));
    }
    let head = &bytes[..bytes.len().min(HEAD)];
    // Short signatures (`BM` of a bitmap) also begin sentences: what reads as text is text, save for the formats that
    // are written in ASCII.
    if !reads_as_text(head)
        && let Some(name) = foreign::name(bytes)
    {
        return Err(unsupported(&name));
    }
    if is_binary(head) {
        return Err(unsupported("a binary file of an unknown kind"));
    }
    let start = charset::decode(head, true);
    Ok(if looks_like_html(&start) {
        Kind::Html
    } else if has_extension(filename, &["md", "markdown", "mdown", "mkd"]) || looks_like_markdown(&start) {
        Kind::Markdown
    } else {
        Kind::Text
    })
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

fn has_extension(filename: &str, known: &[&str]) -> bool {
    filename
        .rsplit_once('.')
        .is_some_and(|(_, extension)| known.contains(&extension.to_ascii_lowercase().as_str()))
}

/// A document that begins as HTML does. Markup further down does not count: Markdown may hold some.
fn looks_like_html(start: &str) -> bool {
    let mut rest = start.trim_start_matches('\u{feff}').trim_start();
    // Comments and an XML declaration may come first.
    loop {
        let skipped = match rest {
            text if text.starts_with("<!--") => text.split_once("-->").map(|(_, after)| after),
            text if text.starts_with("<?xml") => text.split_once("?>").map(|(_, after)| after),
            _ => None,
        };
        match skipped {
            Some(after) => rest = after.trim_start(),
            None => break,
        }
    }
    let lower: String = rest.chars().take(32).flat_map(char::to_lowercase).collect();
    const STARTS: [&str; 14] = [
        "<!doctype html",
        "<html",
        "<head",
        "<body",
        "<title",
        "<meta",
        "<script",
        "<style",
        "<table",
        "<div",
        "<article",
        "<h1",
        "<p>",
        "<section",
    ];
    STARTS.iter().any(|start| lower.starts_with(start))
}

/// Several headings or fences: plain text rarely has them. One `#` alone may be a comment.
fn looks_like_markdown(start: &str) -> bool {
    let heading = |line: &&str| {
        let hashes = line.bytes().take_while(|b| *b == b'#').count();
        (1..=6).contains(&hashes) && line[hashes..].starts_with(' ')
    };
    // A shell script or a configuration file has `# comments` too, but not separated by blank lines as headings are.
    let lines: Vec<&str> = start.lines().collect();
    let alone = lines
        .iter()
        .enumerate()
        .filter(|(_, line)| heading(line))
        .filter(|(n, _)| lines.get(n + 1).is_none_or(|next| next.trim().is_empty()))
        .count();
    alone >= 2 && !start.starts_with("#!")
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
        assert_eq!(
            kind(b"<!-- a -->\n<?xml version=\"1.0\"?><html>", "x"),
            Kind::Html
        );
        assert_eq!(kind(b"# One\n\ntext\n\n## Two\n\ntext", "x"), Kind::Markdown);
        assert_eq!(
            kind(b"#!/bin/sh\n# a comment\necho\n# another\nls", "x"),
            Kind::Text
        );
        assert_eq!(kind(b"abc\0def\0\nabc\0def\0\n", "x"), Kind::Text);
        assert_eq!(
            kind(b"\xe3\xd1\xcd\xc8\xc7 \xc8\xc7\xe1\xda\xc7\xe1\xe3", "x"),
            Kind::Text
        );
        assert_eq!(kind(b"BM25 ranks by words. MZ is a city.", "x"), Kind::Text);
        assert_eq!(
            kind(
                "\u{feff}# h"
                    .encode_utf16()
                    .flat_map(u16::to_le_bytes)
                    .collect::<Vec<_>>()
                    .as_slice(),
                "x"
            ),
            Kind::Text
        );
    }

    #[test]
    fn other_formats_are_refused_by_name() {
        for (bytes, word) in [
            (&b"%PDF-1.7\n%\xe2\xe3\xcf\xd3"[..], "PDF"),
            (b"%PDF-1.4\nall in ASCII", "PDF"),
            (b"PK\x03\x04\x14\x00\x06\x00", "ZIP"),
            (b"\x89PNG\r\n\x1a\n\x00\x00\x00\x0dIHDR", "png"),
            (b"{\\rtf1\\ansi", "RTF"),
            (b"\x00\x01\x02\x03\x04\x05\x06\x07\x08\x00\x00", "unknown"),
        ] {
            let error = detect(bytes, "x.txt").unwrap_err();
            assert!(error.message.contains(word), "{}", error.message);
        }
        assert_eq!(detect(b"", "x").unwrap_err().message, "The file is empty.");
    }
}
