//! Values to lines.

use insula_core::ingest::ParseError;

use super::Frame;
use crate::draft::Draft;

/// Steps of a path that are written; the outer ones of a deep path are left out.
const PATH_STEPS: usize = 6;
/// Longest name in a path, in characters.
const LONGEST_STEP: usize = 80;
/// Values of an array stand on one line up to this length, in bytes.
const LONGEST_LIST: usize = 400;
/// Longer strings without a space, in ASCII, are data: encoded images, keys, scripts.
const LONGEST_WORD: usize = 1_000;
/// Records that lie deeper are parts of others.
const RECORD_DEPTH: usize = 3;

pub(super) struct Writer {
    draft: Draft,
    /// The path of the line that is open, and its length so far. Only values of one array share a line.
    open: Option<(String, usize)>,
}

impl Writer {
    pub(super) fn new() -> Self {
        Self {
            draft: Draft::new("application/json"),
            open: None,
        }
    }

    pub(super) fn text(&mut self, frames: &[Frame], text: &str) -> Result<(), ParseError> {
        let is_data = text.len() > LONGEST_WORD && text.bytes().all(|byte| byte.is_ascii_graphic());
        if is_data { Ok(()) } else { self.value(frames, text) }
    }

    pub(super) fn value(&mut self, frames: &[Frame], value: &str) -> Result<(), ParseError> {
        let value = value.trim();
        if value.is_empty() || value == "null" {
            return Ok(());
        }
        let in_array = matches!(frames.last(), Some(Frame::Array { .. }));
        let path = path(if in_array {
            &frames[..frames.len() - 1]
        } else {
            frames
        });
        let is_short = value.len() < LONGEST_LIST / 2 && !value.contains('\n');
        if let Some((open, length)) = &mut self.open
            && in_array
            && *open == path
            && is_short
            && *length + value.len() < LONGEST_LIST
        {
            *length += value.len() + 2;
            return self.draft.push(&format!(", {value}"));
        }
        let separator = if path.is_empty() { "" } else { ": " };
        self.draft.line(&format!("{path}{separator}{value}"))?;
        self.open = (in_array && is_short).then_some((path, value.len()));
        Ok(())
    }

    /// An array or object has ended in `frames`. Records are paragraphs.
    pub(super) fn end(&mut self, frames: &[Frame]) -> Result<(), ParseError> {
        self.open = None;
        let is_record = frames.len() <= RECORD_DEPTH && !matches!(frames.last(), Some(Frame::Object { .. }));
        if is_record {
            self.draft.gap(2);
        }
        Ok(())
    }

    pub(super) fn finish(self) -> Draft {
        self.draft
    }
}

/// `data.rows[3].name`. The place in an outermost array says nothing.
fn path(frames: &[Frame]) -> String {
    let mut path = String::new();
    let from = frames.len().saturating_sub(PATH_STEPS);
    for (n, frame) in frames.iter().enumerate().skip(from) {
        match frame {
            Frame::Array { .. } if n == 0 => {}
            Frame::Array { index } => path.push_str(&format!("[{index}]")),
            Frame::Object { key } => {
                if !path.is_empty() {
                    path.push('.');
                }
                path.extend(key.chars().take(LONGEST_STEP));
            }
        }
    }
    path
}
