//! The body of `POST /v1/responses`.

use insula_core::Error;
use insula_core::model::ChatOptions;
use insula_core::response::{Before, FileSearch, ResponseCall};
use insula_core::vector_store::{Metadata, check_metadata};
use insula_tenancy::{ConversationId, ResponseId};
use serde::{Deserialize, Serialize};
use serde_json::{Value, json};
use utoipa::ToSchema;

use super::input::{self, InputItem, wrong_type};
use super::tools::{self, TextParam, ToolParam};
use crate::http::validate::{name, no_nul, optional_range, required, unsupported};
use crate::routes::attributes::storable;
use crate::routes::chat::end_user;
use crate::routes::ids::body_id;
use crate::routes::wire::TextOr;

/// Items to be answered. Fields that are not listed are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateResponseRequest)]
pub struct CreateResponse {
    /// A model, or an assistant (`/v1/insula/assistants`).
    #[schema(example = "insula/extractive")]
    pub model: String,
    /// A text of the user's, or items.
    #[schema(value_type = InputParam)]
    pub input: TextOr<InputItem>,
    /// Put before everything else. Not kept for the responses that go on from this one.
    pub instructions: Option<String>,
    /// The response that this one goes on from.
    pub previous_response_id: Option<String>,
    /// The conversation that this response goes on from and is added to.
    #[schema(value_type = Option<ConversationParam>)]
    pub conversation: Option<Value>,
    /// Whether the response is kept, so that it can be read and gone on from.
    #[schema(default = true)]
    pub store: Option<bool>,
    /// Up to 16 notes of your own.
    #[schema(value_type = Option<Object>)]
    pub metadata: Option<Metadata>,
    /// Functions that the model may call, and the search over vector stores.
    pub tools: Option<Vec<ToolParam>>,
    /// `none`, `auto`, `required`, `{"type": "function", "name": …}` or `{"type": "file_search"}`.
    #[schema(value_type = Option<Value>)]
    pub tool_choice: Option<Value>,
    /// Whether several functions may be called at once.
    #[schema(default = true)]
    pub parallel_tool_calls: Option<bool>,
    /// Most searches.
    #[schema(minimum = 1)]
    pub max_tool_calls: Option<u32>,
    /// What the answer tells besides: `file_search_call.results`.
    pub include: Option<Vec<String>>,
    /// Whether to answer piece by piece, as server-sent events.
    pub stream: Option<bool>,
    /// The shape of the answer.
    pub text: Option<TextParam>,
    /// Most tokens to generate in one call of the model.
    #[schema(minimum = 16)]
    pub max_output_tokens: Option<u32>,
    /// Randomness.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    #[schema(minimum = 0, maximum = 1)]
    pub top_p: Option<f64>,
    /// The tenant's end user.
    pub user: Option<String>,
    /// The tenant's end user, under its newer name.
    pub safety_identifier: Option<String>,

    // Fields without effect, which the response tells again.
    #[schema(ignore)]
    truncation: Option<String>,
    #[schema(ignore)]
    reasoning: Option<Value>,
    #[schema(ignore)]
    service_tier: Option<String>,
    #[schema(ignore)]
    prompt_cache_key: Option<String>,
    #[schema(ignore)]
    top_logprobs: Option<u32>,

    // Fields that change the answer, so that ignoring them would be a lie.
    #[schema(ignore)]
    background: Option<bool>,
    #[schema(ignore)]
    prompt: Option<Value>,
}

/// A text of the user's, or items.
#[derive(ToSchema)]
#[schema(as = ResponseInput)]
#[expect(dead_code, reason = "only its schema is used: `TextOr` is read by hand")]
#[serde(untagged)]
pub(super) enum InputParam {
    /// A text.
    Text(String),
    /// Items.
    Items(Vec<InputItem>),
}

/// A conversation, by its id alone or as an object.
#[derive(ToSchema)]
#[schema(as = ResponseConversationParam)]
#[expect(dead_code, reason = "only its schema is used")]
#[serde(untagged)]
pub(super) enum ConversationParam {
    /// Its id, `conv_…`.
    Id(String),
    /// An object with its id.
    Object {
        /// Its id, `conv_…`.
        id: String,
    },
}

