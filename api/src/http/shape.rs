//! What is wrong with a JSON body, in words for its author.
//!
//! serde speaks of structs, sequences and variants; a caller wrote objects, arrays and values. The texts that
//! are translated here are those of serde's own `de::Error` constructors.

use insula_core::Error;
use serde::de::IgnoredAny;
use serde_json::error::Category;
use serde_path_to_error::{Path, Segment};

/// Explains why a body could not be read.
pub(super) fn explain(error: &serde_path_to_error::Error<serde_json::Error>, body: &[u8]) -> Error {
    match error.inner().classify() {
        // serde_json's words for a number or an object where the name of a variant should be.
        Category::Syntax
            if without_position(error.inner()) == "expected value"
                && serde_json::from_slice::<IgnoredAny>(body).is_ok() =>
        {
            data(&path(error.path()), "invalid type: other, expected a string")
        }
        Category::Data => data(&path(error.path()), &without_position(error.inner())),
        Category::Syntax | Category::Eof | Category::Io => syntax(error.inner(), body),
    }
}

/// Explains what is not JSON.
pub(super) fn syntax(error: &serde_json::Error, body: &[u8]) -> Error {
    let text = without_position(error);
    let message = if body.iter().all(u8::is_ascii_whitespace) {
        "The request body is empty; send a JSON object.".to_owned()
    } else if text.starts_with("recursion limit") {
        "The request body is nested too deeply: at most 128 levels are accepted.".to_owned()
    } else if error.classify() == Category::Eof {
        "The request body is not valid JSON: it ends too early.".to_owned()
    } else {
        format!(
            "The request body is not valid JSON: {} near byte {}.",
            text.replace('`', "'"),
            offset(error, body)
        )
    };
    Error::Invalid {
        message,
        param: None,
        code: None,
    }
}

/// Explains a value that is JSON, but not of the form that is wanted. `param` is where.
fn data(param: &str, text: &str) -> Error {
    let (param, message, code) = if let Some(field) = quoted(text, "missing field ") {
        let param = join(param, field);
        let message = format!("Missing required parameter: '{param}'.");
        (param, message, "missing_required_parameter")
    } else if let Some(field) = quoted(text, "duplicate field ") {
        let param = join(param, field);
        let message = format!("The field '{param}' is given twice.");
        (param, message, "invalid_value")
    } else if let Some((found, expected)) = mismatch(text, "invalid type: ") {
        let message = format!(
            "Invalid type for '{param}': expected {}, but got {}.",
            wanted(expected),
            got(found)
        );
        (param.to_owned(), message, "invalid_type")
    } else if let Some((found, expected)) = mismatch(text, "invalid value: ") {
        let message = format!(
            "Invalid value for '{param}': expected {}, but got {}.",
            wanted(expected),
            got(found)
        );
        (param.to_owned(), message, "invalid_value")
    } else if let Some((found, expected)) = mismatch(text, "unknown variant ") {
        let known = expected
            .trim_start_matches("one of ")
            .replace('`', "'")
            .replace("' or '", "', '");
        let found: String = found.trim_matches('`').chars().take(64).collect();
        let message = format!("Invalid value for '{param}': '{found}'. Supported values are: {known}.");
        (param.to_owned(), message, "invalid_value")
    } else if text.contains("untagged enum") {
        (
            param.to_owned(),
            format!("Invalid value for '{param}': it has none of the accepted forms."),
            "invalid_value",
        )
    } else {
        // A message of one of our own `Deserialize` implementations: already in plain words.
        (
            param.to_owned(),
            format!("Invalid value for '{param}': {text}."),
            "invalid_value",
        )
    };
    let param = (!param.is_empty()).then_some(param);
    let message = message.replace(" for ''", "");
    Error::Invalid {
        message,
        param,
        code: Some(code),
    }
}

/// `messages[0].role`
fn path(path: &Path) -> String {
    let mut text = String::new();
    for segment in path.iter() {
        match segment {
            Segment::Seq { index } => text.push_str(&format!("[{index}]")),
            Segment::Map { key } => text = join(&text, &key.chars().take(64).collect::<String>()),
            Segment::Enum { .. } | Segment::Unknown => {}
        }
    }
    text
}

fn join(parent: &str, field: &str) -> String {
    if parent.is_empty() {
        field.to_owned()
    } else {
        format!("{parent}.{field}")
    }
}

/// The name in "missing field `name`".
fn quoted<'a>(text: &'a str, prefix: &str) -> Option<&'a str> {
    text.strip_prefix(prefix)?.strip_prefix('`')?.strip_suffix('`')
}

/// The halves of "invalid type: FOUND, expected WANTED". FOUND may hold anything a caller wrote.
fn mismatch<'a>(text: &'a str, prefix: &str) -> Option<(&'a str, &'a str)> {
    text.strip_prefix(prefix)?.rsplit_once(", expected ")
}

fn wanted(expected: &str) -> &str {
    match expected {
        "u8" => "an integer from 0 to 255",
        "u16" => "an integer from 0 to 65535",
        "u32" => "an integer from 0 to 4294967295",
        "u64" | "usize" => "a non-negative integer",
        "i8" | "i16" | "i32" | "i64" | "isize" => "an integer",
        "f32" | "f64" => "a number",
        "a map" | "map" => "an object",
        "a sequence" | "sequence" => "an array",
        "variant identifier" | "string or map" => "a string",
        "unit" => "null",
        other if other.starts_with("struct ") || other.contains("tagged enum") => "an object",
        other if other.starts_with("a tuple") || other.starts_with("tuple ") => "an array",
        other => other,
    }
}

fn got(found: &str) -> String {
    match found.split(' ').next().unwrap_or_default() {
        "string" => "a string".to_owned(),
        "integer" => format!("the {}", found.replace('`', "")),
        "floating" => format!(
            "the number {}",
            found.trim_start_matches("floating point ").replace('`', "")
        ),
        "boolean" => "a boolean".to_owned(),
        "map" => "an object".to_owned(),
        "sequence" => "an array".to_owned(),
        "unit" | "null" => "null".to_owned(),
        _ => "a value of another type".to_owned(),
    }
}

/// serde_json ends every message with " at line 1 column 5".
fn without_position(error: &serde_json::Error) -> String {
    let mut text = error.to_string();
    if let Some(end) = text.rfind(" at line ") {
        text.truncate(end);
    }
    text
}

/// Byte offset of where the parser stopped.
fn offset(error: &serde_json::Error, body: &[u8]) -> usize {
    let before: usize = body
        .split(|byte| *byte == b'\n')
        .take(error.line().saturating_sub(1))
        .map(|l| l.len() + 1)
        .sum();
    (before + error.column()).saturating_sub(1)
}
