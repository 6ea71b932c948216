//! What is told of a model's outputs, row by row: labels and probabilities where there are classes.

use serde_json::{Map, Value};

use super::json::{numbers, to_nested};
use super::tensor::{Datatype, Tensor};
use crate::registry::{Activation, VersionSpec};
use crate::{Error, Result};

/// What is told of a row.
#[derive(Debug, Clone, PartialEq)]
pub struct Prediction {
    /// The class, if there are any.
    pub label: Option<String>,
    /// How sure the model is of it.
    pub probability: Option<f64>,
    /// The best classes, best first.
    pub top: Vec<(String, f64)>,
    /// The row's part of each output.
    pub outputs: Map<String, Value>,
}

/// Tells of each of `rows` rows, with the best `top_k` classes.
///
/// # Errors
/// [`Error::Invalid`] if the version says of an output what is not so.
pub fn interpret(
    spec: &VersionSpec,
    outputs: &[Tensor],
    rows: usize,
    top_k: usize,
) -> Result<Vec<Prediction>> {
    // An output with another number of rows is of all of them together, and told with each.
    let parts: Vec<Option<Vec<Tensor>>> = outputs
        .iter()
        .map(|output| output.split(&vec![1; rows]))
        .collect();
    let scores = scores(spec, outputs)?;
    let named = named(outputs, rows);
    let mut predictions = Vec::with_capacity(rows);
    for row in 0..rows {
        let mut told = Map::new();
        for (output, parts) in outputs.iter().zip(&parts) {
            let value = match parts {
                Some(parts) => to_nested(&parts[row]).get_mut(0).map(Value::take),
                None => Some(to_nested(output)),
            };
            told.insert(output.name.clone(), value.unwrap_or_default());
        }
        let own_label = named
            .and_then(|place| told.get(&outputs[place].name))
            .and_then(label);
        let ranked = scores
            .and_then(|place| parts[place].as_ref())
            .and_then(|parts| numbers(&parts[row]))
            .map(|scores| ranked(spec, &scores))
            .unwrap_or_default();
        let best = ranked.first().cloned();
        let label = match (&spec.labels, own_label, &best) {
            (Some(_), _, Some((best, _))) => Some(best.clone()),
            (_, Some(own), _) => Some(own),
            (_, None, best) => best.as_ref().map(|(best, _)| best.clone()),
        };
        predictions.push(Prediction {
            label,
            probability: best.map(|(_, probability)| probability),
            top: ranked.into_iter().take(top_k).collect(),
            outputs: told,
        });
    }
    Ok(predictions)
}

/// Which output are the scores of the classes.
fn scores(spec: &VersionSpec, outputs: &[Tensor]) -> Result<Option<usize>> {
    let classes = spec.labels.as_ref().map(Vec::len);
    if let Some(name) = spec.output.as_ref().and_then(|output| output.name.as_ref()) {
        let place = outputs.iter().position(|output| output.name == *name);
        return match place {
            Some(place) if classes.is_none_or(|classes| outputs[place].shape.get(1) == Some(&classes)) => {
                Ok(Some(place))
            }
            _ => Err(Error::Invalid {
                message: format!("The model has no output '{name}' with a score for each label."),
                param: None,
                code: Some("model_failed"),
            }),
        };
    }
    let is_float = |datatype| matches!(datatype, Datatype::Fp16 | Datatype::Fp32 | Datatype::Fp64);
    Ok(outputs.iter().position(|output| {
        let wide = match classes {
            Some(classes) => output.shape.get(1) == Some(&classes),
            // Of a regression there is one number.
            None => {
                output.shape.get(1).is_some_and(|width| *width > 1) && spec.output.is_some()
                    || outputs.len() == 2 && named(outputs, output.shape[0]).is_some()
            }
        };
        output.shape.len() == 2 && is_float(output.datatype) && wide
    }))
}

/// The output that is the class itself, as exporters of scikit-learn make it: one whole number or text per row.
fn named(outputs: &[Tensor], rows: usize) -> Option<usize> {
    let is_class = |datatype| matches!(datatype, Datatype::Int64 | Datatype::Int32 | Datatype::Bytes);
    outputs
        .iter()
        .position(|output| is_class(output.datatype) && output.shape == [rows])
}

