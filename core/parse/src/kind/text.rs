//! Which format of text it is.

use memchr::memmem;

use super::{Kind, Office};

/// Header fields of a message; one that is sent or was received has at least two of them.
const FIELDS: [&str; 14] = [
    "from",
    "to",
    "cc",
    "subject",
    "date",
    "received",
    "return-path",
    "delivered-to",
    "message-id",
    "mime-version",
    "content-type",
    "reply-to",
    "dkim-signature",
    "x-mailer",
];
/// One of these is needed: a text may begin with a subject and a date.
const SENDER_FIELDS: [&str; 6] = [
    "from",
    "received",
    "return-path",
    "delivered-to",
    "message-id",
    "mime-version",
];

/// `start` is the decoded beginning of `bytes`.
pub(super) fn kind(bytes: &[u8], start: &str, filename: &str) -> Kind {
    if looks_like_html(start) {
        Kind::Html
    } else if looks_like_xml(bytes, start) {
        Kind::Xml
    } else if looks_like_email(start) {
        Kind::Email
    } else if looks_like_notebook(bytes, start) {
        Kind::Office(Office::Notebook)
    } else if has_extension(filename, &["md", "markdown", "mdown", "mkd"]) || looks_like_markdown(start) {
        Kind::Markdown
    } else {
        Kind::Text
    }
}

fn has_extension(filename: &str, known: &[&str]) -> bool {
    filename
        .rsplit_once('.')
        .is_some_and(|(_, extension)| known.contains(&extension.to_ascii_lowercase().as_str()))
}

/// The document without the comments and the XML declaration that may come first.
fn after_prologue(start: &str) -> &str {
    let mut rest = start.trim_start_matches('\u{feff}').trim_start();
    loop {
        let skipped = match rest {
            text if text.starts_with("<!--") => text.split_once("-->").map(|(_, after)| after),
            text if text.starts_with("<?") => text.split_once("?>").map(|(_, after)| after),
            _ => None,
        };
        match skipped {
            Some(after) => rest = after.trim_start(),
            None => return rest,
        }
    }
}

/// A document that begins as HTML does. Markup further down does not count: Markdown may hold some.
fn looks_like_html(start: &str) -> bool {
    let rest = after_prologue(start);
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

/// An XML declaration, a document type, an element that declares a namespace, or one that the document ends with.
fn looks_like_xml(bytes: &[u8], start: &str) -> bool {
    let rest = start.trim_start_matches('\u{feff}').trim_start();
    if rest.starts_with("<?xml") {
        return true;
    }
    let rest = after_prologue(start);
    if rest.starts_with("<!DOCTYPE") {
        return true;
    }
    let Some((tag, _)) = rest.strip_prefix('<').and_then(|rest| rest.split_once('>')) else {
        return false;
    };
    let name = tag.split(char::is_whitespace).next().unwrap_or_default();
    let ends_with_it = || {
        let end = format!("</{name}>");
        name.starts_with(char::is_alphabetic) && bytes.trim_ascii_end().ends_with(end.as_bytes())
    };
    tag.contains("xmlns") || ends_with_it()
}

/// Header fields from the first line on.
fn looks_like_email(start: &str) -> bool {
    let mut known: Vec<String> = Vec::new();
    for (n, line) in start.lines().enumerate() {
        if line.is_empty() {
            break;
        }
        // The line before the header in a mailbox, and continued lines.
        if (n == 0 && line.starts_with("From ")) || (n > 0 && line.starts_with([' ', '\t'])) {
            continue;
        }
        let Some((name, _)) = line.split_once(':') else {
            return false;
        };
        if name.is_empty() || !name.bytes().all(|b| b.is_ascii_graphic()) {
            return false;
        }
        let name = name.to_ascii_lowercase();
        if FIELDS.contains(&name.as_str()) && !known.contains(&name) {
            known.push(name);
        }
    }
    known.len() >= 2 && known.iter().any(|name| SENDER_FIELDS.contains(&name.as_str()))
}

/// JSON with the two members that every notebook has, wherever they stand.
fn looks_like_notebook(bytes: &[u8], start: &str) -> bool {
    let has = |key: &[u8]| memmem::find(bytes, key).is_some();
    start.trim_start().starts_with('{') && has(b"\"nbformat\"") && has(b"\"cells\"")
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

    fn of(text: &str) -> Kind {
        kind(text.as_bytes(), text, "x")
    }

    #[test]
    fn markup_is_told_apart() {
        assert_eq!(of("<!-- a -->\n<?xml version=\"1.0\"?><html>"), Kind::Html);
        assert_eq!(of("<?xml version=\"1.0\"?>\n<note><to>x</to></note>"), Kind::Xml);
        assert_eq!(of("<feed xmlns=\"http://www.w3.org/2005/Atom\">"), Kind::Xml);
        assert_eq!(of("<rows><row>1</row>\n</rows>\n"), Kind::Xml);
        assert_eq!(of("<b>bold</b> words"), Kind::Text);
        assert_eq!(of("# One\n\ntext\n\n## Two\n\ntext"), Kind::Markdown);
        assert_eq!(of("#!/bin/sh\n# a comment\necho\n# another\nls"), Kind::Text);
    }

    #[test]
    fn messages_begin_with_their_header() {
        assert_eq!(of("From: a@b.c\r\nSubject: Hello\r\n\r\nText"), Kind::Email);
        assert_eq!(
            of("Received: by x\n\twith SMTP\nDKIM-Signature: v=1\nFrom: a@b.c\nTo: d@e.f\n\nText"),
            Kind::Email
        );
        assert_eq!(of("Subject: Hello\nDate: today\n\nText"), Kind::Text);
        assert_eq!(
            of("From: here on it is text\nand more: of it\n\nText"),
            Kind::Text
        );
        assert_eq!(of("Note: one\nTo: two lines with colons\n\nText"), Kind::Text);
    }

    #[test]
    fn notebooks_are_json_with_cells() {
        assert_eq!(
            of("{\"cells\": [], \"metadata\": {}, \"nbformat\": 4}"),
            Kind::Office(Office::Notebook)
        );
        assert_eq!(of("{\"cells\": 1}"), Kind::Text);
    }
}
