//! Attribute filters as clients write them, in requests and in scoped tokens.

use serde_json::Value;

use super::filter::{Comparison, Filter};
use crate::vector_store::AttributeValue;
use crate::{Error, Result};

impl Filter {
    /// Reads a filter: `{type: eq|ne|gt|gte|lt|lte|in|nin, key, value}` or `{type: and|or, filters: [...]}`; `at` is its
    /// path in the request.
    ///
    /// # Errors
    /// [`Error::Invalid`] about the field that is wrong. Depth and size are bounded when the filter is used.
    pub fn from_json(at: &str, json: &Value) -> Result<Self> {
        let comparison = |comparison| {
            let (key, value) = (key(at, json)?, &required(at, "value", json)?);
            Ok(Self::Compare(
                comparison,
                key,
                attribute(&format!("{at}.value"), value)?,
            ))
        };
        match json["type"].as_str() {
            Some("and") => Ok(Self::And(joined(at, json)?)),
            Some("or") => Ok(Self::Or(joined(at, json)?)),
            Some("in") => Ok(Self::In(key(at, json)?, list(at, json)?)),
            Some("nin") => Ok(Self::NotIn(key(at, json)?, list(at, json)?)),
            Some("eq") => comparison(Comparison::Eq),
            Some("ne") => comparison(Comparison::Ne),
            Some("gt") => comparison(Comparison::Gt),
            Some("gte") => comparison(Comparison::Gte),
            Some("lt") => comparison(Comparison::Lt),
            Some("lte") => comparison(Comparison::Lte),
            _ => {
                let message = format!(
                    "Invalid value for '{at}.type'. Supported values are: 'eq', 'ne', 'gt', 'gte', 'lt', 'lte', \
                     'in', 'nin', 'and', 'or'."
                );
                Err(Error::invalid(format!("{at}.type"), message))
            }
        }
    }
}

fn joined(at: &str, json: &Value) -> Result<Vec<Filter>> {
    let at = format!("{at}.filters");
    match &json["filters"] {
        Value::Null => Err(missing(&at)),
        Value::Array(filters) => filters
            .iter()
            .enumerate()
            .map(|(i, filter)| Filter::from_json(&format!("{at}[{i}]"), filter))
            .collect(),
        _ => Err(wrong_type(&at, "an array")),
    }
}

fn list(at: &str, json: &Value) -> Result<Vec<AttributeValue>> {
    let value = required(at, "value", json)?;
    let at = format!("{at}.value");
    let values = value.as_array().ok_or_else(|| wrong_type(&at, "an array"))?;
    values
        .iter()
        .enumerate()
        .map(|(i, value)| attribute(&format!("{at}[{i}]"), value))
        .collect()
}

fn key(at: &str, json: &Value) -> Result<String> {
    let key = required(at, "key", json)?;
    let at = format!("{at}.key");
    let key = key.as_str().ok_or_else(|| wrong_type(&at, "a string"))?;
    no_nul(&at, key)?;
    Ok(key.to_owned())
}

/// One value that an attribute can be compared with.
fn attribute(at: &str, value: &Value) -> Result<AttributeValue> {
    match value {
        Value::String(text) => {
            no_nul(at, text)?;
            Ok(AttributeValue::Text(text.clone()))
        }
        Value::Number(number) => Ok(AttributeValue::Number(number.clone())),
        Value::Bool(bool) => Ok(AttributeValue::Bool(*bool)),
        Value::Null | Value::Array(_) | Value::Object(_) => {
            Err(wrong_type(at, "a string, a number or a boolean"))
        }
    }
}

fn required<'a>(at: &str, name: &str, json: &'a Value) -> Result<&'a Value> {
    match &json[name] {
        Value::Null => Err(missing(&format!("{at}.{name}"))),
        value => Ok(value),
    }
}

/// The database cannot store one.
fn no_nul(at: &str, text: &str) -> Result<()> {
    if text.contains('\0') {
        let message = format!("Invalid value for '{at}': it contains a NUL character.");
        return Err(Error::invalid(at, message));
    }
    Ok(())
}

fn missing(at: &str) -> Error {
    Error::Invalid {
        message: format!("Missing required parameter: '{at}'."),
        param: Some(at.into()),
        code: Some("missing_required_parameter"),
    }
}

fn wrong_type(at: &str, expected: &str) -> Error {
    Error::Invalid {
        message: format!("Invalid type for '{at}': expected {expected}."),
        param: Some(at.into()),
        code: Some("invalid_type"),
    }
}
