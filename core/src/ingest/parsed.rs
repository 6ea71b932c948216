//! What a parser hands to chunking.

use std::io;

use async_trait::async_trait;
use bytes::Bytes;
use serde::{Deserialize, Serialize};
use tokio::io::AsyncRead;

/// The text of a document, with the structure that chunking and citations need.
///
/// `text` is what is stored, shown and cited: UTF-8 without NUL and other C0 control characters (newline and
/// tab stay), in Unicode NFC. All positions are **byte** offsets into `text` on character boundaries.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct ParsedDocument {
    /// The whole text.
    pub text: String,
    /// Headings in document order.
    pub headings: Vec<Heading>,
    /// Where each page starts, ascending; empty for formats without pages.
    pub pages: Vec<PageStart>,
    /// Whether `text` is Markdown, so that chunking may use its structure.
    pub markdown: bool,
    /// Detected media type, for example `text/html`.
    pub media_type: String,
}

/// A heading inside [`ParsedDocument::text`].
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Heading {
    /// Byte offset where the heading's line starts.
    pub offset: usize,
    /// 1 (outermost) to 6.
    pub level: u8,
    /// The title without markup.
    pub title: String,
}

/// The start of a page inside [`ParsedDocument::text`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct PageStart {
    /// Byte offset.
    pub offset: usize,
    /// Page number from 1.
    pub page: i32,
}

/// Why a document cannot be read; becomes a vector store file's `last_error`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize, thiserror::Error)]
#[error("{message}")]
pub struct ParseError {
    /// `unsupported_file`, `invalid_file` or `server_error`.
    pub code: ParseErrorCode,
    /// For the tenant's developer.
    pub message: String,
}

/// OpenAI's codes of a failed vector store file.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ParseErrorCode {
    /// We do not read this kind of file.
    UnsupportedFile,
    /// The file is damaged, empty, encrypted, or not what it says it is.
    InvalidFile,
    /// We failed; trying again may help.
    ServerError,
}

impl ParseErrorCode {
    /// The wire form.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::UnsupportedFile => "unsupported_file",
            Self::InvalidFile => "invalid_file",
            Self::ServerError => "server_error",
        }
    }
}

/// Where the bytes of a document come from.
///
/// They are streamed, so that no file is ever held whole in the server's memory; and may be asked for again, so that a
/// document whose reader died is given to another one.
#[async_trait]
pub trait DocumentSource: Send + Sync {
    /// All bytes from the first on, and how many there are.
    async fn open(&self) -> io::Result<(Box<dyn AsyncRead + Send + Unpin>, u64)>;
}

/// Bytes at hand.
#[async_trait]
impl DocumentSource for Bytes {
    async fn open(&self) -> io::Result<(Box<dyn AsyncRead + Send + Unpin>, u64)> {
        Ok((Box::new(io::Cursor::new(self.clone())), self.len() as u64))
    }
}

/// Reads documents. Implemented by `insula-parse`.
#[async_trait]
pub trait Parser: Send + Sync + 'static {
    /// Turns a file into text. The kind is decided by content; `filename` only breaks ties (Markdown against plain
    /// text). Dropping the future abandons the document and frees what worked on it.
    ///
    /// # Errors
    /// [`ParseErrorCode::ServerError`] when it is not the document's fault; any other code is final.
    async fn parse(&self, source: &dyn DocumentSource, filename: &str) -> Result<ParsedDocument, ParseError>;
}
