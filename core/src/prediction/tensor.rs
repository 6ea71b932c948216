//! Tensors as they travel: a name, a type, a shape, and bytes in row-major order, little-endian.

use std::fmt;
use std::str::FromStr;

use bytes::{Bytes, BytesMut};
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

macro_rules! datatypes {
    ($($(#[doc = $doc:literal])+ $variant:ident = $name:literal, $width:expr;)+) => {
        /// What the elements of a tensor are, in the words of the Open Inference Protocol.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
        pub enum Datatype {
            $($(#[doc = $doc])+ #[serde(rename = $name)] $variant,)+
        }

        impl Datatype {
            /// Its name.
            pub const fn as_str(self) -> &'static str {
                match self { $(Self::$variant => $name,)+ }
            }

            /// Bytes of an element; `None` where elements differ in length.
            pub const fn width(self) -> Option<usize> {
                match self { $(Self::$variant => $width,)+ }
            }
        }

        impl FromStr for Datatype {
            type Err = Error;

            fn from_str(name: &str) -> Result<Self> {
                match name {
                    $($name => Ok(Self::$variant),)+
                    other => Err(Error::invalid(
                        "datatype",
                        format!("'{}' is none of {}.", clip(other), [$($name),+].join(", ")),
                    )),
                }
            }
        }
    };
}

datatypes! {
    /// True or false, a byte each.
    Bool = "BOOL", Some(1);
    /// A byte.
    Uint8 = "UINT8", Some(1);
    /// Without a sign, of 16 bits.
    Uint16 = "UINT16", Some(2);
    /// Without a sign, of 32 bits.
    Uint32 = "UINT32", Some(4);
    /// Without a sign, of 64 bits.
    Uint64 = "UINT64", Some(8);
    /// With a sign, of 8 bits.
    Int8 = "INT8", Some(1);
    /// With a sign, of 16 bits.
    Int16 = "INT16", Some(2);
    /// With a sign, of 32 bits.
    Int32 = "INT32", Some(4);
    /// With a sign, of 64 bits.
    Int64 = "INT64", Some(8);
    /// Half precision.
    Fp16 = "FP16", Some(2);
    /// Single precision.
    Fp32 = "FP32", Some(4);
    /// Double precision.
    Fp64 = "FP64", Some(8);
    /// Texts: each is its length in four bytes, and so many bytes.
    Bytes = "BYTES", None;
}

impl fmt::Display for Datatype {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// Enough of what a caller sent to be recognised.
pub(crate) fn clip(text: &str) -> String {
    text.chars().filter(|c| !c.is_control()).take(100).collect()
}

/// A tensor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tensor {
    /// Its name.
    pub name: String,
    /// What its elements are.
    pub datatype: Datatype,
    /// How long each dimension is.
    pub shape: Vec<usize>,
    /// The elements.
    pub data: Bytes,
}

/// How many elements a shape has; `None` if that is more than can be counted.
pub fn elements(shape: &[usize]) -> Option<usize> {
    shape
        .iter()
        .try_fold(1usize, |product, length| product.checked_mul(*length))
}

impl Tensor {
    /// A tensor, if its bytes are what its type and shape say.
    ///
    /// # Errors
    /// [`Error::Invalid`] otherwise.
    pub fn new(name: impl Into<String>, datatype: Datatype, shape: Vec<usize>, data: Bytes) -> Result<Self> {
        let name = name.into();
        let wrong = |what: String| Error::invalid(format!("inputs.{}", clip(&name)), what);
        let count = elements(&shape).ok_or_else(|| wrong("The shape has too many elements.".into()))?;
        match datatype.width() {
            Some(width) => {
                if count.checked_mul(width) != Some(data.len()) {
                    return Err(wrong(format!(
                        "{count} elements of {datatype} are {} bytes, but {} came.",
                        count.saturating_mul(width),
                        data.len()
                    )));
                }
            }
            None => {
                let found = texts(&data)
                    .try_fold(0usize, |found, text| text.map(|_| found + 1))
                    .ok_or_else(|| wrong("A text in it is cut off.".into()))?;
                if found != count {
                    return Err(wrong(format!(
                        "Its shape has {count} elements, but {found} texts came."
                    )));
                }
            }
        }
        Ok(Self {
            name,
            datatype,
            shape,
            data,
        })
    }

    /// A tensor of texts.
    pub fn of_texts<T: AsRef<str>>(name: impl Into<String>, shape: Vec<usize>, texts: &[T]) -> Self {
        let mut data = Vec::new();
        for text in texts {
            push_text(&mut data, text.as_ref());
        }
        Self {
            name: name.into(),
            datatype: Datatype::Bytes,
            shape,
            data: data.into(),
        }
    }

    /// The texts of a tensor of texts; what is not UTF-8 is replaced.
    pub fn texts(&self) -> Vec<String> {
        let whole = texts(&self.data).map_while(|text| text);
        whole
            .map(|text| String::from_utf8_lossy(text).into_owned())
            .collect()
    }

    /// How long the first dimension is.
    pub fn rows(&self) -> Option<usize> {
        self.shape.first().copied()
    }

    /// The tensor in parts along its first dimension, so many rows each. `None` if it does not have so many in all.
    pub fn split(&self, rows: &[usize]) -> Option<Vec<Self>> {
        let (first, rest) = self.shape.split_first()?;
        if rows.iter().sum::<usize>() != *first {
            return None;
        }
        let each = elements(rest)?;
        let mut at = 0;
        let parts = rows.iter().map(|rows| {
            let end = match self.datatype.width() {
                Some(width) => at + rows * each * width,
                None => at + length_of(&self.data[at..], rows * each)?,
            };
            let data = (end <= self.data.len()).then(|| self.data.slice(at..end))?;
            at = end;
            Some(Self {
                name: self.name.clone(),
                datatype: self.datatype,
                shape: [&[*rows], rest].concat(),
                data,
            })
        });
        parts.collect()
    }

    /// Tensors that differ in their first dimension only, one after the other. `None` if they differ in more, or there are none.
    pub fn concat<'a>(parts: impl Iterator<Item = &'a Self> + Clone) -> Option<Self> {
        let first = parts.clone().next()?;
        let mut rows = 0usize;
        let mut data = BytesMut::with_capacity(parts.clone().map(|part| part.data.len()).sum());
        for part in parts {
            if !part.stacks_with(first) {
                return None;
            }
            rows = rows.checked_add(part.rows()?)?;
            data.extend_from_slice(&part.data);
        }
        Some(Self {
            name: first.name.clone(),
            datatype: first.datatype,
            shape: [&[rows], &first.shape[1..]].concat(),
            data: data.freeze(),
        })
    }

    /// Whether it is of one name and kind with another but for the first dimension.
    pub fn stacks_with(&self, other: &Self) -> bool {
        !self.shape.is_empty()
            && self.name == other.name
            && self.datatype == other.datatype
            && self.shape.len() == other.shape.len()
            && self.shape[1..] == other.shape[1..]
    }
}

/// Adds a text as tensors hold it.
pub fn push_text(data: &mut Vec<u8>, text: &str) {
    // Bodies are far shorter than 4 GB.
    let length = u32::try_from(text.len()).unwrap_or(u32::MAX);
    data.extend_from_slice(&length.to_le_bytes());
    data.extend_from_slice(text.as_bytes());
}

/// The texts in the bytes of a tensor; `None` where one is cut off.
fn texts(mut data: &[u8]) -> impl Iterator<Item = Option<&[u8]>> {
    std::iter::from_fn(move || {
        if data.is_empty() {
            return None;
        }
        let taken = data
            .split_first_chunk::<4>()
            .and_then(|(length, rest)| rest.split_at_checked(u32::from_le_bytes(*length) as usize));
        data = taken.map_or(&[], |(_, rest)| rest);
        Some(taken.map(|(text, _)| text))
    })
}

/// How many bytes so many texts take.
fn length_of(data: &[u8], count: usize) -> Option<usize> {
    texts(data)
        .take(count)
        .try_fold((0, 0), |(found, bytes), text| {
            Some((found + 1, bytes + 4 + text?.len()))
        })
        .and_then(|(found, bytes)| (found == count).then_some(bytes))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn floats(shape: &[usize], values: &[f32]) -> Tensor {
        let data: Vec<u8> = values.iter().flat_map(|value| value.to_le_bytes()).collect();
        Tensor::new("x", Datatype::Fp32, shape.to_vec(), data.into()).unwrap()
    }

    #[test]
    fn bytes_must_be_what_type_and_shape_say() {
        let of = |datatype, shape: &[usize], bytes: &[u8]| {
            Tensor::new("x", datatype, shape.to_vec(), Bytes::copy_from_slice(bytes)).is_ok()
        };
        assert!(of(Datatype::Int16, &[2, 1], &[0; 4]));
        assert!(of(Datatype::Fp32, &[], &[0; 4]));
        assert!(of(Datatype::Fp32, &[0, 3], &[]));
        assert!(!of(Datatype::Int16, &[2, 1], &[0; 3]));
        assert!(!of(Datatype::Int8, &[usize::MAX, 2], &[0; 3]));
        assert!(of(Datatype::Bytes, &[2], &[1, 0, 0, 0, b'a', 0, 0, 0, 0]));
        assert!(!of(Datatype::Bytes, &[1], &[1, 0, 0, 0, b'a', 0, 0, 0, 0]));
        assert!(!of(Datatype::Bytes, &[1], &[2, 0, 0, 0, b'a']));
        assert!(!of(Datatype::Bytes, &[1], &[2, 0]));
    }

    #[test]
    fn what_is_put_together_comes_apart_again() {
        let (a, b) = (
            floats(&[1, 2], &[1.0, 2.0]),
            floats(&[2, 2], &[3.0, 4.0, 5.0, 6.0]),
        );
        let both = Tensor::concat([&a, &b].into_iter()).unwrap();
        assert_eq!(both.shape, [3, 2]);
        assert_eq!(both.split(&[1, 2]).unwrap(), [a.clone(), b]);
        assert_eq!(both.split(&[1, 1]), None);
        assert_eq!(Tensor::concat([&a, &floats(&[1, 1], &[1.0])].into_iter()), None);
        assert_eq!(floats(&[], &[1.0]).split(&[1]), None);

        let texts = |texts: &[&str]| Tensor::of_texts("t", vec![texts.len()], texts);
        let (a, b) = (texts(&["one"]), texts(&["", "ثلاثة"]));
        let both = Tensor::concat([&a, &b].into_iter()).unwrap();
        assert_eq!(both.texts(), ["one", "", "ثلاثة"]);
        assert_eq!(both.split(&[1, 2]).unwrap(), [a, b]);
    }
}
