//! A look through a model's file without loading it: ONNX's protocol buffers, field by field, from a reader that may be gigabytes
//! long. What would read other files, or take memory that its bytes do not account for, is refused here.

use std::io::{self, Read, Seek, SeekFrom};

/// How deep graphs may lie in graphs.
const MAX_DEPTH: u32 = 24;
/// Most fields that are looked at.
const MAX_FIELDS: u64 = 20_000_000;
/// Most dimensions of a tensor.
const MAX_RANK: usize = 64;
/// Longest text that is read.
const MAX_TEXT: u64 = 4096;

/// Why a file is not offered.
#[derive(Debug)]
pub enum Refusal {
    /// What is wrong with it.
    Invalid(String),
    /// It could not be read.
    Io(io::Error),
}

impl From<io::Error> for Refusal {
    fn from(error: io::Error) -> Self {
        match error.kind() {
            io::ErrorKind::UnexpectedEof => Self::Invalid("The file is cut off.".into()),
            _ => Self::Io(error),
        }
    }
}

fn refuse<T>(what: impl Into<String>) -> Result<T, Refusal> {
    Err(Refusal::Invalid(what.into()))
}

/// Looks through the file.
///
/// # Errors
/// [`Refusal::Invalid`] for what is no ONNX model, refers to other files, or has a tensor that is not as large as it says.
pub fn check(file: &mut (impl Read + Seek)) -> Result<(), Refusal> {
    let length = file.seek(SeekFrom::End(0))?;
    file.seek(SeekFrom::Start(0))?;
    let mut walk = Walk {
        file: io::BufReader::with_capacity(64 * 1024, file),
        at: 0,
        fields: 0,
    };
    let mut graphs = 0;
    walk.message(length, |walk, field| match field {
        // `graph`
        (7, Value::Bytes(length)) => {
            graphs += 1;
            walk.graph(length, 0)
        }
        // `functions`: their nodes may hold tensors too.
        (25, Value::Bytes(length)) => walk.message(length, |walk, field| match field {
            (7, Value::Bytes(length)) => walk.node(length, 0),
            (_, value) => walk.skip(value),
        }),
        (_, value) => walk.skip(value),
    })?;
    match graphs {
        1 => Ok(()),
        _ => refuse("The file is not an ONNX model: it has no graph."),
    }
}

/// The value of a field.
#[derive(Clone, Copy)]
enum Value {
    Number(u64),
    /// So many bytes follow.
    Bytes(u64),
    /// So many bytes follow, of a number.
    Fixed(u64),
}

type Field = (u64, Value);

struct Walk<R> {
    file: R,
    at: u64,
    fields: u64,
}

impl<R: Read + Seek> Walk<io::BufReader<R>> {
    /// Reads the fields of a message of so many bytes. `each` must take the bytes of its field.
    fn message(
        &mut self,
        length: u64,
        mut each: impl FnMut(&mut Self, Field) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let end = self.at.checked_add(length);
        let Some(end) = end else {
            return refuse("The file is damaged.");
        };
        while self.at < end {
            self.fields += 1;
            if self.fields > MAX_FIELDS {
                return refuse("The file has more parts than are looked at.");
            }
            let tag = self.varint()?;
            let value = match tag & 7 {
                0 => Value::Number(self.varint()?),
                1 => Value::Fixed(8),
                2 => Value::Bytes(self.varint()?),
                5 => Value::Fixed(4),
                _ => return refuse("The file is not an ONNX model, or is damaged."),
            };
            let bytes = match value {
                Value::Number(_) => 0,
                Value::Bytes(bytes) | Value::Fixed(bytes) => bytes,
            };
            let after = self.at.checked_add(bytes).filter(|after| *after <= end);
            let Some(after) = after else {
                return refuse("The file is not an ONNX model, or is damaged.");
            };
            each(self, (tag >> 3, value))?;
            if self.at != after {
                return refuse("The file is damaged.");
            }
        }
        if self.at == end {
            Ok(())
        } else {
            refuse("The file is damaged.")
        }
    }

