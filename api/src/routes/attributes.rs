//! Attributes of a vector store's file.

use std::collections::BTreeMap;

use insula_core::Error;
use insula_core::vector_store::{AttributeValue, Attributes};
use serde_json::Value;

/// Attributes as clients send them. The domain checks their number and lengths.
pub(super) type AttributesParam = BTreeMap<String, Value>;

/// Reads attributes; `param` is their path.
pub(super) fn read(param: &str, attributes: Option<AttributesParam>) -> Result<Attributes, Error> {
    let attributes = attributes.unwrap_or_default().into_iter();
    attributes.map(|(key, value)| Ok((key.clone(), read_value(&format!("{param}.{key}"), value)?))).collect()
}

/// Reads one value that an attribute can have, or be compared with.
pub(super) fn read_value(param: &str, value: Value) -> Result<AttributeValue, Error> {
    match value {
        Value::String(text) => Ok(AttributeValue::Text(text)),
        Value::Number(number) => Ok(AttributeValue::Number(number)),
        Value::Bool(bool) => Ok(AttributeValue::Bool(bool)),
        Value::Null | Value::Array(_) | Value::Object(_) => Err(Error::Invalid {
            message: format!("Invalid type for '{param}': expected a string, a number or a boolean."),
            param: Some(param.into()),
            code: Some("invalid_type"),
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn values_are_texts_numbers_and_booleans() {
        let read_one = |value| read("attributes", Some(BTreeMap::from([("k".to_owned(), value)])));
        assert_eq!(read_one(json!(1.5)).unwrap()["k"], AttributeValue::Number(serde_json::Number::from_f64(1.5).unwrap()));
        assert!(read_one(json!("x")).is_ok() && read_one(json!(false)).is_ok());
        for bad in [json!(null), json!([1]), json!({})] {
            let error = read_one(bad).unwrap_err();
            assert!(matches!(error, Error::Invalid { param: Some(param), .. } if param == "attributes.k"));
        }
        assert!(read("attributes", None).unwrap().is_empty());
    }
}
