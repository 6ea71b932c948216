//! Counting tokens of models that run elsewhere.
//!
//! Counts are needed where a provider reports no usage, near the end of a budget, and for texts that are to be
//! embedded. They are exact for OpenAI's models and for servers whose `tokenizer.json` is given, and near for
//! others.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use insula_core::model::TokenCounter;
use tiktoken_rs::CoreBPE;
use tiktoken_rs::tokenizer::{Tokenizer as Known, get_tokenizer};

use crate::pieces::Pieces;

/// Which tokenizer counts.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Tokenizer {
    /// OpenAI's since GPT-4o.
    O200k,
    /// OpenAI's of GPT-4, GPT-3.5 and the embedding models.
    Cl100k,
    /// A `tokenizer.json`, as Hugging Face keeps them beside models.
    File(PathBuf),
}

/// A tokenizer's file cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the tokenizer {} cannot be read: {message}", path.display())]
pub struct TokenizerError {
    path: PathBuf,
    message: String,
}

impl Tokenizer {
    /// Reads a configured name: `o200k_base`, `cl100k_base` or the path of a `.json` file.
    pub fn named(name: &str) -> Option<Self> {
        match name {
            "o200k_base" => Some(Self::O200k),
            "cl100k_base" => Some(Self::Cl100k),
            path if path.ends_with(".json") => Some(Self::File(path.into())),
            _ => None,
        }
    }

    /// Makes the counter. A file is read now, so that a wrong one is found at start; a vocabulary that is part of
    /// the binary is unpacked by the first count, which takes some tenths of a second and tens of megabytes.
    ///
    /// Counting is work for a processor: large texts belong on a blocking thread.
    pub fn counter(&self) -> Result<Arc<dyn TokenCounter>, TokenizerError> {
        Ok(match self {
            Self::O200k => Arc::new(O200K),
            Self::Cl100k => Arc::new(CL100K),
            Self::File(path) => Arc::new(FromFile::read(path)?),
        })
    }
}

/// Counts for a model by its name; with `o200k_base` for names that nobody knows.
///
/// A name may carry its maker, as in `openai/gpt-4o`. The first count takes time, as in [`Tokenizer::counter`].
pub fn of_model(model: &str) -> Arc<dyn TokenCounter> {
    Arc::new(if is_cl100k(model) { CL100K } else { O200K })
}

fn is_cl100k(model: &str) -> bool {
    let name = model.rsplit('/').next().unwrap_or(model);
    get_tokenizer(name) == Some(Known::Cl100kBase)
}

/// A vocabulary that is part of the binary.
struct Builtin(fn() -> &'static CoreBPE);

const O200K: Builtin = Builtin(tiktoken_rs::o200k_base_singleton);
const CL100K: Builtin = Builtin(tiktoken_rs::cl100k_base_singleton);

impl TokenCounter for Builtin {
    fn count(&self, text: &str) -> usize {
        let vocabulary = (self.0)();
        // In pieces, because the expression that splits words gives up on very long runs of one kind.
        Pieces(text).map(|piece| vocabulary.count_ordinary(piece)).sum()
    }
}

struct FromFile(tokenizers::Tokenizer);

impl FromFile {
    fn read(path: &Path) -> Result<Self, TokenizerError> {
        let wrong = |error: tokenizers::Error| TokenizerError {
            path: path.to_owned(),
            message: error.to_string(),
        };
        let mut tokenizer = tokenizers::Tokenizer::from_file(path).map_err(wrong)?;
        tokenizer.with_truncation(None).map_err(wrong)?.with_padding(None);
        Ok(Self(tokenizer))
    }
}

impl TokenCounter for FromFile {
    fn count(&self, text: &str) -> usize {
        // No text makes these tokenizers fail; were there one, a bound above keeps callers on the safe side.
        let count = |piece: &str| {
            self.0
                .encode_fast(piece, false)
                .map_or(piece.len(), |encoding| encoding.len())
        };
        Pieces(text).map(count).sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_choose_the_tokenizer() {
        assert_eq!(Tokenizer::named("o200k_base"), Some(Tokenizer::O200k));
        assert_eq!(
            Tokenizer::named("models/tokenizer.json"),
            Some(Tokenizer::File("models/tokenizer.json".into()))
        );
        assert_eq!(Tokenizer::named("gpt2"), None);
        for (model, expected) in [
            ("gpt-4o-mini", false),
            ("gpt-5-mini", false),
            ("openai/gpt-4-turbo", true),
            ("text-embedding-3-small", true),
            ("qwen3:4b", false),
        ] {
            assert_eq!(is_cl100k(model), expected, "{model}");
        }
    }

    #[test]
    fn counts_are_those_of_tiktoken() {
        for (tokenizer, expected) in [(Tokenizer::Cl100k, 6), (Tokenizer::O200k, 6)] {
            let counter = tokenizer.counter().expect("built in");
            assert_eq!(counter.count("tiktoken is great!"), expected);
            assert_eq!(counter.count(""), 0);
        }
    }

    #[test]
    fn monstrous_texts_are_counted_in_bounded_time() {
        let counter = Tokenizer::O200k.counter().expect("built in");
        for unit in ["a", " ", "\n", " \n", "ا", "🦀", "1", "-", "word "] {
            let text = unit.repeat(300_000 / unit.len());
            let count = counter.count(&text);
            assert!((1..=text.len()).contains(&count), "{unit:?}: {count}");
        }
    }

    #[test]
    fn a_file_that_is_no_tokenizer_is_named() {
        let Err(error) = Tokenizer::File("/nowhere/tokenizer.json".into()).counter() else {
            panic!("a counter")
        };
        assert!(error.to_string().contains("/nowhere/tokenizer.json"), "{error}");
    }
}
