//! A model's first run, on what nobody minds: does it answer at all, and does it answer rows together as it answers each alone.

use insula_core::prediction::{Datatype, Tensor, TensorSpec, elements};

use super::Done;
use super::session::Model;
use crate::ModelLimits;

/// What dimensions that may be of any length are tried with, besides the first.
const LENGTHS: [usize; 4] = [1, 16, 64, 224];
/// Most elements of an input that are made up.
const MOST: usize = 16 * 1024 * 1024;
/// How far floats may lie apart that should be the same: the order of sums differs.
const TOLERANCE: f64 = 1e-3;

/// Runs the model. Whether calls can be put together.
pub(super) fn run(model: &mut Model, limits: &ModelLimits) -> Done<bool> {
    let is_known = |spec: &TensorSpec| spec.shape.iter().skip(1).all(|length| *length >= 0);
    let is_known = model.signature.inputs.iter().all(is_known);
    let mut failed = None;
    for length in LENGTHS {
        let zeros = make(model, length, Row::Zeros)?;
        match model.run(&zeros, limits.output) {
            Ok(_) => return Ok(batches(model, limits, length)),
            Err(what) => failed.get_or_insert(what),
        };
        if is_known {
            break;
        }
    }
    match failed {
        // All lengths are known, so that no other input could go better.
        Some(what) if is_known => Err(format!("It fails on an input of zeros: {what}")),
        // A length that it likes was not among those that were tried.
        _ => Ok(false),
    }
}

/// Which values made-up inputs have.
#[derive(Clone, Copy)]
enum Row {
    Zeros,
    /// One of two that differ.
    Of(u8),
}

fn make(model: &Model, length: usize, row: Row) -> Done<Vec<Tensor>> {
    let inputs = model.signature.inputs.iter();
    inputs.map(|spec| tensor(spec, length, row)).collect()
}

fn tensor(spec: &TensorSpec, length: usize, row: Row) -> Done<Tensor> {
    let dimension = |(place, wanted): (usize, &i64)| match usize::try_from(*wanted) {
        Ok(wanted) => wanted,
        Err(_) if place == 0 => 1,
        Err(_) => length,
    };
    let shape: Vec<usize> = spec.shape.iter().enumerate().map(dimension).collect();
    let count = elements(&shape).filter(|count| *count <= MOST);
    let count = count.ok_or_else(|| format!("Its input '{}' is too large.", spec.name))?;
    let data = match row {
        Row::Zeros if spec.datatype == Datatype::Bytes => vec![0; count * 4],
        Row::Zeros => vec![0; count * spec.datatype.width().unwrap_or(0)],
        Row::Of(which) => filled(spec.datatype, count, which),
    };
    Tensor::new(&spec.name, spec.datatype, shape, data.into()).map_err(|error| error.to_string())
}

/// Floats all over from -1 to 1; of whole numbers only 0 and 1, because they may be places in a table.
fn filled(datatype: Datatype, count: usize, which: u8) -> Vec<u8> {
    let mut state = 0x9e37_79b9_7f4a_7c15u64.wrapping_mul(u64::from(which) + 1);
    let mut noise = move || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        (state >> 40) as f32 / (1u32 << 23) as f32 - 1.0
    };
    let mut data = Vec::new();
    for _ in 0..count {
        match datatype {
            Datatype::Fp16 => data.extend(half::f16::from_f32(noise()).to_le_bytes()),
            Datatype::Fp32 => data.extend(noise().to_le_bytes()),
            Datatype::Fp64 => data.extend(f64::from(noise()).to_le_bytes()),
            Datatype::Bytes => data.extend([1, 0, 0, 0, b'a' + which]),
            whole => {
                let width = whole.width().unwrap_or(1);
                let bit = u8::from(noise() > 0.0);
                data.extend((0..width).map(|place| if place == 0 { bit } else { 0 }));
            }
        }
    }
    data
}

/// Whether two rows together come to what each comes to alone. A model that cannot do it is asked one call at a time.
fn batches(model: &mut Model, limits: &ModelLimits, length: usize) -> bool {
    model.signature.is_free() && try_batches(model, limits, length).unwrap_or(false)
}

fn try_batches(model: &mut Model, limits: &ModelLimits, length: usize) -> Done<bool> {
    let rows = [make(model, length, Row::Of(0))?, make(model, length, Row::Of(1))?];
    let together = rows[0]
        .iter()
        .zip(&rows[1])
        .map(|(a, b)| Tensor::concat([a, b].into_iter()))
        .collect::<Option<Vec<_>>>()
        .ok_or("rows of one model do not fit together")?;
    let alone = [
        model.run(&rows[0], limits.output)?,
        model.run(&rows[1], limits.output)?,
    ];
    let together = model.run(&together, limits.output)?;
    let mut same = true;
    for (place, output) in together.iter().enumerate() {
        let Some(parts) = output.split(&[1, 1]) else {
            return Ok(false);
        };
        same &= parts
            .iter()
            .zip(&alone)
            .all(|(part, alone)| alone.get(place).is_some_and(|alone| is_near(part, alone)));
    }
    Ok(same)
}

fn is_near(a: &Tensor, b: &Tensor) -> bool {
    use insula_core::prediction::json::numbers;
    if a.shape != b.shape || a.datatype != b.datatype {
        return false;
    }
    match (numbers(a), numbers(b)) {
        (Some(a), Some(b)) => a.iter().zip(&b).all(|(a, b)| {
            a == b || a.is_nan() && b.is_nan() || (a - b).abs() <= TOLERANCE * (1.0 + a.abs().max(b.abs()))
        }),
        _ => a.data == b.data,
    }
}