    /// `GraphProto`
    fn graph(&mut self, length: u64, depth: u32) -> Result<(), Refusal> {
        if depth > MAX_DEPTH {
            return refuse("Graphs lie too deeply in graphs.");
        }
        self.message(length, |walk, field| match field {
            (1, Value::Bytes(length)) => walk.node(length, depth),
            (5, Value::Bytes(length)) => walk.tensor(length),
            (15, Value::Bytes(length)) => walk.sparse(length),
            (_, value) => walk.skip(value),
        })
    }

    /// `NodeProto`, for the tensors and graphs in its attributes.
    fn node(&mut self, length: u64, depth: u32) -> Result<(), Refusal> {
        self.message(length, |walk, field| match field {
            (5, Value::Bytes(length)) => walk.message(length, |walk, field| match field {
                (5 | 10, Value::Bytes(length)) => walk.tensor(length),
                (6 | 11, Value::Bytes(length)) => walk.graph(length, depth + 1),
                (22 | 23, Value::Bytes(length)) => walk.sparse(length),
                (_, value) => walk.skip(value),
            }),
            (_, value) => walk.skip(value),
        })
    }

    /// `SparseTensorProto`: its dense form may be of any size, but is made only when it is used.
    fn sparse(&mut self, length: u64) -> Result<(), Refusal> {
        self.message(length, |walk, field| match field {
            (1 | 2, Value::Bytes(length)) => walk.tensor(length),
            (_, value) => walk.skip(value),
        })
    }

    /// `TensorProto`: it must hold as many elements as its dimensions say, and hold them itself.
    fn tensor(&mut self, length: u64) -> Result<(), Refusal> {
        let mut tensor = Tensor::default();
        self.message(length, |walk, field| {
            match field {
                (1, Value::Number(dimension)) => tensor.dimension(dimension),
                (1, Value::Bytes(length)) => walk.packed(length, |dimension| tensor.dimension(dimension)),
                (2, Value::Number(kind)) => {
                    tensor.kind = kind;
                    Ok(())
                }
                // `float_data`, `double_data`
                (4, value) => tensor.fixed(walk, value, 4),
                (10, value) => tensor.fixed(walk, value, 8),
                // `int32_data`, `int64_data`, `uint64_data`
                (5 | 7 | 11, Value::Number(_)) | (6, Value::Bytes(_)) => {
                    tensor.listed += 1;
                    walk.skip(field.1)
                }
                (5 | 7 | 11, Value::Bytes(length)) => {
                    let mut count = 0;
                    walk.packed(length, |_| {
                        count += 1;
                        Ok(())
                    })?;
                    tensor.listed += count;
                    Ok(())
                }
                (8, Value::Bytes(length)) => {
                    tensor.name = walk.text(length)?;
                    Ok(())
                }
                // `raw_data`
                (9, Value::Bytes(length)) => {
                    tensor.raw = Some(length);
                    walk.skip(field.1)
                }
                // `external_data`, `data_location`
                (13, _) => tensor.external(),
                (14, Value::Number(place)) if place != 0 => tensor.external(),
                (_, value) => walk.skip(value),
            }
        })?;
        tensor.check()
    }

    fn packed(
        &mut self,
        length: u64,
        mut each: impl FnMut(u64) -> Result<(), Refusal>,
    ) -> Result<(), Refusal> {
        let end = self.at + length;
        while self.at < end {
            let number = self.varint()?;
            each(number)?;
        }
        Ok(())
    }

    fn varint(&mut self) -> Result<u64, Refusal> {
        let mut value = 0u64;
        for shift in (0..64).step_by(7) {
            let mut byte = [0];
            self.file.read_exact(&mut byte)?;
            self.at += 1;
            value |= u64::from(byte[0] & 0x7f) << shift;
            if byte[0] < 0x80 {
                return Ok(value);
            }
        }
        refuse("The file is not an ONNX model, or is damaged.")
    }

