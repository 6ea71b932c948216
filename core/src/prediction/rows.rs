//! Rows by column name, as tables have them.

use serde_json::{Map, Value};

use super::json::from_nested;
use super::signature::{Signature, TensorSpec};
use super::tensor::{Tensor, clip};
use crate::registry::VersionSpec;
use crate::{Error, Result};

/// The tensors that rows make: one of all columns in the version's order if it names them, else one per input.
///
/// # Errors
/// [`Error::Invalid`] with the path of what is missing or of another type.
pub fn tensors(
    signature: &Signature,
    spec: &VersionSpec,
    rows: &[Map<String, Value>],
) -> Result<Vec<Tensor>> {
    match &spec.columns {
        Some(columns) => {
            let input = signature.input(None)?;
            let mut nested = Vec::with_capacity(rows.len());
            for (place, row) in rows.iter().enumerate() {
                let cells = columns.iter().map(|column| cell(row, place, column).cloned());
                nested.push(cells.collect::<Result<Value>>()?);
            }
            Ok(vec![tensor(input, nested, columns)?])
        }
        None => signature
            .inputs
            .iter()
            .map(|input| {
                let cells = rows.iter().enumerate().map(|(place, row)| {
                    let cell = cell(row, place, &input.name)?.clone();
                    // A column of one: as exporters make an input of each feature.
                    Ok(if input.shape.len() == 2 && !cell.is_array() {
                        Value::from(vec![cell])
                    } else {
                        cell
                    })
                });
                tensor(
                    input,
                    cells.collect::<Result<_>>()?,
                    std::slice::from_ref(&input.name),
                )
            })
            .collect(),
    }
}

fn cell<'a>(row: &'a Map<String, Value>, place: usize, column: &str) -> Result<&'a Value> {
    row.get(column).filter(|value| !value.is_null()).ok_or_else(|| {
        let param = format!("rows[{place}].{}", clip(column));
        Error::Invalid {
            message: format!("Missing required parameter: '{param}'."),
            param: Some(param),
            code: Some("missing_required_parameter"),
        }
    })
}

/// One tensor of all rows. What is wrong is looked for in each row only if something is.
fn tensor(input: &TensorSpec, rows: Vec<Value>, columns: &[String]) -> Result<Tensor> {
    let rows = Value::from(rows);
    from_nested(&input.name, input.datatype, &rows).map_err(|error| {
        let place = rows.as_array().into_iter().flatten().position(|row| {
            from_nested(&input.name, input.datatype, &Value::from(vec![row.clone()])).is_err()
        });
        let Some(place) = place else { return error };
        let cells = rows[place].as_array().map_or(&[] as &[Value], Vec::as_slice);
        let wrong = cells.iter().position(|cell| {
            cell.is_array() && columns.len() > 1 || from_nested(&input.name, input.datatype, cell).is_err()
        });
        let column = wrong.and_then(|wrong| columns.get(wrong)).or(columns.first());
        let column = column.map_or("", String::as_str);
        Error::invalid(
            format!("rows[{place}].{}", clip(column)),
            format!(
                "Invalid value for 'rows[{place}].{}': it is no {}.",
                clip(column),
                input.datatype
            ),
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::prediction::{Datatype, json};
    use serde_json::json;

    fn signature(inputs: &[(&str, Datatype, &[i64])]) -> Signature {
        let spec = |(name, datatype, shape): &(&str, Datatype, &[i64])| TensorSpec {
            name: (*name).into(),
            datatype: *datatype,
            shape: shape.to_vec(),
        };
        Signature {
            inputs: inputs.iter().map(spec).collect(),
            outputs: Vec::new(),
        }
    }

    fn rows(rows: Value) -> Vec<Map<String, Value>> {
        serde_json::from_value(rows).unwrap()
    }

    #[test]
    fn columns_go_into_one_tensor_in_the_versions_order() {
        let signature = signature(&[("x", Datatype::Fp32, &[-1, 2])]);
        let spec = VersionSpec {
            columns: Some(vec!["age".into(), "height".into()]),
            ..VersionSpec::default()
        };
        let given = rows(json!([{"height": 1.5, "age": 30, "name": "ignored"}, {"age": 7, "height": 1.25}]));
        let made = tensors(&signature, &spec, &given).unwrap();
        assert_eq!(json::to_nested(&made[0]), json!([[30.0, 1.5], [7.0, 1.25]]));
        for (given, param) in [
            (json!([{"age": 1, "height": 1}, {"age": 1}]), "rows[1].height"),
            (
                json!([{"age": 1, "height": 1}, {"age": "x", "height": 1}]),
                "rows[1].age",
            ),
            (json!([{"age": 1, "height": [1]}]), "rows[0].height"),
        ] {
            match tensors(&signature, &spec, &rows(given)) {
                Err(Error::Invalid {
                    param: Some(found), ..
                }) => assert_eq!(found, param),
                other => panic!("{param}: {other:?}"),
            }
        }
    }

    #[test]
    fn without_columns_each_input_is_one() {
        let signature = signature(&[
            ("age", Datatype::Int64, &[-1, 1]),
            ("city", Datatype::Bytes, &[-1]),
        ]);
        let given = rows(json!([{"age": 30, "city": "Haifa"}, {"age": 7, "city": "جنين"}]));
        let made = tensors(&signature, &VersionSpec::default(), &given).unwrap();
        assert_eq!(json::to_nested(&made[0]), json!([[30], [7]]));
        assert_eq!(json::to_nested(&made[1]), json!(["Haifa", "جنين"]));
    }
}
