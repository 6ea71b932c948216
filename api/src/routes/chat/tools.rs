//! Tools and formats, checked here and passed to the provider as they came.

use insula_core::Error;
use serde_json::Value;

use crate::http::validate::{count, required, unsupported};

const MAX_TOOLS: usize = 128;

/// Checks that all tools are functions with usable names.
pub(super) fn check(tools: Vec<Value>) -> Result<Vec<Value>, Error> {
    count("tools", tools.len(), 0..=MAX_TOOLS)?;
    for (i, tool) in tools.iter().enumerate() {
        let at = format!("tools[{i}]");
        match string(tool, "type", &at)? {
            "function" => {}
            _ => {
                return Err(unsupported(
                    &format!("{at}.type"),
                    "A tool of a type other than 'function'",
                ));
            }
        }
        let at = format!("{at}.function");
        let function = object(tool, "function", &at)?;
        identifier(function, &at)?;
        if let Some(parameters) = function.get("parameters")
            && !parameters.is_object()
            && !parameters.is_null()
        {
            return Err(wrong_type(&format!("{at}.parameters"), "an object"));
        }
    }
    Ok(tools)
}

/// Checks which tool shall be called. A choice among no tools is dropped if it asks for none.
pub(super) fn check_choice(choice: Option<Value>, tools: &[Value]) -> Result<Option<Value>, Error> {
    let Some(choice) = choice else { return Ok(None) };
    let at = "tool_choice";
    match &choice {
        Value::String(word) => match word.as_str() {
            "none" | "auto" if tools.is_empty() => Ok(None),
            "none" | "auto" => Ok(Some(choice)),
            "required" if tools.is_empty() => Err(Error::invalid(
                at,
                "'tool_choice' is 'required', but no tools are given.",
            )),
            "required" => Ok(Some(choice)),
            _ => Err(Error::invalid(
                at,
                "Invalid value for 'tool_choice'. Supported values are: 'none', 'auto', 'required', or a function.",
            )),
        },
        Value::Object(_) => {
            if string(&choice, "type", at)? != "function" {
                return Err(unsupported(
                    "tool_choice.type",
                    "A choice of a type other than 'function'",
                ));
            }
            let at = "tool_choice.function";
            let name = identifier(object(&choice, "function", at)?, at)?;
            let known = tools
                .iter()
                .any(|tool| tool["function"]["name"].as_str() == Some(name));
            if known {
                Ok(Some(choice))
            } else {
                Err(Error::invalid(at, format!("There is no tool named '{name}'.")))
            }
        }
        _ => Err(wrong_type(at, "a string or an object")),
    }
}

/// Checks the format of the answer. `text` is the default and needs no words.
pub(super) fn check_response_format(format: Option<Value>) -> Result<Option<Value>, Error> {
    let Some(format) = format else { return Ok(None) };
    let at = "response_format";
    if !format.is_object() {
        return Err(wrong_type(at, "an object"));
    }
    match string(&format, "type", at)? {
        "text" => Ok(None),
        "json_object" => Ok(Some(format)),
        "json_schema" => {
            let at = "response_format.json_schema";
            let schema = object(&format, "json_schema", at)?;
            identifier(schema, at)?;
            if schema
                .get("schema")
                .is_some_and(|schema| !schema.is_object() && !schema.is_null())
            {
                return Err(wrong_type(&format!("{at}.schema"), "an object"));
            }
            Ok(Some(format))
        }
        _ => Err(Error::invalid(
            "response_format.type",
            "Invalid value for 'response_format.type'. Supported values are: 'text', 'json_object', 'json_schema'.",
        )),
    }
}

/// The text at `key` of the object at `at`.
fn string<'a>(value: &'a Value, key: &str, at: &str) -> Result<&'a str, Error> {
    let path = format!("{at}.{key}");
    match value.get(key) {
        Some(Value::String(text)) => Ok(text),
        Some(Value::Null) | None => required(&path, None),
        Some(_) => Err(wrong_type(&path, "a string")),
    }
}

/// The object at `key`; `at` is its own path.
fn object<'a>(value: &'a Value, key: &str, at: &str) -> Result<&'a Value, Error> {
    match value.get(key) {
        Some(object @ Value::Object(_)) => Ok(object),
        Some(Value::Null) | None => required(at, None),
        Some(_) => Err(wrong_type(at, "an object")),
    }
}

