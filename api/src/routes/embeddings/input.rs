//! The `input` of an embeddings call: a text, texts, tokens, or arrays of tokens.

use insula_core::Error;
use serde::de::{Deserializer, Error as _, SeqAccess, Visitor};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

/// Most items of one call.
pub(super) const MAX_ITEMS: usize = 2048;
/// No model reads a longer text; counted while parsing, so that a body of numbers stays small in memory.
const MAX_TOKENS: usize = 1 << 17;

/// What to embed. Token ids are those of `cl100k_base`, which is what clients use that do not know the model.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = EmbeddingInput)]
#[serde(untagged)]
pub enum Input {
    /// One text.
    Text(String),
    /// Several texts.
    Texts(Vec<String>),
    /// One text as token ids.
    Tokens(Vec<u32>),
    /// Several texts as token ids.
    TokenArrays(Vec<Vec<u32>>),
}

impl Input {
    /// How many texts there are.
    pub(super) fn len(&self) -> usize {
        match self {
            Self::Text(_) | Self::Tokens(_) => 1,
            Self::Texts(texts) => texts.len(),
            Self::TokenArrays(arrays) => arrays.len(),
        }
    }

    /// Refuses what has nothing to embed, or too much.
    pub fn check(&self) -> Result<(), Error> {
        let empty_item = match self {
            Self::Text(text) => return refuse_empty("input", text.is_empty()),
            Self::Tokens(tokens) => return refuse_empty("input", tokens.is_empty()),
            Self::Texts(texts) => texts.iter().position(String::is_empty),
            Self::TokenArrays(arrays) => arrays.iter().position(Vec::is_empty),
        };
        match empty_item {
            Some(index) => refuse_empty(&format!("input[{index}]"), true),
            None => Ok(()),
        }
    }
}

fn refuse_empty(param: &str, empty: bool) -> Result<(), Error> {
    if empty {
        return Err(Error::invalid(
            param,
            format!("Invalid value for '{param}': it must not be empty."),
        ));
    }
    Ok(())
}

/// One element of an array, before it is known what the array holds.
enum Item {
    Text(String),
    Token(u32),
    Tokens(Vec<u32>),
    Other,
}

const EXPECTED: &str = "a string, an array of strings, an array of token ids, or an array of such arrays";
const MIXED: &str = "expected all items to be strings, or all token ids, or all arrays of token ids";
const NOT_A_TOKEN: &str = "token ids are integers from 0 to 4294967295";

impl<'de> Deserialize<'de> for Input {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct InputVisitor;

        impl<'de> Visitor<'de> for InputVisitor {
            type Value = Input;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str(EXPECTED)
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Input, E> {
                Ok(Input::Text(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<Input, A::Error> {
                let mut input = match items.next_element()? {
                    None => return Err(A::Error::custom("it must not be empty")),
                    Some(Item::Text(text)) => Input::Texts(vec![text]),
                    Some(Item::Token(token)) => Input::Tokens(vec![token]),
                    Some(Item::Tokens(tokens)) => Input::TokenArrays(vec![tokens]),
                    Some(Item::Other) => return Err(A::Error::custom(format!("expected {EXPECTED}"))),
                };
                while let Some(item) = items.next_element()? {
                    let len = match (&mut input, item) {
                        (Input::Texts(texts), Item::Text(text)) => push(texts, text),
                        (Input::TokenArrays(arrays), Item::Tokens(tokens)) => push(arrays, tokens),
                        (Input::Tokens(tokens), Item::Token(token)) => {
                            if push(tokens, token) > MAX_TOKENS {
                                return Err(A::Error::custom("it has more tokens than any model reads"));
                            }
                            0
                        }
                        _ => return Err(A::Error::custom(MIXED)),
                    };
                    if len > MAX_ITEMS {
                        return Err(A::Error::custom(format!("it has more than {MAX_ITEMS} items")));
                    }
                }
                Ok(input)
            }
        }

        deserializer.deserialize_any(InputVisitor)
    }
}

fn push<T>(items: &mut Vec<T>, item: T) -> usize {
    items.push(item);
    items.len()
}

impl<'de> Deserialize<'de> for Item {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct ItemVisitor;

        impl<'de> Visitor<'de> for ItemVisitor {
            type Value = Item;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("a string, a token id, or an array of token ids")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<Item, E> {
                Ok(Item::Text(text.to_owned()))
            }

            fn visit_u64<E: serde::de::Error>(self, token: u64) -> Result<Item, E> {
                u32::try_from(token)
                    .map(Item::Token)
                    .map_err(|_| E::custom(NOT_A_TOKEN))
            }

            fn visit_i64<E: serde::de::Error>(self, _: i64) -> Result<Item, E> {
                Err(E::custom(NOT_A_TOKEN))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut tokens: A) -> Result<Item, A::Error> {
                let mut read = Vec::new();
                while let Some(token) = tokens.next_element()? {
                    if push(&mut read, token) > MAX_TOKENS {
                        return Err(A::Error::custom("it has more tokens than any model reads"));
                    }
                }
                Ok(Item::Tokens(read))
            }

            // What can be no item is reported by the array, which knows what it should be.
            fn visit_unit<E>(self) -> Result<Item, E> {
                Ok(Item::Other)
            }

            fn visit_bool<E>(self, _: bool) -> Result<Item, E> {
                Ok(Item::Other)
            }

            fn visit_f64<E>(self, _: f64) -> Result<Item, E> {
                Ok(Item::Other)
            }
        }

        deserializer.deserialize_any(ItemVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::{Value, json};

    #[derive(Debug, Deserialize)]
    struct Body {
        input: Input,
    }

    fn read(input: Value) -> Result<Input, Error> {
        let body: Body = crate::http::parse_json(json!({"input": input}).to_string().as_bytes())?;
        body.input.check()?;
        Ok(body.input)
    }

    #[test]
    fn all_four_forms_are_read() {
        assert_eq!(read(json!("a")).unwrap(), Input::Text("a".into()));
        assert_eq!(
            read(json!(["a", "b"])).unwrap(),
            Input::Texts(vec!["a".into(), "b".into()])
        );
        assert_eq!(read(json!([1, 2])).unwrap(), Input::Tokens(vec![1, 2]));
        assert_eq!(
            read(json!([[1], [2, 3]])).unwrap(),
            Input::TokenArrays(vec![vec![1], vec![2, 3]])
        );
    }

    #[test]
    fn everything_else_is_refused_at_its_place() {
        for (input, wanted) in [
            (json!(""), "input"),
            (json!([]), "input"),
            (json!(null), "input"),
            (json!(7), "input"),
            (json!({}), "input"),
            (json!(["a", 1]), "input"),
            (json!([1, "a"]), "input"),
            (json!([1, [2]]), "input"),
            (json!(["a", null]), "input"),
            (json!([null]), "input"),
            (json!([1.5]), "input"),
            (json!(["a", ""]), "input[1]"),
            (json!([[1], []]), "input[1]"),
            (json!([-1]), "input[0]"),
            (json!([4_294_967_296u64]), "input[0]"),
            (json!([[1, -1]]), "input[0][1]"),
            (json!([[1, "a"]]), "input[0][1]"),
            (json!(vec!["a"; MAX_ITEMS + 1]), "input"),
            (json!(vec![1; MAX_TOKENS + 1]), "input"),
        ] {
            match read(input.clone()) {
                Err(Error::Invalid {
                    param: Some(param), ..
                }) => assert_eq!(param, wanted, "{input}"),
                other => panic!("{input} gave {other:?}"),
            }
        }
        assert!(read(json!(vec!["a"; MAX_ITEMS])).is_ok());
    }
}