/// What the client asked for, as the response tells it again.
#[derive(Debug, Clone, Default, Serialize, Deserialize, ToSchema)]
#[schema(as = ResponseSettings)]
pub struct Asked {
    /// What was put before everything else.
    #[schema(required)]
    pub instructions: Option<String>,
    /// Most tokens of a call of the model.
    #[schema(required)]
    pub max_output_tokens: Option<u32>,
    /// Most searches.
    #[schema(required)]
    pub max_tool_calls: Option<u32>,
    /// Whether several functions may be called at once.
    pub parallel_tool_calls: bool,
    /// Has no effect.
    #[schema(required)]
    pub prompt_cache_key: Option<String>,
    /// Has no effect.
    #[schema(value_type = Object)]
    pub reasoning: Value,
    /// The tenant's end user.
    #[schema(required)]
    pub safety_identifier: Option<String>,
    /// Has no effect.
    pub service_tier: String,
    /// Randomness.
    #[schema(required)]
    pub temperature: Option<f64>,
    /// The shape of the answer.
    pub text: TextParam,
    /// What had to be called.
    #[schema(value_type = Value)]
    pub tool_choice: Value,
    /// What could be called.
    #[schema(value_type = Vec<Object>)]
    pub tools: Vec<Value>,
    /// Has no effect.
    #[schema(required)]
    pub top_logprobs: Option<u32>,
    /// Nucleus sampling.
    #[schema(required)]
    pub top_p: Option<f64>,
    /// Has no effect.
    pub truncation: String,
    /// The tenant's end user.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub user: Option<String>,
}

/// A checked call.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) call: ResponseCall,
    pub(super) stream: bool,
    /// Whether searches tell what they found.
    pub(super) with_results: bool,
    /// The place of the search among the tools.
    pub(super) search_at: Option<usize>,
}

impl CreateResponse {
    /// Refuses what the lines of a batch cannot be: they are called in any order, and sometimes twice.
    pub(in crate::routes) fn check_for_batch(&self) -> Result<(), Error> {
        if self.conversation.is_some() {
            return Err(unsupported("conversation", "A conversation in a batch"));
        }
        Ok(())
    }

    /// Checks every field.
    pub(super) fn check(self) -> Result<Checked, Error> {
        if self.background == Some(true) {
            return Err(unsupported("background", "Answering in the background"));
        }
        if self.prompt.is_some() {
            return Err(unsupported("prompt", "A stored prompt"));
        }
        name("model", &self.model, 256)?;
        let with_results = results_wanted(self.include.as_deref().unwrap_or_default())?;
        let tools = tools::check(self.tools.unwrap_or_default())?;
        let choice = tools::check_choice(self.tool_choice, &tools)?;
        let asked_text = self.text.unwrap_or_default();
        let (response_format, format) = tools::check_format(&asked_text)?;
        if let Some(instructions) = &self.instructions {
            no_nul("instructions", instructions)?;
        }
        let metadata = self.metadata.unwrap_or_default();
        storable(&metadata)?;
        check_metadata(&metadata)?;
        let max_output_tokens = optional_range("max_output_tokens", self.max_output_tokens, 16..=u32::MAX)?;
        let temperature = optional_range("temperature", self.temperature, 0.0..=2.0)?;
        let top_p = optional_range("top_p", self.top_p, 0.0..=1.0)?;
        let max_tool_calls = optional_range("max_tool_calls", self.max_tool_calls, 1..=u32::MAX)?;
        let before = before(self.previous_response_id, self.conversation)?;
        let asked = Asked {
            max_output_tokens,
            max_tool_calls,
            parallel_tool_calls: self.parallel_tool_calls.unwrap_or(true),
            reasoning: reasoning(self.reasoning)?,
            service_tier: choice_of(
                "service_tier",
                self.service_tier,
                &[
                    "auto",
                    "default",
                    "flex",
                    "scale",
                    "priority",
                    "fast",
                    "ultrafast",
                ],
            )?,
            temperature: Some(temperature.unwrap_or(1.0)),
            text: TextParam {
                format: Some(format),
                verbosity: asked_text.verbosity,
            },
            tool_choice: choice.echo,
            tools: tools.echo,
            top_logprobs: optional_range("top_logprobs", self.top_logprobs, 0..=20)?,
            top_p: Some(top_p.unwrap_or(1.0)),
            truncation: choice_of("truncation", self.truncation, &["disabled", "auto"])?,
            instructions: self.instructions.clone(),
            prompt_cache_key: self.prompt_cache_key,
            safety_identifier: self.safety_identifier.clone(),
            user: self.user.clone(),
        };
        let asked = serde_json::to_value(asked).map_err(Error::internal)?;
        no_nul_within("", &asked)?;
        let (search_at, file_search) = match tools.search {
            // A search that must not be made is as good as none.
            Some((at, grounding)) if !choice.none => {
                let forced = choice.search;
                (Some(at), Some(FileSearch { grounding, forced }))
            }
            _ => (None, None),
        };
        let call = ResponseCall {
            options: ChatOptions {
                max_tokens: max_output_tokens,
                temperature,
                top_p,
                tools: if choice.none { Vec::new() } else { tools.functions },
                tool_choice: choice.choice,
                parallel_tool_calls: self.parallel_tool_calls,
                response_format,
                user: end_user(self.safety_identifier, self.user)?,
                ..ChatOptions::default()
            },
            input: input::convert(self.input)?,
            model: self.model,
            instructions: self.instructions,
            before,
            file_search,
            max_tool_calls,
            store: self.store.unwrap_or(true),
            metadata,
            asked,
        };
        Ok(Checked {
            call,
            stream: self.stream.unwrap_or(false),
            with_results,
            search_at,
        })
    }
}

