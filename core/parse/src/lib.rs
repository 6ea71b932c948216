#![doc = include_str!("../README.md")]

mod archive;
mod charset;
mod clean;
mod csv;
mod draft;
mod email;
mod error;
mod foreign;
mod html;
mod json;
mod kind;
mod markdown;
mod office;
mod pdf;
pub mod sandbox;
mod sheet;
mod table;
mod tidy;
mod xml;

use std::path::PathBuf;

use insula_core::ingest::{ParseError, ParsedDocument};
use serde::{Deserialize, Serialize};

use draft::Draft;
use kind::Kind;

/// Most text that a document may hold, in bytes.
pub const MAX_TEXT_BYTES: usize = 64 * 1024 * 1024;

/// Most bytes of text in a character set: markup and wide encodings take more room than what they say.
const MAX_ENCODED_BYTES: usize = 4 * MAX_TEXT_BYTES;
/// Most bytes that all archives of one upload may unpack to.
const MAX_UNPACKED_BYTES: u64 = 512 * 1024 * 1024;
/// How deep files may lie in files.
const MAX_NESTING: u8 = 3;

/// What is needed from outside of the program.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Tools {
    /// libpdfium, or the folder it lies in. Without it, PDF documents are refused with a reason that says so.
    pub pdfium: Option<PathBuf>,
}

/// Turns the bytes of a document into text. Blocks for as long as that takes.
///
/// What kind of document it is, the bytes decide; `filename` only tells Markdown and tables from other plain text. Memory
/// is bounded for what is read here; pdfium and the office library may take more than they should on hostile files, so
/// that this belongs into a process with limits.
///
/// # Errors
/// `unsupported_file` for a format that is not read, naming it; `invalid_file` for a file that is empty, damaged,
/// encrypted, without text, or with more than [`MAX_TEXT_BYTES`] of it; `server_error` when a tool does not work.
pub fn parse(bytes: &[u8], filename: &str, tools: &Tools) -> Result<ParsedDocument, ParseError> {
    let mut reader = Reader {
        tools,
        nesting: 0,
        unpackable: MAX_UNPACKED_BYTES,
    };
    reader.read(bytes, filename)?.finish()
}

/// Reads a file, and the files in it.
struct Reader<'a> {
    tools: &'a Tools,
    /// How deep the current file lies in others.
    nesting: u8,
    /// Bytes that archives may still unpack to.
    unpackable: u64,
}

impl Reader<'_> {
    fn read(&mut self, bytes: &[u8], filename: &str) -> Result<Draft, ParseError> {
        match kind::detect(bytes, filename)? {
            Kind::Pdf => pdf::read(bytes, self.tools),
            Kind::Office(office) => office::read(bytes, office),
            Kind::Sheet(sheet) => sheet::read(bytes, sheet),
            Kind::Zip => archive::zip(self, bytes),
            Kind::Gzip => archive::gzip(self, bytes, filename),
            Kind::Email => email::read(self, bytes),
            text => read_text(text, bytes, filename),
        }
    }

    /// Reads a file that lies in the current one.
    fn inside(&mut self, bytes: &[u8], filename: &str) -> Result<Draft, ParseError> {
        if self.nesting >= MAX_NESTING {
            return Err(error::invalid(format!(
                "Files in files nested more than {MAX_NESTING} deep are not read."
            )));
        }
        self.nesting += 1;
        let read = self.read(bytes, filename);
        self.nesting -= 1;
        read
    }
}

fn read_text(kind: Kind, bytes: &[u8], filename: &str) -> Result<Draft, ParseError> {
    if bytes.len() > MAX_ENCODED_BYTES {
        return Err(error::too_much_text());
    }
    let text = charset::decode(bytes, matches!(kind, Kind::Html | Kind::Xml));
    match kind {
        Kind::Html => Draft::markdown("text/html", &html::to_markdown(&text)),
        Kind::Xml => xml::read(&text),
        Kind::Markdown => Draft::markdown("text/markdown", &text),
        _ => json::read(&text)
            .or_else(|| csv::read(&text, filename))
            .unwrap_or_else(|| Draft::plain("text/plain", &text)),
    }
}

/// A ZIP file for tests. Names that end in a slash are folders.
#[cfg(test)]
fn zip_of(entries: &[(&str, &str)]) -> Vec<u8> {
    use std::io::Write;
    let mut archive = zip::ZipWriter::new(std::io::Cursor::new(Vec::new()));
    for (name, content) in entries {
        let options = zip::write::SimpleFileOptions::default();
        if name.ends_with('/') {
            archive.add_directory(*name, options).unwrap();
        } else {
            archive.start_file(*name, options).unwrap();
            archive.write_all(content.as_bytes()).unwrap();
        }
    }
    archive.finish().unwrap().into_inner()
}
