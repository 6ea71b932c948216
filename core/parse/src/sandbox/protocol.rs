//! What parent and child say to each other, over the child's standard input and output.
//!
//! A message is a length (four bytes, little-endian) and so many bytes of JSON. Raw bytes follow two of them: a request's
//! file, and an answer's text. The parent begins with [`Start`], the child answers [`Started`]; from then on each
//! [`Request`] gets one [`Answer`]. Both are the same program, so there is one version and it must be equal.

use std::io::{self, Read, Write};

use insula_core::ingest::{ParseError, ParsedDocument};
use serde::de::DeserializeOwned;
use serde::{Deserialize, Serialize};
use tokio::io::{AsyncRead, AsyncReadExt};

use super::{Attempt, FileRules, Limits};
use crate::Tools;

/// Changes with every message.
pub(super) const VERSION: u32 = 1;

/// Largest message to the child, and largest first one from it, in bytes: a path or a file name.
pub(super) const MAX_SMALL: usize = 64 * 1024;
/// Largest answer without its text, in bytes: headings and pages.
pub(super) const MAX_ANSWER: usize = 32 * 1024 * 1024;

/// The first message to a child.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Start {
    pub(super) version: u32,
    pub(super) limits: Limits,
    pub(super) tools: Tools,
}

/// The first message from a child: it is confined.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Started {
    pub(super) version: u32,
    pub(super) files: FileRules,
}

/// What a child is asked for.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Request {
    /// To read a document, whose bytes follow.
    Document { filename: String, bytes: u64 },
    /// To try what it must not be able to do.
    Attempts,
}

/// What a child made of it.
#[derive(Debug, Serialize, Deserialize)]
pub(super) struct Answer {
    pub(super) content: Content,
    /// The child is no longer to be trusted with another document, and ends.
    pub(super) spent: bool,
}

/// The content of an answer.
#[derive(Debug, Serialize, Deserialize)]
pub(super) enum Content {
    /// A document whose text is empty; it follows.
    Document {
        document: ParsedDocument,
        text_bytes: u64,
    },
    /// Why it cannot be read.
    Error(ParseError),
    /// What came of each attempt.
    Attempts(Vec<Attempt>),
}

/// A message as it is sent.
pub(super) fn encode(message: &impl Serialize) -> io::Result<Vec<u8>> {
    let mut frame = vec![0; 4];
    serde_json::to_writer(&mut frame, message)?;
    let length = u32::try_from(frame.len() - 4).map_err(|_| io::Error::other("the message is too long"))?;
    frame[..4].copy_from_slice(&length.to_le_bytes());
    Ok(frame)
}

fn decode<T: DeserializeOwned>(bytes: &[u8]) -> io::Result<T> {
    serde_json::from_slice(bytes).map_err(|_| io::Error::new(io::ErrorKind::InvalidData, "not a message"))
}

fn checked(length: [u8; 4], max: usize) -> io::Result<usize> {
    let length = u32::from_le_bytes(length) as usize;
    if length > max {
        return Err(io::Error::new(io::ErrorKind::InvalidData, "a message too long"));
    }
    Ok(length)
}

/// The child's reading. `None` when the parent has closed.
pub(super) fn read<T: DeserializeOwned>(from: &mut impl Read, max: usize) -> io::Result<Option<T>> {
    let mut length = [0; 4];
    match from.read_exact(&mut length) {
        Err(error) if error.kind() == io::ErrorKind::UnexpectedEof => return Ok(None),
        read => read?,
    }
    let mut bytes = vec![0; checked(length, max)?];
    from.read_exact(&mut bytes)?;
    decode(&bytes).map(Some)
}

/// The child's writing.
pub(super) fn write(to: &mut impl Write, message: &impl Serialize, raw: &[u8]) -> io::Result<()> {
    to.write_all(&encode(message)?)?;
    to.write_all(raw)?;
    to.flush()
}

/// The parent's reading.
pub(super) async fn receive<T: DeserializeOwned>(
    from: &mut (impl AsyncRead + Unpin),
    max: usize,
) -> io::Result<T> {
    let mut length = [0; 4];
    from.read_exact(&mut length).await?;
    decode(&receive_raw(from, checked(length, max)?).await?)
}

/// Bytes that follow a message. Memory grows with what really comes.
pub(super) async fn receive_raw(from: &mut (impl AsyncRead + Unpin), length: usize) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(length as u64).read_to_end(&mut bytes).await?;
    if bytes.len() < length {
        return Err(io::ErrorKind::UnexpectedEof.into());
    }
    Ok(bytes)
}
