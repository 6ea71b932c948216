//! What is sent.

use insula_core::model::{ChatOptions, ChatRequest};
use insula_core::{Error, Result};
use serde::Serialize;
use serde_json::{Map, Value, json};

use super::messages::{self, Turn};
use super::{AnthropicOptions, JsonSchema};
use crate::openai::ChatOption;

/// The tool whose arguments are an answer of a schema.
const ANSWER: &str = "answer";

/// What makes models that know no JSON mode answer in JSON.
const JSON_ONLY: &str = "Answer with one JSON object and nothing else: no words around it, no code fence.";

/// The body of `POST /messages`. What is not set is left to the provider.
#[derive(Debug, Serialize)]
pub(super) struct Body<'a> {
    model: &'a str,
    max_tokens: u32,
    #[serde(skip_serializing_if = "String::is_empty")]
    system: String,
    messages: Vec<Turn<'a>>,
    #[serde(skip_serializing_if = "Option::is_none")]
    temperature: Option<f64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    top_p: Option<f64>,
    #[serde(skip_serializing_if = "<[String]>::is_empty")]
    stop_sequences: &'a [String],
    #[serde(skip_serializing_if = "Vec::is_empty")]
    tools: Vec<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    tool_choice: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    output_config: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    metadata: Option<Value>,
    stream: bool,
    #[serde(flatten)]
    extra: &'a Map<String, Value>,
}

impl<'a> Body<'a> {
    pub(super) fn new(request: &'a ChatRequest, stream: bool, config: &'a AnthropicOptions) -> Result<Self> {
        let options = &request.options;
        let sends = |option| !config.unsupported.contains(&option);
        let (mut system, messages) = messages::turns(&request.messages)?;
        let format = options
            .response_format
            .as_ref()
            .filter(|_| sends(ChatOption::ResponseFormat));
        if format.is_some_and(|format| format["type"] == "json_object") {
            system.push(JSON_ONLY);
        }
        let mut tools = options
            .tools
            .iter()
            .enumerate()
            .map(|(n, given)| tool(n, given, config.json_schema))
            .collect::<Result<Vec<_>>>()?;
        let mut choice = tool_choice(options, &sends)?;
        let mut output_config = None;
        if let Some(schema) = format.and_then(schema) {
            match config.json_schema {
                JsonSchema::OutputConfig => {
                    output_config = Some(json!({"format": {"type": "json_schema", "schema": schema}}));
                }
                // With tools of the caller's beside it, the model may call those first.
                JsonSchema::Tool => {
                    choice = Some(match tools.is_empty() {
                        true => json!({"type": "tool", "name": ANSWER}),
                        false => json!({"type": "any"}),
                    });
                    tools.push(json!({
                        "name": ANSWER,
                        "description": "Gives the answer. Call it exactly once, when you know the answer.",
                        "input_schema": schema,
                    }));
                }
            }
        }
        Ok(Self {
            model: &request.model,
            max_tokens: options.max_tokens.unwrap_or(config.max_tokens),
            system: system.join("\n\n"),
            messages,
            // OpenAI's scale goes to 2.
            temperature: options
                .temperature
                .filter(|_| sends(ChatOption::Temperature))
                .map(|temperature| temperature.min(1.0)),
            top_p: options.top_p.filter(|_| sends(ChatOption::TopP)),
            stop_sequences: Some(options.stop.as_slice())
                .filter(|_| sends(ChatOption::Stop))
                .unwrap_or_default(),
            tool_choice: choice.filter(|_| !tools.is_empty()),
            tools,
            output_config,
            metadata: options
                .user
                .as_ref()
                .filter(|_| sends(ChatOption::User))
                .map(|user| json!({"user_id": user})),
            stream,
            extra: &config.extra_body,
        })
    }
}

/// The schema of a `json_schema` format.
fn schema(format: &Value) -> Option<&Value> {
    (format["type"] == "json_schema")
        .then(|| format.pointer("/json_schema/schema"))
        .flatten()
}

/// The name of the tool whose arguments are the answer, if this call is answered so.
pub(super) fn answers_by_tool(options: &ChatOptions, config: &AnthropicOptions) -> Option<&'static str> {
    let asked = config.json_schema == JsonSchema::Tool
        && !config.unsupported.contains(&ChatOption::ResponseFormat)
        && options.response_format.as_ref().and_then(schema).is_some();
    asked.then_some(ANSWER)
}

/// A function tool in Anthropic's shape.
fn tool(n: usize, given: &Value, json_schema: JsonSchema) -> Result<Value> {
    let function = given.get("function").unwrap_or(&Value::Null);
    let Some(name) = function["name"].as_str() else {
        return Err(Error::invalid(
            format!("tools[{n}]"),
            "must be a function with a name for this model.",
        ));
    };
    let mut tool = Map::new();
    tool.insert("name".into(), name.into());
    if let Some(description) = function["description"].as_str() {
        tool.insert("description".into(), description.into());
    }
    let parameters = function.get("parameters").filter(|value| value.is_object());
    let anything = || json!({"type": "object", "properties": {}});
    tool.insert(
        "input_schema".into(),
        parameters.cloned().unwrap_or_else(anything),
    );
    // Came with output_config; older models refuse it.
    if function["strict"] == true && json_schema == JsonSchema::OutputConfig {
        tool.insert("strict".into(), true.into());
    }
    Ok(tool.into())
}

fn tool_choice(options: &ChatOptions, sends: &impl Fn(ChatOption) -> bool) -> Result<Option<Value>> {
    let one_at_a_time = options.parallel_tool_calls == Some(false) && sends(ChatOption::ParallelToolCalls);
    let given = options
        .tool_choice
        .as_ref()
        .filter(|_| sends(ChatOption::ToolChoice));
    let mut choice = match given {
        None if one_at_a_time => json!({"type": "auto"}),
        None => return Ok(None),
        Some(Value::String(word)) => match word.as_str() {
            "none" => return Ok(Some(json!({"type": "none"}))),
            "required" => json!({"type": "any"}),
            _ => json!({"type": "auto"}),
        },
        Some(named) => match named.pointer("/function/name") {
            Some(name) => json!({"type": "tool", "name": name}),
            None => {
                let message = "must be none, auto, required or a function for this model.";
                return Err(Error::invalid("tool_choice", message));
            }
        },
    };
    if one_at_a_time {
        choice["disable_parallel_tool_use"] = true.into();
    }
    Ok(Some(choice))
}

#[cfg(test)]
#[path = "request_tests.rs"]
mod tests;
