//! Tensors from JSON and back: numbers, texts and booleans in arrays, nested as deep as the shape is long.

use serde_json::Value;

use super::tensor::{Datatype, Tensor, clip, elements, push_text};
use crate::{Error, Result};

/// Deepest nesting.
const MAX_RANK: usize = 16;

/// A tensor of the shape that the nesting says.
///
/// # Errors
/// [`Error::Invalid`] for elements of another type, and for rows that differ in length.
pub fn from_nested(name: &str, datatype: Datatype, value: &Value) -> Result<Tensor> {
    let mut shape = Vec::new();
    let mut inner = value;
    while let Value::Array(items) = inner {
        if shape.len() == MAX_RANK {
            return Err(wrong(name, "is nested too deeply"));
        }
        shape.push(items.len());
        match items.first() {
            Some(first) => inner = first,
            None => break,
        }
    }
    let mut data = Vec::new();
    push_nested(name, datatype, value, &shape, &mut data)?;
    Tensor::new(name, datatype, shape, data.into())
}

/// A tensor of this shape, whose elements come in one array, nested or not.
///
/// # Errors
/// [`Error::Invalid`] for elements of another type, or another number of them.
pub fn from_flat(name: &str, datatype: Datatype, shape: Vec<usize>, value: &Value) -> Result<Tensor> {
    // As many as came, and not as many as the shape claims.
    let mut data = Vec::new();
    push_all(name, datatype, value, 0, &mut data)?;
    Tensor::new(name, datatype, shape, data.into())
}

fn wrong(name: &str, what: &str) -> Error {
    let name = clip(name);
    Error::invalid(format!("inputs.{name}"), format!("The data of '{name}' {what}."))
}

fn push_nested(
    name: &str,
    datatype: Datatype,
    value: &Value,
    shape: &[usize],
    data: &mut Vec<u8>,
) -> Result<()> {
    match (value, shape.split_first()) {
        (Value::Array(items), Some((length, rest))) if items.len() == *length => items
            .iter()
            .try_for_each(|item| push_nested(name, datatype, item, rest, data)),
        (Value::Array(_), _) | (_, Some(_)) => Err(wrong(name, "has rows that differ in length")),
        (element, None) => push(name, datatype, element, data),
    }
}

fn push_all(name: &str, datatype: Datatype, value: &Value, depth: usize, data: &mut Vec<u8>) -> Result<()> {
    match value {
        Value::Array(_) if depth == MAX_RANK => Err(wrong(name, "is nested too deeply")),
        Value::Array(items) => items
            .iter()
            .try_for_each(|item| push_all(name, datatype, item, depth + 1, data)),
        element => push(name, datatype, element, data),
    }
}

fn push(name: &str, datatype: Datatype, element: &Value, data: &mut Vec<u8>) -> Result<()> {
    macro_rules! integer {
        ($kind:ty) => {{
            let signed = element.as_i64().and_then(|number| <$kind>::try_from(number).ok());
            let number =
                signed.or_else(|| element.as_u64().and_then(|number| <$kind>::try_from(number).ok()));
            number.map(|number| data.extend_from_slice(&number.to_le_bytes()))
        }};
    }
    let pushed = match datatype {
        Datatype::Bool => match element {
            Value::Bool(value) => Some(u8::from(*value)),
            other => other.as_u64().and_then(|number| match number {
                0 => Some(0),
                1 => Some(1),
                _ => None,
            }),
        }
        .map(|value| data.push(value)),
        Datatype::Uint8 => integer!(u8),
        Datatype::Uint16 => integer!(u16),
        Datatype::Uint32 => integer!(u32),
        Datatype::Uint64 => integer!(u64),
        Datatype::Int8 => integer!(i8),
        Datatype::Int16 => integer!(i16),
        Datatype::Int32 => integer!(i32),
        Datatype::Int64 => integer!(i64),
        Datatype::Fp16 => element
            .as_f64()
            .map(|number| data.extend_from_slice(&half::f16::from_f64(number).to_le_bytes())),
        Datatype::Fp32 => element
            .as_f64()
            .map(|number| data.extend_from_slice(&(number as f32).to_le_bytes())),
        Datatype::Fp64 => element
            .as_f64()
            .map(|number| data.extend_from_slice(&number.to_le_bytes())),
        Datatype::Bytes => element.as_str().map(|text| push_text(data, text)),
    };
    pushed.ok_or_else(|| wrong(name, &format!("has an element that is no {datatype}")))
}