/// Whether `include` asks for what searches found. What else is known has nothing to tell here.
pub(in crate::routes) fn results_wanted<T: AsRef<str>>(include: &[T]) -> Result<bool, Error> {
    const RESULTS: &str = "file_search_call.results";
    const WITHOUT_EFFECT: [&str; 6] = [
        "web_search_call.results",
        "web_search_call.action.sources",
        "message.input_image.image_url",
        "computer_call_output.output.image_url",
        "code_interpreter_call.outputs",
        "reasoning.encrypted_content",
    ];
    for (i, wanted) in include.iter().enumerate() {
        let wanted = wanted.as_ref();
        if wanted != RESULTS && !WITHOUT_EFFECT.contains(&wanted) {
            let at = format!("include[{i}]");
            let message = format!("Invalid value for '{at}'. Supported values are: '{RESULTS}'.");
            return Err(Error::invalid(at, message));
        }
    }
    Ok(include.iter().any(|wanted| wanted.as_ref() == RESULTS))
}

fn before(previous: Option<String>, conversation: Option<Value>) -> Result<Option<Before>, Error> {
    let conversation = match conversation {
        None => None,
        Some(Value::String(id)) => Some(("conversation", id)),
        Some(Value::Object(mut object)) => match object.remove("id") {
            Some(Value::String(id)) => Some(("conversation.id", id)),
            Some(Value::Null) | None => return required("conversation.id", None),
            Some(_) => return Err(wrong_type("conversation.id", "a string")),
        },
        Some(_) => return Err(wrong_type("conversation", "an id, or an object with an id")),
    };
    match (previous, conversation) {
        (None, None) => Ok(None),
        (Some(id), None) => {
            let id: ResponseId = body_id("previous_response_id", &id)?;
            Ok(Some(Before::Response(id)))
        }
        (None, Some((at, id))) => {
            let id: ConversationId = body_id(at, &id)?;
            Ok(Some(Before::Conversation(id)))
        }
        (Some(_), Some(_)) => Err(Error::invalid(
            "previous_response_id",
            "Give either 'previous_response_id' or 'conversation'.",
        )),
    }
}

fn reasoning(reasoning: Option<Value>) -> Result<Value, Error> {
    let mut told = json!({"effort": null, "summary": null});
    match reasoning {
        None => Ok(told),
        Some(Value::Object(asked)) => {
            for key in ["effort", "summary"] {
                told[key] = match asked.get(key) {
                    None | Some(Value::Null) => Value::Null,
                    Some(Value::String(word)) => json!(word),
                    Some(_) => return Err(wrong_type(&format!("reasoning.{key}"), "a string")),
                };
            }
            Ok(told)
        }
        Some(_) => Err(wrong_type("reasoning", "an object")),
    }
}

/// One of the known words; the first one if none is given.
fn choice_of(at: &str, word: Option<String>, known: &[&str]) -> Result<String, Error> {
    match word {
        None => Ok(known.first().copied().unwrap_or_default().to_owned()),
        Some(word) if known.contains(&word.as_str()) => Ok(word),
        Some(_) => {
            let known: Vec<String> = known.iter().map(|word| format!("'{word}'")).collect();
            let message = format!(
                "Invalid value for '{at}'. Supported values are: {}.",
                known.join(", ")
            );
            Err(Error::invalid(at, message))
        }
    }
}

