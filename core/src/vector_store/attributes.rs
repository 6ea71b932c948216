//! Values that a client keeps with a file of a store, and filters searches by.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// One value: text, a number, or true or false.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[serde(untagged)]
pub enum AttributeValue {
    /// True or false.
    Bool(bool),
    /// A number; whole numbers stay whole.
    Number(serde_json::Number),
    /// Text of at most 512 characters.
    Text(String),
}

/// At most 16 of them by name.
pub type Attributes = BTreeMap<String, AttributeValue>;

/// Checks OpenAI's rules: at most 16 pairs, keys of 1–64 characters, text of at most 512.
///
/// # Errors
/// [`Error::Invalid`] with param `attributes`.
pub fn check_attributes(attributes: &Attributes) -> Result<()> {
    if attributes.len() > 16 {
        return Err(Error::invalid("attributes", "At most 16 attributes are allowed."));
    }
    for (key, value) in attributes {
        if key.is_empty() || key.chars().count() > 64 || key.contains('\0') {
            return Err(Error::invalid(
                "attributes",
                "Keys must have 1 to 64 characters and no NUL.",
            ));
        }
        if let AttributeValue::Text(text) = value
            && (text.chars().count() > 512 || text.contains('\0'))
        {
            return Err(Error::invalid(
                format!("attributes.{key}"),
                "Text must have at most 512 characters and no NUL.",
            ));
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_keep_their_kind() {
        let text = r#"{"a":1,"b":1.5,"c":true,"d":"x"}"#;
        let attributes: Attributes = serde_json::from_str(text).unwrap();
        assert_eq!(serde_json::to_string(&attributes).unwrap(), text);
    }

    #[test]
    fn limits_are_those_of_the_contract() {
        let value = || AttributeValue::Text("x".into());
        let many: Attributes = (0..17).map(|n| (n.to_string(), value())).collect();
        assert!(check_attributes(&many).is_err());
        assert!(check_attributes(&[("k".repeat(65), value())].into()).is_err());
        assert!(check_attributes(&[("k".into(), AttributeValue::Text("x".repeat(513)))].into()).is_err());
        assert!(check_attributes(&[("k".repeat(64), AttributeValue::Text("é".repeat(512)))].into()).is_ok());
    }
}
