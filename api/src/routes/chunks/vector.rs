//! A vector in a request, in either of the two ways in which the embeddings endpoint writes them.

use base64::Engine;
use base64::prelude::BASE64_STANDARD;
use insula_core::Error;
use serde::Deserialize;
use serde::de::{Deserializer, SeqAccess, Visitor};

/// Numbers, or base64 of packed little-endian 32-bit floats.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum VectorParam {
    Numbers(Vec<f32>),
    Packed(String),
}

impl VectorParam {
    /// The numbers. The domain checks how many there are, and whether they are.
    pub(super) fn read(self) -> Result<Vec<f32>, Error> {
        let packed = match self {
            Self::Numbers(numbers) => return Ok(numbers),
            Self::Packed(packed) => packed,
        };
        let bytes = BASE64_STANDARD.decode(packed).ok();
        let bytes = bytes.filter(|bytes| bytes.len() % 4 == 0).ok_or_else(|| {
            let message = "Not the base64 of packed little-endian 32-bit floats.";
            Error::invalid("embedding", message)
        })?;
        let (numbers, _) = bytes.as_chunks();
        Ok(numbers.iter().map(|bytes| f32::from_le_bytes(*bytes)).collect())
    }
}

// By hand, because an untagged enum loses the path and the reason of what is wrong inside it.
impl<'de> Deserialize<'de> for VectorParam {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct VectorVisitor;

        impl<'de> Visitor<'de> for VectorVisitor {
            type Value = VectorParam;

            fn expecting(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
                f.write_str("an array of numbers or a string")
            }

            fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<VectorParam, E> {
                Ok(VectorParam::Packed(text.to_owned()))
            }

            fn visit_seq<A: SeqAccess<'de>>(self, mut items: A) -> Result<VectorParam, A::Error> {
                let mut numbers = Vec::new();
                // One that is too large for 32 bits becomes infinite, which the domain refuses with its place.
                while let Some(number) = items.next_element::<f64>()? {
                    numbers.push(number as f32);
                }
                Ok(VectorParam::Numbers(numbers))
            }
        }

        deserializer.deserialize_any(VectorVisitor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(json: &str) -> Result<Vec<f32>, Error> {
        serde_json::from_str::<VectorParam>(json).unwrap().read()
    }

    #[test]
    fn both_forms_are_read() {
        assert_eq!(read("[1, -2.5]").unwrap(), [1.0, -2.5]);
        assert_eq!(read(r#""AACAPwAAIMA=""#).unwrap(), [1.0, -2.5]);
    }

    #[test]
    fn what_is_not_packed_floats_is_refused() {
        for bad in [r#""AACAPwA=""#, r#""not base64""#] {
            let error = read(bad).unwrap_err();
            assert!(
                matches!(error, Error::Invalid { param: Some(param), .. } if param == "embedding"),
                "{bad}"
            );
        }
        let error = serde_json::from_str::<VectorParam>(r#"[1, "x"]"#).unwrap_err();
        assert!(error.to_string().contains("expected f64"), "{error}");
    }
}
