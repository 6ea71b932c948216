//! Tensors to ONNX Runtime's and back.

use half::f16;
use insula_core::prediction::{Datatype, Tensor, push_text};
use ort::session::SessionInputValue;
use ort::value::{DynValue, Tensor as OrtTensor, TensorElementType};

use super::Done;
use super::session::told;

/// What a type of the runtime is called; `None` for those that cannot be sent.
pub(super) fn datatype(kind: TensorElementType) -> Option<Datatype> {
    Some(match kind {
        TensorElementType::Bool => Datatype::Bool,
        TensorElementType::Uint8 => Datatype::Uint8,
        TensorElementType::Uint16 => Datatype::Uint16,
        TensorElementType::Uint32 => Datatype::Uint32,
        TensorElementType::Uint64 => Datatype::Uint64,
        TensorElementType::Int8 => Datatype::Int8,
        TensorElementType::Int16 => Datatype::Int16,
        TensorElementType::Int32 => Datatype::Int32,
        TensorElementType::Int64 => Datatype::Int64,
        TensorElementType::Float16 => Datatype::Fp16,
        TensorElementType::Float32 => Datatype::Fp32,
        TensorElementType::Float64 => Datatype::Fp64,
        TensorElementType::String => Datatype::Bytes,
        _ => return None,
    })
}

pub(super) fn to_ort(tensor: &Tensor) -> Done<SessionInputValue<'static>> {
    let shape = tensor.shape.clone();
    let data = &tensor.data;
    macro_rules! numbers {
        ($kind:ty, $width:literal) => {{
            let (chunks, _) = data.as_chunks::<$width>();
            let numbers: Vec<$kind> = chunks
                .iter()
                .map(|bytes| <$kind>::from_le_bytes(*bytes))
                .collect();
            OrtTensor::from_array((shape, numbers)).map(|tensor| tensor.into_dyn())
        }};
    }
    let value = match tensor.datatype {
        Datatype::Bool => {
            let values: Vec<bool> = data.iter().map(|byte| *byte != 0).collect();
            OrtTensor::from_array((shape, values)).map(|tensor| tensor.into_dyn())
        }
        Datatype::Uint8 => OrtTensor::from_array((shape, data.to_vec())).map(|tensor| tensor.into_dyn()),
        Datatype::Uint16 => numbers!(u16, 2),
        Datatype::Uint32 => numbers!(u32, 4),
        Datatype::Uint64 => numbers!(u64, 8),
        Datatype::Int8 => numbers!(i8, 1),
        Datatype::Int16 => numbers!(i16, 2),
        Datatype::Int32 => numbers!(i32, 4),
        Datatype::Int64 => numbers!(i64, 8),
        Datatype::Fp16 => numbers!(f16, 2),
        Datatype::Fp32 => numbers!(f32, 4),
        Datatype::Fp64 => numbers!(f64, 8),
        Datatype::Bytes => {
            let texts = tensor.texts();
            if texts.iter().any(|text| text.contains('\0')) {
                return Err("A text has a NUL in it.".into());
            }
            OrtTensor::from_string_array((shape, texts.as_slice())).map(|tensor| tensor.into_dyn())
        }
    };
    value.map(SessionInputValue::from).map_err(|error| told(&error))
}

pub(super) fn from_ort(name: &str, value: &DynValue) -> Done<Tensor> {
    let kind = value.dtype().tensor_type().and_then(datatype);
    let kind = kind.ok_or_else(|| format!("Its output '{name}' is no tensor that can be sent."))?;
    macro_rules! numbers {
        ($kind:ty) => {{
            let (shape, numbers) = value
                .try_extract_tensor::<$kind>()
                .map_err(|error| told(&error))?;
            let data: Vec<u8> = numbers.iter().flat_map(|number| number.to_le_bytes()).collect();
            (shape, data)
        }};
    }
    let (shape, data) = match kind {
        Datatype::Bool => {
            let (shape, values) = value.try_extract_tensor::<bool>().map_err(|error| told(&error))?;
            (shape, values.iter().map(|value| u8::from(*value)).collect())
        }
        Datatype::Uint8 => numbers!(u8),
        Datatype::Uint16 => numbers!(u16),
        Datatype::Uint32 => numbers!(u32),
        Datatype::Uint64 => numbers!(u64),
        Datatype::Int8 => numbers!(i8),
        Datatype::Int16 => numbers!(i16),
        Datatype::Int32 => numbers!(i32),
        Datatype::Int64 => numbers!(i64),
        Datatype::Fp16 => numbers!(f16),
        Datatype::Fp32 => numbers!(f32),
        Datatype::Fp64 => numbers!(f64),
        Datatype::Bytes => {
            let (shape, texts) = value.try_extract_strings().map_err(|error| told(&error))?;
            let mut data = Vec::new();
            texts.iter().for_each(|text| push_text(&mut data, text));
            (shape, data)
        }
    };
    let shape = shape
        .iter()
        .map(|length| usize::try_from(*length).unwrap_or(0))
        .collect();
    Tensor::new(name, kind, shape, data.into()).map_err(|error| error.to_string())
}