    fn text(&mut self, length: u64) -> Result<String, Refusal> {
        let taken = length.min(MAX_TEXT);
        let mut bytes = vec![0; usize::try_from(taken).unwrap_or(0)];
        self.file.read_exact(&mut bytes)?;
        self.at += taken;
        self.skip(Value::Bytes(length - taken))?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    }

    fn skip(&mut self, value: Value) -> Result<(), Refusal> {
        let bytes = match value {
            Value::Number(_) => return Ok(()),
            Value::Bytes(bytes) | Value::Fixed(bytes) => bytes,
        };
        let distance = i64::try_from(bytes).map_err(|_| Refusal::Invalid("The file is damaged.".into()))?;
        self.file.seek_relative(distance)?;
        self.at += bytes;
        Ok(())
    }
}

/// What a tensor says of itself, and what it has.
#[derive(Default)]
struct Tensor {
    name: String,
    dimensions: Vec<u64>,
    kind: u64,
    /// Bytes of `raw_data`.
    raw: Option<u64>,
    /// Elements of the other fields.
    listed: u64,
}

impl Tensor {
    fn dimension(&mut self, length: u64) -> Result<(), Refusal> {
        // Negative ones are the largest numbers here.
        if self.dimensions.len() == MAX_RANK || length > i64::MAX.unsigned_abs() {
            return refuse(format!("The tensor '{}' has no possible shape.", self.name()));
        }
        self.dimensions.push(length);
        Ok(())
    }

    fn fixed<R: Read + Seek>(
        &mut self,
        walk: &mut Walk<io::BufReader<R>>,
        value: Value,
        width: u64,
    ) -> Result<(), Refusal> {
        if let Value::Bytes(bytes) | Value::Fixed(bytes) = value {
            self.listed += bytes / width;
        }
        walk.skip(value)
    }

    fn name(&self) -> String {
        let shown: String = self.name.chars().filter(|c| !c.is_control()).take(100).collect();
        shown
    }

    fn external(&self) -> Result<(), Refusal> {
        refuse(format!(
            "The tensor '{}' is kept in another file. Save the model as one file, with its weights inside.",
            self.name()
        ))
    }

    fn check(&self) -> Result<(), Refusal> {
        let mut lengths = self.dimensions.iter();
        let count = lengths.try_fold(1u64, |product, length| product.checked_mul(*length));
        let name = self.name();
        let Some(count) = count else {
            return refuse(format!(
                "The tensor '{name}' has more elements than can be counted."
            ));
        };
        let expected = match (self.raw, bits(self.kind)) {
            (Some(_), None) => return refuse(format!("The tensor '{name}' is of an unknown type.")),
            (Some(bytes), Some(bits)) => {
                let needed = count.checked_mul(bits).map(|bits| bits.div_ceil(8));
                needed == Some(bytes) && self.listed == 0
            }
            // Complex numbers are listed in two halves, the smallest types several in one number.
            (None, bits) => match self.kind {
                14 | 15 => count.checked_mul(2) == Some(self.listed),
                _ if bits.is_some_and(|bits| bits < 8) => self.listed <= count,
                _ => count == self.listed,
            },
        };
        if expected {
            return Ok(());
        }
        refuse(format!(
            "The tensor '{name}' says that it has {count} elements, but its data is of another size."
        ))
    }
}

