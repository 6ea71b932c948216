//! Token ids of OpenAI's `cl100k_base` back to text.
//!
//! Clients such as LangChain send embeddings input as arrays of these ids, whatever the model.

use std::sync::OnceLock;

use insula_core::{Error, Result};

/// One past the highest id, `<|endofprompt|>`.
const IDS: u32 = 100_277;

/// The bytes of every id, one after the other: about a megabyte, where the tokenizer itself takes tens.
struct Table {
    bytes: Vec<u8>,
    /// Where each id's bytes end. Ids without bytes do not exist.
    ends: Vec<u32>,
}

impl Table {
    /// Reads the vocabulary out of the tokenizer, which is embedded in the binary.
    fn build() -> Result<Self> {
        let tokenizer = tiktoken_rs::cl100k_base().map_err(|error| Error::internal(error.to_string()))?;
        let mut table = Self {
            bytes: Vec::new(),
            ends: Vec::with_capacity(IDS as usize),
        };
        for id in 0..IDS {
            if let Ok(bytes) = tokenizer.decode_bytes(&[id]) {
                table.bytes.extend_from_slice(&bytes);
            }
            table
                .ends
                .push(u32::try_from(table.bytes.len()).map_err(Error::internal)?);
        }
        Ok(table)
    }

    fn get(&self, id: u32) -> Option<&[u8]> {
        let id = id as usize;
        let end = *self.ends.get(id)?;
        let start = if id == 0 { 0 } else { self.ends[id - 1] };
        self.bytes
            .get(start as usize..end as usize)
            .filter(|bytes| !bytes.is_empty())
    }
}

fn table() -> Result<&'static Table> {
    static TABLE: OnceLock<Table> = OnceLock::new();
    if let Some(table) = TABLE.get() {
        return Ok(table);
    }
    // Two first callers may both build; one result is kept.
    let table = Table::build()?;
    Ok(TABLE.get_or_init(|| table))
}

/// The text of `tokens`. An id that does not exist is an [`Error::Invalid`] about `input`.
///
/// Bytes that are not UTF-8, as when an array begins inside a character, become U+FFFD. The first call in a
/// process builds the table, which takes some tenths of a second; see [`decode_all`] for async callers.
pub fn decode(tokens: &[u32]) -> Result<String> {
    decode_named(tokens, "input")
}

/// The texts of several arrays, built off the async threads. The error names the array: `input[2]`, or `input`
/// when there is only one.
pub async fn decode_all(arrays: Vec<Vec<u32>>) -> Result<Vec<String>> {
    let decoded = tokio::task::spawn_blocking(move || {
        let one = arrays.len() == 1;
        let name = |n: usize| {
            if one {
                "input".to_owned()
            } else {
                format!("input[{n}]")
            }
        };
        arrays
            .iter()
            .enumerate()
            .map(|(n, tokens)| decode_named(tokens, &name(n)))
            .collect()
    });
    decoded.await.map_err(Error::internal)?
}

fn decode_named(tokens: &[u32], param: &str) -> Result<String> {
    let table = table()?;
    let mut bytes = Vec::with_capacity(tokens.len() * 5);
    for &id in tokens {
        let token = table.get(id).ok_or_else(|| {
            Error::invalid(
                param,
                format!("{id} is not a token of cl100k_base, as which token arrays are read."),
            )
        })?;
        bytes.extend_from_slice(token);
    }
    Ok(match String::from_utf8(bytes) {
        Ok(text) => text,
        Err(error) => String::from_utf8_lossy(error.as_bytes()).into_owned(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn decodes_what_tiktoken_encodes() {
        let tokenizer = tiktoken_rs::cl100k_base().expect("embedded");
        for text in ["hello world", "", "naïve café 日本語 🦀", "fn main() {\n\t}\n"] {
            assert_eq!(decode(&tokenizer.encode_ordinary(text)).expect("valid ids"), text);
        }
        assert_eq!(decode(&[15339, 1917]).expect("valid ids"), "hello world");
        assert_eq!(decode(&[100_257]).expect("a special token"), "<|endoftext|>");
    }

    #[test]
    fn half_a_character_becomes_a_replacement() {
        let tokenizer = tiktoken_rs::cl100k_base().expect("embedded");
        let tokens = tokenizer.encode_ordinary("𓀀");
        assert!(tokens.len() > 1, "the character has several tokens");
        assert_eq!(decode(&tokens[..1]).expect("valid ids"), "\u{fffd}");
    }

    #[test]
    fn unknown_ids_are_the_callers_mistake() {
        for id in [100_256, 100_261, IDS, u32::MAX] {
            let Err(Error::Invalid { param, .. }) = decode(&[1, id]) else {
                panic!("{id} was accepted")
            };
            assert_eq!(param.as_deref(), Some("input"));
        }
    }

    #[tokio::test]
    async fn the_error_names_the_array() {
        assert_eq!(
            decode_all(vec![vec![15339], vec![]]).await.expect("valid ids"),
            ["hello", ""]
        );
        let Err(Error::Invalid { param, .. }) = decode_all(vec![vec![1], vec![IDS]]).await else {
            panic!()
        };
        assert_eq!(param.as_deref(), Some("input[1]"));
    }
}
