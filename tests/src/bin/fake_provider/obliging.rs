//! The model `obliging`: what it is asked for in a schema, it gives.

use serde_json::{Map, Value, json};

/// How deep schemas may lie in each other.
const DEEPEST: usize = 16;

/// The next call of a function: each that is offered once, or the one that is named, with arguments as its schema wants them.
pub(crate) fn call(body: &Value) -> Option<Value> {
    let tools = body["tools"].as_array()?;
    let named = &body["tool_choice"]["function"]["name"];
    let called: Vec<&Value> = body["messages"]
        .as_array()?
        .iter()
        .filter_map(|message| message["tool_calls"].as_array())
        .flatten()
        .map(|call| &call["function"]["name"])
        .collect();
    if body["tool_choice"] == "none" {
        return None;
    }
    let wanted = |tool: &&Value| match named {
        Value::Null => !called.contains(&&tool["function"]["name"]),
        named => tool["function"]["name"] == *named,
    };
    let function = &tools.iter().find(wanted)?["function"];
    let arguments = value(&function["parameters"], &function["parameters"], 0).to_string();
    let id = format!("call_{}", called.len() + 1);
    let function = json!({"name": function["name"], "arguments": arguments});
    Some(json!({"id": id, "type": "function", "function": function}))
}

/// What it says: JSON if that is asked for, else what the last function answered, else what was said last.
pub(crate) fn text(body: &Value) -> String {
    let format = &body["response_format"];
    let schema = &format["json_schema"]["schema"];
    if format["type"] == "json_schema" {
        return value(schema, schema, 0).to_string();
    }
    if format["type"] == "json_object" {
        return json!({"city": "Basra", "degrees": 31}).to_string();
    }
    let last = body["messages"].as_array().and_then(|messages| messages.last());
    let content = last.map_or(Value::Null, |message| message["content"].clone());
    let parts = content.as_array().map(|parts| {
        let texts = parts.iter().filter_map(|part| part["text"].as_str());
        texts.collect::<Vec<_>>().join(" ")
    });
    let said = content.as_str().map(str::to_owned).or(parts).unwrap_or_default();
    format!("I heard: {said}")
}

/// A value that `schema` allows, as far as the schemas of tests go.
fn value(schema: &Value, root: &Value, depth: usize) -> Value {
    if depth > DEEPEST {
        return Value::Null;
    }
    if let Some(place) = schema["$ref"].as_str() {
        let found = root
            .pointer(place.trim_start_matches('#'))
            .unwrap_or(&Value::Null);
        return value(found, root, depth + 1);
    }
    if let Some(constant) = schema.get("const") {
        return constant.clone();
    }
    if let Some(first) = schema["enum"].get(0) {
        return first.clone();
    }
    for several in ["anyOf", "oneOf", "allOf"] {
        if let Some(first) = schema[several].get(0) {
            return value(first, root, depth + 1);
        }
    }
    let kind = match &schema["type"] {
        Value::Array(kinds) => kinds.first().and_then(Value::as_str),
        kind => kind.as_str(),
    };
    match kind {
        Some("string") => json!("Basra"),
        Some("integer") => json!(31),
        Some("number") => json!(31.5),
        Some("boolean") => json!(true),
        Some("array") => json!([value(&schema["items"], root, depth + 1)]),
        Some("null") => Value::Null,
        _ => {
            let properties = schema["properties"].as_object().into_iter().flatten();
            let filled: Map<String, Value> = properties
                .map(|(name, schema)| (name.clone(), value(schema, root, depth + 1)))
                .collect();
            Value::Object(filled)
        }
    }
}
