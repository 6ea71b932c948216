//! Attribute filters: OpenAI's tree of comparisons, compiled to a SQL/JSON path with its values passed beside it.

use serde_json::{Map, Value, json};

use crate::vector_store::AttributeValue;
use crate::{Error, Result};

/// A condition on the attributes of a file in a store.
#[derive(Debug, Clone, PartialEq)]
pub enum Filter {
    /// One attribute against a value. A file without the attribute passes only [`Comparison::Ne`].
    Compare(Comparison, String, AttributeValue),
    /// The attribute is one of the values.
    In(String, Vec<AttributeValue>),
    /// The attribute is none of the values, or absent.
    NotIn(String, Vec<AttributeValue>),
    /// All conditions hold.
    And(Vec<Filter>),
    /// At least one condition holds.
    Or(Vec<Filter>),
}

/// How two values are compared. Values of different kinds are unequal and in no order.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Comparison {
    /// Equal.
    Eq,
    /// Not equal, or absent.
    Ne,
    /// Greater.
    Gt,
    /// Greater or equal.
    Gte,
    /// Less.
    Lt,
    /// Less or equal.
    Lte,
}

/// Deepest nesting of `and` and `or`.
const MAX_DEPTH: usize = 8;
/// Most comparisons in a filter.
const MAX_VALUES: usize = 512;

/// A filter as `jsonb_path_match` takes it.
#[derive(Debug, PartialEq)]
pub(super) struct CompiledFilter {
    /// The path: a predicate over `$` with variables `$v0`, `$v1`, …
    pub(super) path: String,
    /// The variables.
    pub(super) values: Value,
}

impl Filter {
    /// Whether a search could be made with this.
    ///
    /// # Errors
    /// [`Error::Invalid`] with param `filters` when the tree is too deep, too large, or has an empty list.
    pub fn check(&self) -> Result<()> {
        Self::compile_all(&[self]).map(drop)
    }

    /// All of the filters, each of which must hold.
    ///
    /// # Errors
    /// As for [`Filter::check`].
    pub(super) fn compile_all(filters: &[&Self]) -> Result<CompiledFilter> {
        let mut values = Map::new();
        let predicates = filters
            .iter()
            .map(|filter| filter.predicate(&mut values, 0))
            .collect::<Result<_>>()?;
        Ok(CompiledFilter {
            path: join(predicates, " && ")?,
            values: Value::Object(values),
        })
    }

    fn predicate(&self, values: &mut Map<String, Value>, depth: usize) -> Result<String> {
        if depth > MAX_DEPTH {
            return Err(invalid(&format!(
                "Filters can be nested {MAX_DEPTH} levels deep."
            )));
        }
        match self {
            Self::Compare(Comparison::Ne, key, value) => Ok(not(&compare("==", key, value, values)?)),
            Self::Compare(comparison, key, value) => {
                let operator = match comparison {
                    Comparison::Eq | Comparison::Ne => "==",
                    Comparison::Gt => ">",
                    Comparison::Gte => ">=",
                    Comparison::Lt => "<",
                    Comparison::Lte => "<=",
                };
                Ok(sure(&compare(operator, key, value, values)?))
            }
            Self::In(key, list) => {
                let any = list
                    .iter()
                    .map(|value| Ok(sure(&compare("==", key, value, values)?)));
                join(any.collect::<Result<_>>()?, " || ")
            }
            Self::NotIn(key, list) => {
                let none = list
                    .iter()
                    .map(|value| Ok(not(&compare("==", key, value, values)?)));
                join(none.collect::<Result<_>>()?, " && ")
            }
            Self::And(filters) => join(
                filters
                    .iter()
                    .map(|f| f.predicate(values, depth + 1))
                    .collect::<Result<_>>()?,
                " && ",
            ),
            Self::Or(filters) => join(
                filters
                    .iter()
                    .map(|f| f.predicate(values, depth + 1))
                    .collect::<Result<_>>()?,
                " || ",
            ),
        }
    }
}

fn compare(
    operator: &str,
    key: &str,
    value: &AttributeValue,
    values: &mut Map<String, Value>,
) -> Result<String> {
    if values.len() >= MAX_VALUES {
        return Err(invalid(&format!("Filters can have at most {MAX_VALUES} values.")));
    }
    if key.contains('\0') || matches!(value, AttributeValue::Text(text) if text.contains('\0')) {
        return Err(invalid("Keys and values must not contain NUL."));
    }
    // A JSON string is a valid key in a path, whatever is in it.
    let key = serde_json::to_string(key).map_err(Error::internal)?;
    let variable = format!("v{}", values.len());
    let predicate = format!("($.{key} {operator} ${variable})");
    values.insert(variable, json!(value));
    Ok(predicate)
}

/// Values of different kinds compare as unknown, and unknown is contagious: make it false.
fn sure(predicate: &str) -> String {
    format!("({predicate} && !({predicate} is unknown))")
}

/// The opposite of [`sure`]: true for a missing attribute and for another kind of value.
fn not(predicate: &str) -> String {
    format!("(!{predicate} || {predicate} is unknown)")
}

fn join(predicates: Vec<String>, operator: &str) -> Result<String> {
    if predicates.is_empty() {
        return Err(invalid("A list in a filter must not be empty."));
    }
    Ok(format!("({})", predicates.join(operator)))
}

fn invalid(message: &str) -> Error {
    Error::invalid("filters", message)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn text(value: &str) -> AttributeValue {
        AttributeValue::Text(value.into())
    }

    #[test]
    fn values_and_keys_never_become_part_of_the_path() {
        let hostile = r#"x" || true || $."y"#;
        let filter = Filter::Compare(Comparison::Eq, hostile.into(), text("\") || true"));
        let compiled = Filter::compile_all(&[&filter]).unwrap();
        assert!(
            compiled.path.contains(r#"$."x\" || true || $.\"y""#),
            "{}",
            compiled.path
        );
        assert_eq!(compiled.values["v0"], "\") || true");
    }

    #[test]
    fn trees_are_bounded() {
        let leaf = Filter::Compare(Comparison::Gt, "year".into(), AttributeValue::Number(2020.into()));
        let deep = (0..9).fold(leaf.clone(), |inner, _| Filter::And(vec![inner]));
        assert!(deep.check().is_err());
        assert!(Filter::In("k".into(), vec![text("x"); 513]).check().is_err());
        assert!(Filter::Or(vec![]).check().is_err());
        let fine = Filter::Or(vec![leaf, Filter::NotIn("k".into(), vec![text("a"), text("b")])]);
        let compiled = Filter::compile_all(&[&fine]).unwrap();
        assert_eq!(compiled.values.as_object().unwrap().len(), 3);
    }

    #[test]
    fn of_two_filters_both_must_hold_and_their_values_do_not_mix() {
        let one = Filter::Or(vec![
            Filter::Compare(Comparison::Eq, "a".into(), text("1")),
            Filter::Compare(Comparison::Eq, "b".into(), text("2")),
        ]);
        let other = Filter::Compare(Comparison::Ne, "c".into(), text("3"));
        let both = Filter::compile_all(&[&one, &other]).unwrap();
        let (left, right) = both.path.split_once(" && (!").unwrap();
        assert!(left.starts_with("(((") && left.ends_with("))"), "{left}");
        assert!(right.starts_with("($.\"c\" == $v2)"), "{right}");
        assert_eq!(both.values, json!({"v0": "1", "v1": "2", "v2": "3"}));
    }
}
