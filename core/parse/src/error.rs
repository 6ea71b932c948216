//! Reasons, in words for the tenant's developer.

use insula_core::ingest::{ParseError, ParseErrorCode};

/// Longest reason that is taken over from a library, in characters.
const LONGEST_REASON: usize = 200;

/// The file is not what it should be.
pub(crate) fn invalid(message: impl Into<String>) -> ParseError {
    ParseError {
        code: ParseErrorCode::InvalidFile,
        message: message.into(),
    }
}

/// We do not read this kind of file; `what` is its name with an article.
pub(crate) fn unsupported(what: &str) -> ParseError {
    ParseError {
        code: ParseErrorCode::UnsupportedFile,
        message: format!(
            "This is {what}. PDF, Office and OpenDocument files, EPUB, RTF, HTML, Markdown, plain text, CSV, JSON, XML, \
             e-mail, notebooks, and ZIP or gzip files of those can be read."
        ),
    }
}

/// It is our fault; trying again may help.
pub(crate) fn server(message: impl Into<String>) -> ParseError {
    ParseError {
        code: ParseErrorCode::ServerError,
        message: message.into(),
    }
}

/// `what` (with an article) needs a password.
pub(crate) fn encrypted(what: &str) -> ParseError {
    invalid(format!(
        "This is {what} that is encrypted: it cannot be read without its password."
    ))
}

/// `what` (with an article) is broken; `why` is a library's reason, which may be empty.
pub(crate) fn damaged(what: &str, why: &str) -> ParseError {
    let line = why.lines().next().unwrap_or_default().trim();
    let line = line
        .rsplit_once("invalid Zip archive: ")
        .map_or(line, |(_, reason)| reason);
    let why: String = line
        .chars()
        .take(LONGEST_REASON)
        .filter(|c| !c.is_control())
        .collect();
    invalid(match why.as_str() {
        "" => format!("This is {what} that is damaged."),
        why => format!("This is {what} that is damaged: {}.", why.trim_end_matches('.')),
    })
}

/// There is more text than is stored.
pub(crate) fn too_much_text() -> ParseError {
    invalid("The file holds more than 64 MiB of text.")
}

/// A small file that becomes a very large one.
pub(crate) fn too_large_unpacked(what: &str) -> ParseError {
    invalid(format!("This is {what} that is too large when it is unpacked."))
}

/// Structure that would take more levels than are followed.
pub(crate) fn too_deep(what: &str) -> ParseError {
    invalid(format!("This is {what} that is nested too deeply."))
}

/// Nothing to search in.
pub(crate) fn no_text() -> ParseError {
    invalid("The file contains no text.")
}