/// The `name` of the object at `at`, as providers accept names.
fn identifier<'a>(value: &'a Value, at: &str) -> Result<&'a str, Error> {
    let name = string(value, "name", at)?;
    check_identifier(&format!("{at}.name"), name)?;
    Ok(name)
}

/// Refuses a name that providers would refuse; `at` is its own path.
pub(in crate::routes) fn check_identifier(at: &str, name: &str) -> Result<(), Error> {
    let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'_' | b'-');
    if (1..=64).contains(&name.len()) && name.bytes().all(plain) {
        return Ok(());
    }
    let message =
        format!("Invalid value for '{at}': expected 1 to 64 letters, digits, underscores and dashes.");
    Err(Error::invalid(at, message))
}

fn wrong_type(param: &str, expected: &str) -> Error {
    Error::Invalid {
        message: format!("Invalid type for '{param}': expected {expected}."),
        param: Some(param.into()),
        code: Some("invalid_type"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn tool(name: &str) -> Value {
        json!({"type": "function", "function": {"name": name, "parameters": {"type": "object"}, "strict": true}})
    }

    fn param<T: std::fmt::Debug>(result: Result<T, Error>) -> String {
        match result {
            Err(Error::Invalid {
                param: Some(param), ..
            }) => param,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn functions_pass_unchanged_and_other_tools_are_refused() {
        assert_eq!(check(vec![tool("get_weather")]).unwrap(), [tool("get_weather")]);
        for (bad, wanted) in [
            (
                json!({"type": "custom", "custom": {"name": "x"}}),
                "tools[0].type",
            ),
            (json!({"type": "web_search"}), "tools[0].type"),
            (json!({"function": {"name": "x"}}), "tools[0].type"),
            (json!("function"), "tools[0].type"),
            (json!({"type": "function"}), "tools[0].function"),
            (
                json!({"type": "function", "function": {}}),
                "tools[0].function.name",
            ),
            (tool("no spaces"), "tools[0].function.name"),
            (tool(&"x".repeat(65)), "tools[0].function.name"),
            (
                json!({"type": "function", "function": {"name": "f", "parameters": []}}),
                "tools[0].function.parameters",
            ),
        ] {
            assert_eq!(param(check(vec![bad.clone()])), wanted, "{bad}");
        }
        assert_eq!(param(check(vec![tool("f"); 129])), "tools");
    }

    #[test]
    fn a_choice_needs_what_it_chooses() {
        let tools = [tool("f")];
        let named = |name| json!({"type": "function", "function": {"name": name}});
        for good in [json!("none"), json!("auto"), json!("required"), named("f")] {
            assert_eq!(check_choice(Some(good.clone()), &tools).unwrap(), Some(good));
        }
        assert_eq!(check_choice(Some(json!("auto")), &[]).unwrap(), None);
        for (bad, tools, wanted) in [
            (json!("required"), &[][..], "tool_choice"),
            (json!("any"), &tools, "tool_choice"),
            (json!(1), &tools, "tool_choice"),
            (named("g"), &tools, "tool_choice.function"),
            (json!({"type": "allowed_tools"}), &tools, "tool_choice.type"),
        ] {
            assert_eq!(param(check_choice(Some(bad.clone()), tools)), wanted, "{bad}");
        }
    }

    #[test]
    fn formats_are_three() {
        let schema =
            json!({"type": "json_schema", "json_schema": {"name": "s", "schema": {}, "strict": true}});
        assert_eq!(
            check_response_format(Some(json!({"type": "text"}))).unwrap(),
            None
        );
        assert_eq!(check_response_format(Some(schema.clone())).unwrap(), Some(schema));
        assert!(
            check_response_format(Some(json!({"type": "json_object"})))
                .unwrap()
                .is_some()
        );
        for (bad, wanted) in [
            (json!("json"), "response_format"),
            (json!({"type": "xml"}), "response_format.type"),
            (json!({"type": "json_schema"}), "response_format.json_schema"),
            (
                json!({"type": "json_schema", "json_schema": {"schema": {}}}),
                "response_format.json_schema.name",
            ),
        ] {
            assert_eq!(param(check_response_format(Some(bad.clone()))), wanted, "{bad}");
        }
    }
}