/// Bits of an element by `TensorProto.DataType`; `None` for texts and unknown types.
fn bits(kind: u64) -> Option<u64> {
    Some(match kind {
        // Floats, and whole numbers of 32 bits.
        1 | 6 | 12 => 32,
        2 | 3 | 9 => 8,
        4 | 5 | 10 | 16 => 16,
        7 | 11 | 13 | 14 => 64,
        15 => 128,
        // Floats of 8 bits.
        17..=20 | 24 => 8,
        21..=23 => 4,
        25 | 26 => 2,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Cursor;

    fn varint(mut value: u64) -> Vec<u8> {
        let mut bytes = Vec::new();
        while value >= 0x80 {
            bytes.push((value & 0x7f) as u8 | 0x80);
            value >>= 7;
        }
        bytes.push(value as u8);
        bytes
    }

    fn bytes(field: u64, value: &[u8]) -> Vec<u8> {
        [varint(field << 3 | 2), varint(value.len() as u64), value.to_vec()].concat()
    }

    fn number(field: u64, value: u64) -> Vec<u8> {
        [varint(field << 3), varint(value)].concat()
    }

    fn tensor(dimensions: &[u64], kind: u64, rest: &[u8]) -> Vec<u8> {
        let dimensions: Vec<u8> = dimensions.iter().flat_map(|length| number(1, *length)).collect();
        bytes(
            5,
            &[dimensions, number(2, kind), bytes(8, b"w"), rest.to_vec()].concat(),
        )
    }

    fn model(graph: &[u8]) -> Vec<u8> {
        [number(1, 8), bytes(7, graph)].concat()
    }

    fn refused(file: &[u8]) -> Option<String> {
        match check(&mut Cursor::new(file)) {
            Ok(()) => None,
            Err(Refusal::Invalid(what)) => Some(what),
            Err(Refusal::Io(error)) => panic!("{error}"),
        }
    }

    #[test]
    fn a_tensor_must_have_what_it_says() {
        for (good, dimensions, kind, rest) in [
            (true, vec![2, 3], 1, bytes(9, &[0; 24])),
            (true, vec![2], 1, bytes(4, &[0; 8])),
            (true, vec![3], 7, bytes(7, &[1, 2, 3])),
            (true, vec![], 7, number(7, 300)),
            (true, vec![2], 8, [bytes(6, b"a"), bytes(6, b"b")].concat()),
            (true, vec![0, 1 << 40], 1, Vec::new()),
            (false, vec![1 << 40], 1, bytes(9, &[0; 24])),
            (false, vec![1 << 40], 1, Vec::new()),
            (false, vec![u64::MAX], 1, Vec::new()),
            (false, vec![1 << 40, 1 << 40], 1, Vec::new()),
            (false, vec![2], 99, bytes(9, &[0; 8])),
            (false, vec![2], 8, bytes(6, b"a")),
        ] {
            let what = refused(&model(&tensor(&dimensions, kind, &rest)));
            assert_eq!(what.is_none(), good, "{dimensions:?} of {kind}: {what:?}");
        }
    }

    #[test]
    fn other_files_are_refused_wherever_they_are_named() {
        let external = |place: Vec<u8>| [number(1, 1), number(2, 1), bytes(8, b"w"), place].concat();
        for place in [
            bytes(13, &[bytes(1, b"location"), bytes(2, b"/etc/passwd")].concat()),
            number(14, 1),
        ] {
            let tensor = external(place);
            let in_attribute = bytes(1, &bytes(5, &bytes(5, &tensor)));
            let branch = bytes(1, &bytes(5, &bytes(6, &in_attribute)));
            let function = [model(b""), bytes(25, &bytes(7, &bytes(5, &bytes(5, &tensor))))].concat();
            for file in [
                model(&bytes(5, &tensor)),
                model(&in_attribute),
                model(&branch),
                model(&bytes(15, &bytes(1, &tensor))),
                function,
            ] {
                assert!(refused(&file).unwrap().contains("another file"));
            }
        }
    }

    #[test]
    fn what_is_no_model_is_refused_and_nothing_is_taken_on_trust() {
        let deep = (0..200).fold(Vec::new(), |inner, _| bytes(1, &bytes(5, &bytes(6, &inner))));
        let good = model(&tensor(&[2], 1, &bytes(9, &[0; 8])));
        assert_eq!(refused(&good), None);
        for file in [
            Vec::new(),
            b"PK\x03\x04 a zip archive".to_vec(),
            vec![0xff; 64],
            good[..good.len() - 3].to_vec(),
            [varint(7 << 3 | 2), varint(u64::MAX)].concat(),
            [varint(7 << 3 | 2), varint(i64::MAX.unsigned_abs())].concat(),
            model(&deep),
            number(1, 8),
        ] {
            assert!(refused(&file).is_some(), "{file:?}");
        }
    }
}
