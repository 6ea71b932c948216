//! What a model takes and gives.

use serde::{Deserialize, Serialize};

use super::tensor::{Datatype, Tensor, clip};
use crate::{Error, Result};

/// An input or an output.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TensorSpec {
    /// Its name in the graph.
    pub name: String,
    /// What its elements are.
    pub datatype: Datatype,
    /// How long each dimension is; -1 for any length.
    pub shape: Vec<i64>,
}

/// What a model takes and gives.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signature {
    /// What it takes.
    pub inputs: Vec<TensorSpec>,
    /// What it gives.
    pub outputs: Vec<TensorSpec>,
}

impl TensorSpec {
    /// Whether any number of rows will do.
    pub fn is_free(&self) -> bool {
        self.shape.first() == Some(&-1)
    }

    fn admits(&self, shape: &[usize]) -> bool {
        // A graph that says nothing of its dimensions takes any.
        self.shape.is_empty()
            || self.shape.len() == shape.len()
                && self
                    .shape
                    .iter()
                    .zip(shape)
                    .all(|(wanted, found)| *wanted < 0 || usize::try_from(*wanted) == Ok(*found))
    }
}

impl Signature {
    /// Whether calls can be put together along the first dimension, as far as the shapes tell.
    pub fn is_free(&self) -> bool {
        self.inputs.iter().chain(&self.outputs).all(TensorSpec::is_free)
    }

    /// The one input, or the one that is named.
    ///
    /// # Errors
    /// [`Error::Invalid`] if there is no such one.
    pub fn input(&self, name: Option<&str>) -> Result<&TensorSpec> {
        let found = match (name, self.inputs.as_slice()) {
            (Some(name), inputs) => inputs.iter().find(|input| input.name == name),
            (None, [only]) => Some(only),
            (None, _) => None,
        };
        found.ok_or_else(|| {
            let message = match name {
                Some(name) => format!("The model has no input '{}'.", clip(name)),
                None => format!(
                    "The model has {} inputs: send each as a tensor, under 'inputs'.",
                    self.inputs.len()
                ),
            };
            Error::invalid("inputs", message)
        })
    }

    /// The tensors in the order of the inputs, if they are what the model takes.
    ///
    /// # Errors
    /// [`Error::Invalid`] that says what would be right.
    pub fn check(&self, tensors: Vec<Tensor>) -> Result<Vec<Tensor>> {
        let mut slots: Vec<Option<Tensor>> = self.inputs.iter().map(|_| None).collect();
        for tensor in tensors {
            let name = clip(&tensor.name);
            let wrong = |what: String| Error::invalid(format!("inputs.{name}"), what);
            let place = self.inputs.iter().position(|input| input.name == tensor.name);
            let (spec, slot) = place
                .and_then(|place| Some((&self.inputs[place], slots.get_mut(place)?)))
                .ok_or_else(|| {
                    wrong(format!(
                        "The model has no input '{name}'; it has {}.",
                        names(&self.inputs)
                    ))
                })?;
            if slot.is_some() {
                return Err(wrong(format!("The input '{name}' came twice.")));
            }
            if spec.datatype != tensor.datatype {
                return Err(wrong(format!(
                    "The input '{name}' is of {}, not of {}.",
                    spec.datatype, tensor.datatype
                )));
            }
            if !spec.admits(&tensor.shape) {
                return Err(wrong(format!(
                    "The input '{name}' has the shape {:?} (-1 is any length), not {:?}.",
                    spec.shape, tensor.shape
                )));
            }
            *slot = Some(tensor);
        }
        let missing = |spec: &TensorSpec| Error::Invalid {
            message: format!("The input '{}' is missing.", spec.name),
            param: Some(format!("inputs.{}", spec.name)),
            code: Some("missing_required_parameter"),
        };
        let pairs = slots.into_iter().zip(&self.inputs);
        pairs
            .map(|(slot, spec)| slot.ok_or_else(|| missing(spec)))
            .collect()
    }
}

fn names(specs: &[TensorSpec]) -> String {
    let quoted = specs.iter().take(20).map(|spec| format!("'{}'", spec.name));
    quoted.collect::<Vec<_>>().join(", ")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spec(name: &str, shape: &[i64]) -> TensorSpec {
        TensorSpec {
            name: name.into(),
            datatype: Datatype::Int8,
            shape: shape.to_vec(),
        }
    }

    fn tensor(name: &str, datatype: Datatype, shape: &[usize]) -> Tensor {
        let bytes = vec![0; shape.iter().product::<usize>() * datatype.width().unwrap()];
        Tensor::new(name, datatype, shape.to_vec(), bytes.into()).unwrap()
    }

    #[test]
    fn what_the_model_takes_comes_in_its_order_and_nothing_else_does() {
        let signature = Signature {
            inputs: vec![spec("a", &[-1, 2]), spec("b", &[3])],
            outputs: vec![spec("c", &[-1])],
        };
        let (a, b) = (
            || tensor("a", Datatype::Int8, &[5, 2]),
            || tensor("b", Datatype::Int8, &[3]),
        );
        assert_eq!(signature.check(vec![b(), a()]).unwrap(), [a(), b()]);
        for (tensors, param) in [
            (vec![a()], "inputs.b"),
            (vec![a(), a(), b()], "inputs.a"),
            (vec![a(), tensor("b", Datatype::Int16, &[3])], "inputs.b"),
            (vec![a(), tensor("b", Datatype::Int8, &[4])], "inputs.b"),
            (vec![a(), tensor("b", Datatype::Int8, &[3, 1])], "inputs.b"),
            (vec![a(), b(), tensor("d", Datatype::Int8, &[1])], "inputs.d"),
        ] {
            match signature.check(tensors) {
                Err(Error::Invalid {
                    param: Some(found), ..
                }) => assert_eq!(found, param),
                other => panic!("{param}: {other:?}"),
            }
        }
        assert!(!signature.is_free());
    }
}