/// The elements of a tensor, one after the other. What JSON cannot say, infinite or not a number, is null.
pub fn to_flat(tensor: &Tensor) -> Vec<Value> {
    let data = &tensor.data;
    macro_rules! numbers {
        ($kind:ty, $width:literal, $value:expr) => {
            data.as_chunks::<$width>()
                .0
                .iter()
                .map(|bytes| $value(<$kind>::from_le_bytes(*bytes)))
                .collect()
        };
    }
    match tensor.datatype {
        Datatype::Bool => data.iter().map(|byte| Value::from(*byte != 0)).collect(),
        Datatype::Uint8 => data.iter().map(|byte| Value::from(*byte)).collect(),
        Datatype::Uint16 => numbers!(u16, 2, Value::from),
        Datatype::Uint32 => numbers!(u32, 4, Value::from),
        Datatype::Uint64 => numbers!(u64, 8, Value::from),
        Datatype::Int8 => numbers!(i8, 1, Value::from),
        Datatype::Int16 => numbers!(i16, 2, Value::from),
        Datatype::Int32 => numbers!(i32, 4, Value::from),
        Datatype::Int64 => numbers!(i64, 8, Value::from),
        Datatype::Fp16 => numbers!(half::f16, 2, |number: half::f16| single(number.to_f32())),
        Datatype::Fp32 => numbers!(f32, 4, single),
        Datatype::Fp64 => numbers!(f64, 8, Value::from),
        Datatype::Bytes => tensor.texts().into_iter().map(Value::from).collect(),
    }
}

/// With as few digits as tell it from its neighbours, and not with those of its double.
fn single(number: f32) -> Value {
    Value::from(number.to_string().parse::<f64>().unwrap_or(f64::NAN))
}

/// The elements nested as the shape says. A tensor without dimensions is its one element.
pub fn to_nested(tensor: &Tensor) -> Value {
    let mut flat = to_flat(tensor).into_iter();
    if elements(&tensor.shape) != Some(flat.len()) {
        return Value::Null;
    }
    nest(&tensor.shape, &mut flat)
}

fn nest(shape: &[usize], flat: &mut impl Iterator<Item = Value>) -> Value {
    match shape.split_first() {
        None => flat.next().unwrap_or(Value::Null),
        Some((length, rest)) => (0..*length).map(|_| nest(rest, flat)).collect(),
    }
}

/// The elements as numbers; `None` for texts.
pub fn numbers(tensor: &Tensor) -> Option<Vec<f64>> {
    (tensor.datatype != Datatype::Bytes).then(|| {
        let flat = to_flat(tensor).into_iter();
        flat.map(|value| match value {
            Value::Bool(value) => f64::from(u8::from(value)),
            value => value.as_f64().unwrap_or(f64::NAN),
        })
        .collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_type_comes_back_as_it_went_in() {
        for (datatype, value) in [
            (Datatype::Bool, json!([[true], [false]])),
            (Datatype::Uint8, json!([0, 255])),
            (Datatype::Uint16, json!([65535])),
            (Datatype::Uint32, json!([4294967295u32])),
            (Datatype::Uint64, json!([u64::MAX])),
            (Datatype::Int8, json!([-128, 127])),
            (Datatype::Int16, json!([-32768])),
            (Datatype::Int32, json!([[-2147483648i64]])),
            (Datatype::Int64, json!([i64::MIN, i64::MAX])),
            (Datatype::Fp16, json!([0.5, -2.0])),
            (Datatype::Fp32, json!([[0.1, 3.4e38], [1e-30, -7.25]])),
            (Datatype::Fp64, json!([0.1, 1e300])),
            (Datatype::Bytes, json!([["one"], ["ثلاثة"]])),
        ] {
            let tensor = from_nested("x", datatype, &value).unwrap();
            assert_eq!(to_nested(&tensor), value, "{datatype}");
        }
        assert_eq!(
            to_nested(&from_nested("x", Datatype::Int8, &json!(7)).unwrap()),
            json!(7)
        );
        assert_eq!(
            from_nested("x", Datatype::Fp32, &json!([[], []])).unwrap().shape,
            [2, 0]
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_by_name() {
        let deep = (0..40).fold(json!(1), |inner, _| json!([inner]));
        for (datatype, value) in [
            (Datatype::Int8, json!([128])),
            (Datatype::Uint8, json!([-1])),
            (Datatype::Int32, json!([1.5])),
            (Datatype::Bool, json!([2])),
            (Datatype::Bytes, json!([1])),
            (Datatype::Fp32, json!(["1"])),
            (Datatype::Fp32, json!([null])),
            (Datatype::Fp32, json!([[1], [1, 2]])),
            (Datatype::Fp32, json!([[1], 2])),
            (Datatype::Fp32, json!([1, [2]])),
            (Datatype::Fp32, json!({})),
            (Datatype::Fp32, deep),
        ] {
            match from_nested("x", datatype, &value) {
                Err(Error::Invalid { param, .. }) => assert_eq!(param.as_deref(), Some("inputs.x")),
                other => panic!("{value}: {other:?}"),
            }
        }
        let flat = |shape: &[usize], value| from_flat("x", Datatype::Fp32, shape.to_vec(), &value);
        assert_eq!(
            flat(&[1, 2], json!([1, 2])).unwrap(),
            flat(&[1, 2], json!([[1, 2]])).unwrap()
        );
        assert!(flat(&[2, 2], json!([1, 2])).is_err());
        assert!(flat(&[usize::MAX, 2], json!([1, 2])).is_err());
    }
}
