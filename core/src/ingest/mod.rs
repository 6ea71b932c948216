//! Turning files into searchable chunks.
mod parsed;
pub use parsed::{Heading, PageStart, ParseError, ParseErrorCode, ParsedDocument, Parser};