fn label(value: &Value) -> Option<String> {
    match value {
        Value::String(text) => Some(text.clone()),
        Value::Number(number) => Some(number.to_string()),
        _ => None,
    }
}

/// The classes with their probabilities, best first; of equals the first.
fn ranked(spec: &VersionSpec, scores: &[f64]) -> Vec<(String, f64)> {
    let activation = spec.output.as_ref().map(|output| output.activation);
    let highest = scores.iter().copied().fold(f64::NEG_INFINITY, f64::max);
    let sum: f64 = scores.iter().map(|score| (score - highest).exp()).sum();
    let probability = |score: f64| match activation.unwrap_or_default() {
        Activation::None => score,
        Activation::Softmax => (score - highest).exp() / sum,
        Activation::Sigmoid => 1.0 / (1.0 + (-score).exp()),
    };
    let name = |place: usize| {
        let label = spec.labels.as_ref().and_then(|labels| labels.get(place)).cloned();
        label.unwrap_or_else(|| place.to_string())
    };
    let mut ranked: Vec<(usize, f64)> = scores
        .iter()
        .map(|score| probability(*score))
        .enumerate()
        .collect();
    ranked.sort_by(|a, b| b.1.total_cmp(&a.1));
    ranked
        .into_iter()
        .map(|(place, probability)| (name(place), probability))
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prediction::json::from_nested;
    use crate::registry::Scores;
    use serde_json::json;

    fn tensor(name: &str, datatype: Datatype, value: Value) -> Tensor {
        from_nested(name, datatype, &value).unwrap()
    }

    #[test]
    fn scores_become_labels_in_the_order_of_the_names() {
        let spec = VersionSpec {
            labels: Some(vec!["cat".into(), "dog".into()]),
            ..VersionSpec::default()
        };
        let outputs = [tensor("p", Datatype::Fp64, json!([[0.25, 0.75], [1.0, 0.0]]))];
        let told = interpret(&spec, &outputs, 2, 1).unwrap();
        assert_eq!(
            (told[0].label.as_deref(), told[0].probability),
            (Some("dog"), Some(0.75))
        );
        assert_eq!(told[0].top, [("dog".to_owned(), 0.75)]);
        assert_eq!(told[1].label.as_deref(), Some("cat"));
        assert_eq!(
            told[1].outputs,
            json!({"p": [1.0, 0.0]}).as_object().unwrap().clone()
        );

        let spec = VersionSpec {
            output: Some(Scores {
                name: None,
                activation: Activation::Softmax,
            }),
            ..spec
        };
        let outputs = [tensor("logits", Datatype::Fp32, json!([[1000.0, 1000.0]]))];
        let told = interpret(&spec, &outputs, 1, 2).unwrap();
        assert_eq!(told[0].top, [("cat".to_owned(), 0.5), ("dog".to_owned(), 0.5)]);
    }

    #[test]
    fn a_classifier_of_scikit_learn_and_a_regression_are_told_as_they_are() {
        let outputs = [
            tensor("label", Datatype::Int64, json!([7, 3])),
            tensor("probabilities", Datatype::Fp32, json!([[0.25, 0.75], [0.5, 0.5]])),
        ];
        let told = interpret(&VersionSpec::default(), &outputs, 2, 5).unwrap();
        assert_eq!(
            (told[0].label.as_deref(), told[0].probability),
            (Some("7"), Some(0.75))
        );
        assert_eq!(told[1].label.as_deref(), Some("3"));

        let outputs = [tensor("y", Datatype::Fp32, json!([[1.5], [2.5]]))];
        let told = interpret(&VersionSpec::default(), &outputs, 2, 5).unwrap();
        assert_eq!((told[1].label.as_deref(), told[1].probability), (None, None));
        assert_eq!(told[1].outputs["y"], json!([2.5]));
    }

    #[test]
    fn an_output_that_is_not_there_is_told() {
        let spec = VersionSpec {
            output: Some(Scores {
                name: Some("p".into()),
                activation: Activation::None,
            }),
            ..VersionSpec::default()
        };
        let outputs = [tensor("y", Datatype::Fp32, json!([[1.5]]))];
        assert!(interpret(&spec, &outputs, 1, 1).is_err());
    }
}