/// Refuses a NUL anywhere inside.
fn no_nul_within(at: &str, value: &Value) -> Result<(), Error> {
    match value {
        Value::String(text) => no_nul(at, text),
        Value::Array(items) => {
            let mut items = items.iter().enumerate();
            items.try_for_each(|(i, item)| no_nul_within(&format!("{at}[{i}]"), item))
        }
        Value::Object(fields) => fields.iter().try_for_each(|(key, value)| {
            let at = if at.is_empty() {
                key.clone()
            } else {
                format!("{at}.{key}")
            };
            no_nul(&at, key)?;
            no_nul_within(&at, value)
        }),
        _ => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn check(patch: Value) -> Result<Checked, Error> {
        let mut body = json!({"model": "m", "input": "hi"});
        for (key, value) in patch.as_object().unwrap() {
            body[key] = value.clone();
        }
        crate::http::parse_json::<CreateResponse>(body.to_string().as_bytes())?.check()
    }

    #[test]
    fn every_range_is_kept_and_what_is_not_done_is_refused() {
        for (patch, wanted) in [
            (json!({"temperature": 2.1}), "temperature"),
            (json!({"top_p": -1}), "top_p"),
            (json!({"max_output_tokens": 15}), "max_output_tokens"),
            (json!({"max_tool_calls": 0}), "max_tool_calls"),
            (json!({"top_logprobs": 21}), "top_logprobs"),
            (json!({"truncation": "some"}), "truncation"),
            (json!({"service_tier": "first"}), "service_tier"),
            (json!({"reasoning": 1}), "reasoning"),
            (json!({"include": ["x"]}), "include[0]"),
            (json!({"background": true}), "background"),
            (json!({"prompt": {"id": "x"}}), "prompt"),
            (json!({"conversation": 7}), "conversation"),
            (json!({"metadata": {"k": "a\0"}}), "metadata.k"),
            (json!({"instructions": "a\0"}), "instructions"),
            (json!({"prompt_cache_key": "a\0"}), "prompt_cache_key"),
            (
                json!({"tools": [{"type": "function", "name": "f", "parameters": {"k": "a\0"}}]}),
                "tools[0].parameters.k",
            ),
            (json!({"user": "x".repeat(513)}), "user"),
            (json!({"model": ""}), "model"),
        ] {
            match check(patch.clone()) {
                Err(Error::Invalid {
                    param: Some(param), ..
                }) => assert_eq!(param, wanted, "{patch}"),
                other => panic!("{patch} gave {other:?}"),
            }
        }
        for (patch, wanted) in [
            (json!({"previous_response_id": "resp_x"}), "previous_response_id"),
            (json!({"conversation": {"id": "conv_x"}}), "conversation.id"),
        ] {
            let Err(Error::NotFound { param, .. }) = check(patch) else {
                panic!("{wanted}")
            };
            assert_eq!(param.as_deref(), Some(wanted));
        }
        check(json!({
            "background": false, "include": ["reasoning.encrypted_content"], "stream_options": {"include_obfuscation": true},
            "reasoning": {"effort": "low"}, "previous_response_id": null, "conversation": null, "vendor": [1],
            "prompt_cache_retention": "24h", "context_management": null,
        }))
        .unwrap();
    }

    #[test]
    fn what_was_asked_is_told_with_every_key() {
        let call = check(json!({"max_output_tokens": 16, "safety_identifier": "s", "user": "u"}))
            .unwrap()
            .call;
        let expected = json!({
            "instructions": null, "max_output_tokens": 16, "max_tool_calls": null, "parallel_tool_calls": true,
            "prompt_cache_key": null, "reasoning": {"effort": null, "summary": null}, "safety_identifier": "s",
            "service_tier": "auto", "temperature": 1.0, "text": {"format": {"type": "text"}}, "tool_choice": "auto",
            "tools": [], "top_logprobs": null, "top_p": 1.0, "truncation": "disabled", "user": "u",
        });
        assert_eq!(call.asked, expected);
        // Defaults are told, and left to the provider.
        assert_eq!(
            (call.options.temperature, call.options.max_tokens),
            (None, Some(16))
        );
        assert_eq!(call.options.user.as_deref(), Some("s"));
    }
}
