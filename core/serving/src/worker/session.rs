//! A graph in a session of ONNX Runtime.

use std::borrow::Cow;
use std::path::Path;

use insula_core::prediction::{Signature, Tensor, TensorSpec};
use ort::environment::Environment;
use ort::session::builder::SessionBuilder;
use ort::session::{Session, SessionInputValue};
use ort::value::{Outlet, ValueType};

use super::{Done, values};

/// A model that is loaded.
pub(super) struct Model {
    session: Session,
    pub(super) signature: Signature,
}

impl Model {
    pub(super) fn load(environment: &Environment, path: &Path, threads: usize) -> Done<Self> {
        let broken = |error: ort::Error<SessionBuilder>| told(&error);
        let mut builder = Session::builder(environment)
            .map_err(|error| told(&error))?
            .with_intra_threads(threads.max(1))
            .map_err(broken)?
            // Idle threads must not spin: the cores are shared with other models and the server.
            .with_config_entry("session.intra_op.allow_spinning", "0")
            .map_err(broken)?;
        let session = builder.commit_from_file(path).map_err(|error| {
            // Where the file lies is nobody's business.
            let place = format!("Load model from {} failed:", path.display());
            told(&error.to_string().replace(&place, ""))
        })?;
        let signature = Signature {
            inputs: session.inputs().iter().map(spec).collect::<Done<_>>()?,
            outputs: session.outputs().iter().map(spec).collect::<Done<_>>()?,
        };
        if signature.inputs.is_empty() || signature.outputs.is_empty() {
            return Err("It has no inputs, or no outputs.".into());
        }
        Ok(Self { session, signature })
    }

    /// Runs the graph. Inputs come in the order of the signature.
    pub(super) fn run(&mut self, tensors: &[Tensor], most: u64) -> Done<Vec<Tensor>> {
        let mut inputs: Vec<(Cow<'_, str>, SessionInputValue<'_>)> = Vec::with_capacity(tensors.len());
        for tensor in tensors {
            inputs.push((tensor.name.as_str().into(), values::to_ort(tensor)?));
        }
        let outputs = self.session.run(inputs).map_err(|error| told(&error))?;
        let mut tensors = Vec::with_capacity(self.signature.outputs.len());
        let mut bytes = 0;
        for spec in &self.signature.outputs {
            let value = outputs
                .get(&spec.name)
                .ok_or_else(|| format!("It did not give its output '{}'.", spec.name))?;
            let tensor = values::from_ort(&spec.name, value)?;
            bytes += tensor.data.len() as u64;
            if bytes > most {
                return Err(format!("It gave more than {most} bytes."));
            }
            tensors.push(tensor);
        }
        Ok(tensors)
    }
}

fn spec(outlet: &Outlet) -> Done<TensorSpec> {
    let name = outlet.name().to_owned();
    match outlet.dtype() {
        ValueType::Tensor { ty, shape, .. } => {
            let datatype = values::datatype(*ty).ok_or_else(|| {
                format!("'{name}' is of {ty:?}, which is none of the types that can be sent.")
            })?;
            let shape = shape.iter().copied().collect();
            Ok(TensorSpec {
                name,
                datatype,
                shape,
            })
        }
        _ => Err(format!(
            "'{name}' is a sequence or a map, and not a tensor. (With skl2onnx, set the option zipmap to False.)"
        )),
    }
}

/// An error of the runtime in one line, without the places in its source.
pub(super) fn told(error: &dyn std::fmt::Display) -> String {
    let text = error.to_string();
    if is_out_of_memory(&text) {
        return "It needs more memory than allowed (out of memory).".into();
    }
    let line = text
        .lines()
        .find(|line| !line.trim().is_empty())
        .unwrap_or("unknown error");
    let words = line
        .split_whitespace()
        .filter(|word| !word.contains("onnxruntime/") && !word.contains("/onnxruntime"));
    let line = words.collect::<Vec<_>>().join(" ");
    line.chars().take(600).collect()
}

/// Whether an error is that there was no more memory.
pub(super) fn is_out_of_memory(text: &str) -> bool {
    [
        "bad_alloc",
        "Failed to allocate memory",
        "out of memory",
        "Out of memory",
    ]
    .iter()
    .any(|words| text.contains(words))
}
