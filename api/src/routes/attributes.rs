//! What clients keep with an object: attributes of a vector store's file, metadata.

use std::collections::BTreeMap;

use insula_core::Error;
use insula_core::vector_store::{AttributeValue, Attributes, Metadata};
use serde_json::Value;

use crate::http::validate::no_nul;

/// Attributes as clients send them. The domain checks their number and lengths.
pub(super) type AttributesParam = BTreeMap<String, Value>;

/// Reads attributes; `param` is their path.
pub(super) fn read(param: &str, attributes: Option<AttributesParam>) -> Result<Attributes, Error> {
    let attributes = attributes.unwrap_or_default().into_iter();
    let read = |(key, value): (String, Value)| {
        no_nul(param, &key)?;
        let value = read_value(&format!("{param}.{key}"), value)?;
        Ok((key, value))
    };
    attributes.map(read).collect()
}

/// Checks that metadata can be stored. The domain checks its number and lengths.
pub(super) fn storable(metadata: &Metadata) -> Result<(), Error> {
    metadata.iter().try_for_each(|(key, value)| {
        no_nul("metadata", key)?;
        no_nul(&format!("metadata.{key}"), value)
    })
}

/// Reads one value that an attribute can have, or be compared with.
pub(super) fn read_value(param: &str, value: Value) -> Result<AttributeValue, Error> {
    match value {
        Value::String(text) => {
            no_nul(param, &text)?;
            Ok(AttributeValue::Text(text))
        }
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
        assert_eq!(
            read_one(json!(1.5)).unwrap()["k"],
            AttributeValue::Number(serde_json::Number::from_f64(1.5).unwrap())
        );
        assert!(read_one(json!("x")).is_ok() && read_one(json!(false)).is_ok());
        for bad in [json!(null), json!([1]), json!({})] {
            let error = read_one(bad).unwrap_err();
            assert!(matches!(error, Error::Invalid { param: Some(param), .. } if param == "attributes.k"));
        }
        assert!(read("attributes", None).unwrap().is_empty());
    }

    #[test]
    fn nul_cannot_be_stored_and_is_refused_where_it_is() {
        let param = |result: Result<(), Error>| match result {
            Err(Error::Invalid { param, .. }) => param.unwrap(),
            other => panic!("{other:?}"),
        };
        let attribute = |key: &str, value: &str| {
            read(
                "attributes",
                Some(BTreeMap::from([(key.to_owned(), json!(value))])),
            )
            .map(drop)
        };
        assert_eq!(param(attribute("k", "a\0")), "attributes.k");
        assert_eq!(param(attribute("k\0", "a")), "attributes");
        let metadata = |key: &str, value: &str| storable(&Metadata::from([(key.into(), value.into())]));
        assert_eq!(param(metadata("k", "a\0")), "metadata.k");
        assert_eq!(param(metadata("k\0", "a")), "metadata");
        assert!(metadata("k", "a").is_ok());
    }
}
