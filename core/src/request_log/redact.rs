//! What is taken out of an entry before it is stored.

use serde_json::{Map, Value, json};

use crate::guard;

/// The value without personal data in its strings.
pub(super) fn strings(value: Value) -> Value {
    match value {
        Value::String(text) => Value::String(guard::redact_all(&text)),
        Value::Array(items) => Value::Array(items.into_iter().map(strings).collect()),
        Value::Object(fields) => {
            let redacted = fields.into_iter().map(|(name, value)| (name, strings(value)));
            Value::Object(redacted.collect::<Map<_, _>>())
        }
        other => other,
    }
}

/// The value, or its beginning as text where it is larger than `most` bytes. Without what Postgres cannot store.
pub(super) fn bound(value: Value, most: usize) -> Value {
    let text = value.to_string();
    if text.len() > most {
        let end = (0..=most)
            .rev()
            .find(|end| text.is_char_boundary(*end))
            .unwrap_or(0);
        return json!({"truncated": true, "beginning": without_nul(&text[..end])});
    }
    if text.contains("\\u0000") {
        return serde_json::from_str(&without_nul(&text)).unwrap_or(Value::Null);
    }
    value
}

/// JSON text in which NUL characters are replaced.
fn without_nul(text: &str) -> String {
    text.replace("\\u0000", "\\ufffd")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn personal_data_is_taken_out_of_every_string() {
        let value = json!({"messages": [{"content": "I am ada@example.com", "n": 7}], "ok": null});
        assert_eq!(
            strings(value),
            json!({"messages": [{"content": "I am [EMAIL]", "n": 7}], "ok": null})
        );
    }

    #[test]
    fn what_is_too_large_is_cut_at_a_character() {
        let cut = bound(json!({"text": "é".repeat(100)}), 32);
        assert_eq!(cut["truncated"], true);
        assert!(cut["beginning"].as_str().unwrap().len() <= 32);
        assert_eq!(bound(json!("x"), 32), json!("x"));
        assert_eq!(bound(json!("a\0b"), 32), json!("a\u{fffd}b"));
    }
}
