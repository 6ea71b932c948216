#![doc = include_str!("../README.md")]

mod charset;
mod clean;
mod foreign;
mod html;
mod kind;
mod markdown;
pub mod sandbox;

use insula_core::ingest::{ParseError, ParseErrorCode, ParsedDocument};

use kind::Kind;

/// Most text that a document may hold, in bytes.
pub const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// Most bytes of input: markup and wide encodings take more room than their text.
const MAX_INPUT_BYTES: usize = 4 * MAX_TEXT_BYTES;

/// Turns the bytes of a document into text. Blocks for as long as that takes.
///
/// # Errors
/// `unsupported_file` for a format that is not read, naming it; `invalid_file` for an empty file, or one with more than
/// [`MAX_TEXT_BYTES`] of text.
pub fn parse(bytes: &[u8], filename: &str) -> Result<ParsedDocument, ParseError> {
    let too_large = || invalid("The file holds more than 64 MiB of text.");
    let kind = kind::detect(bytes, filename)?;
    if bytes.len() > MAX_INPUT_BYTES {
        return Err(too_large());
    }
    let decoded = charset::decode(bytes, kind == Kind::Html);
    let (text, markdown, media_type) = match kind {
        Kind::Text => (clean::clean(&decoded), false, "text/plain"),
        Kind::Markdown => (clean::clean(&decoded), true, "text/markdown"),
        Kind::Html => (clean::clean(&html::to_markdown(&decoded)), true, "text/html"),
    };
    if text.len() > MAX_TEXT_BYTES {
        return Err(too_large());
    }
    if text.trim().is_empty() {
        return Err(invalid("The file contains no text."));
    }
    let headings = if markdown {
        markdown::headings(&text)
    } else {
        Vec::new()
    };
    Ok(ParsedDocument {
        text,
        headings,
        pages: Vec::new(),
        markdown,
        media_type: media_type.into(),
    })
}

fn invalid(message: &str) -> ParseError {
    ParseError {
        code: ParseErrorCode::InvalidFile,
        message: message.into(),
    }
}

fn unsupported(what: &str) -> ParseError {
    ParseError {
        code: ParseErrorCode::UnsupportedFile,
        message: format!("This is {what}. Plain text, Markdown and HTML can be read."),
    }
}
