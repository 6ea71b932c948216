//! Counting tokens with the model's own tokenizer.

use insula_core::model::{EmbedPurpose, TokenCounter};
use insula_core::{Error, Result};
use std::sync::Arc;
use tokenizers::Tokenizer;
use tokio::sync::Semaphore;

use crate::pieces::Pieces;

/// Bytes tokenized per visit to the blocking pool, so that a cancelled request stops soon and large requests
/// take turns.
const VISIT_BYTES: usize = 256 * 1024;

/// The length of a text.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Length {
    tokens: usize,
    /// Whether counting stopped early because the text was too long anyway.
    at_least: bool,
}

/// A tokenizer that neither cuts nor pads.
pub(super) struct Counter {
    tokenizer: Tokenizer,
    /// Tokens that the model adds to every text.
    special: usize,
    max_tokens: usize,
}

impl Counter {
    /// `tokenizer` may have truncation and padding set; they are removed.
    pub(super) fn new(mut tokenizer: Tokenizer, max_tokens: usize) -> Result<Self, tokenizers::Error> {
        tokenizer.with_truncation(None)?.with_padding(None);
        let special = tokenizer.encode_fast("", true)?.len();
        Ok(Self {
            tokenizer,
            special,
            max_tokens,
        })
    }

    /// Token ids with special tokens.
    pub(super) fn ids(&self, text: &str) -> Result<Vec<u32>, tokenizers::Error> {
        Ok(self.tokenizer.encode_fast(text, true)?.get_ids().to_vec())
    }

    fn count_piece(&self, text: &str) -> usize {
        // No text makes these tokenizers fail; were there one, a bound above keeps callers on the safe side.
        self.tokenizer
            .encode_fast(text, false)
            .map_or(text.len(), |encoding| encoding.len())
    }

    fn length(&self, text: &str) -> Length {
        let mut tokens = self.special;
        let mut pieces = Pieces(text).peekable();
        while let Some(piece) = pieces.next() {
            tokens += self.count_piece(piece);
            if tokens > self.max_tokens && pieces.peek().is_some() {
                return Length {
                    tokens,
                    at_least: true,
                };
            }
        }
        Length {
            tokens,
            at_least: false,
        }
    }
}

impl TokenCounter for Counter {
    fn count(&self, text: &str) -> usize {
        Pieces(text).map(|piece| self.count_piece(piece)).sum()
    }
}

/// Tokenizes on the blocking pool, with as many threads per purpose as it is given and no more.
pub(super) struct Tokenizing {
    counter: Arc<Counter>,
    interactive: Arc<Semaphore>,
    bulk: Arc<Semaphore>,
}

impl Tokenizing {
    pub(super) fn new(counter: Arc<Counter>, interactive: usize, bulk: usize) -> Self {
        let permits = |n: usize| Arc::new(Semaphore::new(n.max(1)));
        Self {
            counter,
            interactive: permits(interactive),
            bulk: permits(bulk),
        }
    }

    /// The token ids of each text, special tokens included; the first text that is too long is an error.
    pub(super) async fn ids(&self, mut texts: Vec<String>, purpose: EmbedPurpose) -> Result<Vec<Vec<u32>>> {
        let gate = match purpose {
            EmbedPurpose::Interactive => &self.interactive,
            EmbedPurpose::Bulk => &self.bulk,
        };
        let mut ids = Vec::with_capacity(texts.len());
        while ids.len() < texts.len() {
            let permit = Arc::clone(gate).acquire_owned().await.map_err(Error::internal)?;
            let counter = Arc::clone(&self.counter);
            let visit = tokio::task::spawn_blocking(move || {
                let _permit = permit;
                counter.visit(&texts, &mut ids).map(|()| (texts, ids))
            });
            (texts, ids) = visit.await.map_err(Error::internal)??;
        }
        Ok(ids)
    }
}

impl Counter {
    /// Appends the ids of the next texts, about [`VISIT_BYTES`] of them.
    fn visit(&self, texts: &[String], ids: &mut Vec<Vec<u32>>) -> Result<()> {
        let mut bytes = 0;
        for index in ids.len()..texts.len() {
            let text = &texts[index];
            // Of a large text only so much is looked at as shows that it is too long.
            if Pieces(text).nth(1).is_some() {
                let length = self.length(text);
                if length.tokens > self.max_tokens {
                    return Err(self.too_long(index, texts.len(), length));
                }
            }
            let found = self.ids(text).map_err(Error::internal)?;
            if found.len() > self.max_tokens {
                let length = Length {
                    tokens: found.len(),
                    at_least: false,
                };
                return Err(self.too_long(index, texts.len(), length));
            }
            ids.push(found);
            bytes += text.len();
            if bytes >= VISIT_BYTES {
                break;
            }
        }
        Ok(())
    }

    fn too_long(&self, index: usize, texts: usize, length: Length) -> Error {
        let Length { tokens, at_least } = length;
        let about = if at_least { "more than " } else { "" };
        let max = self.max_tokens;
        Error::Invalid {
            message: format!(
                "This model's maximum context length is {max} tokens, but the input has {about}{tokens} tokens. \
                 Please shorten or split it."
            ),
            param: Some(if texts == 1 {
                "input".into()
            } else {
                format!("input[{index}]")
            }),
            code: Some("context_length_exceeded"),
        }
    }
}

#[cfg(test)]
#[path = "tokens_tests.rs"]
mod tests;
