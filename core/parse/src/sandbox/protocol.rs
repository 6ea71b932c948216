//! What parent and child say to each other, over the child's standard input and output.
//!
//! Messages are those of [`insula_confine::frame`]. Raw bytes follow two of them: a request's file, and an answer's text. The parent begins with [`Start`], the child answers [`Started`]; from then on each
//! [`Request`] gets one [`Answer`]. Both are the same program, so there is one version and it must be equal.

use insula_core::ingest::{ParseError, ParsedDocument};
use serde::{Deserialize, Serialize};

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
