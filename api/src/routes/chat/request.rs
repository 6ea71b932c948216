//! The body of `POST /v1/chat/completions`.

use std::collections::BTreeMap;

use insula_core::Error;
use insula_core::chat::ChatCall;
use insula_core::model::ChatOptions;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use super::message::{self, MessageParam};
use super::tools;
use crate::http::caching::CacheParam;
use crate::http::validate::{count, name, optional_range, text, unsupported};
use crate::routes::grounding::DataSource;
use crate::routes::wire::OneOrMany;

/// Most messages of one call.
const MAX_MESSAGES: usize = 10_000;

/// A conversation to be answered. Fields that are not listed are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateChatCompletionRequest)]
pub struct CreateChatCompletion {
    /// A model, or an assistant (`/v1/insula/assistants`), which brings its instructions and vector stores.
    #[schema(example = "insula/extractive")]
    pub model: String,
    /// The conversation so far.
    pub messages: Vec<MessageParam>,
    /// Whether to answer piece by piece, as server-sent events.
    pub stream: Option<bool>,
    /// Options of a stream.
    pub stream_options: Option<StreamOptions>,
    /// Vector stores whose passages ground the answer; at most one entry. Citations are in the message's `annotations`.
    pub data_sources: Option<Vec<DataSource>>,
    /// Most tokens to generate.
    #[schema(minimum = 1)]
    pub max_completion_tokens: Option<u32>,
    /// The former name of `max_completion_tokens`.
    #[schema(minimum = 1)]
    pub max_tokens: Option<u32>,
    /// Randomness.
    #[schema(minimum = 0, maximum = 2)]
    pub temperature: Option<f64>,
    /// Nucleus sampling.
    #[schema(minimum = 0, maximum = 1)]
    pub top_p: Option<f64>,
    /// Up to four texts that end the answer.
    pub stop: Option<OneOrMany>,
    /// Penalty on words that were used.
    #[schema(minimum = -2, maximum = 2)]
    pub presence_penalty: Option<f64>,
    /// Penalty on words that were used often.
    #[schema(minimum = -2, maximum = 2)]
    pub frequency_penalty: Option<f64>,
    /// Same seed, same answer, as far as the model can.
    pub seed: Option<i64>,
    /// Functions that the model may call.
    #[schema(value_type = Option<Vec<Object>>)]
    pub tools: Option<Vec<Value>>,
    /// `none`, `auto`, `required`, or `{"type":"function","function":{"name":…}}`.
    #[schema(value_type = Option<Value>)]
    pub tool_choice: Option<Value>,
    /// Whether several functions may be called at once.
    pub parallel_tool_calls: Option<bool>,
    /// `text`, `json_object` or `json_schema`.
    #[schema(value_type = Option<Object>)]
    pub response_format: Option<Value>,
    /// Number of answers; only 1.
    #[schema(minimum = 1, maximum = 1)]
    pub n: Option<u32>,
    /// The tenant's end user.
    pub user: Option<String>,
    /// The tenant's end user, under its newer name.
    pub safety_identifier: Option<String>,
    /// Whether an answer may be one that was given before.
    pub insula_cache: Option<CacheParam>,

    // Fields that change the answer, so that ignoring them would be a lie.
    #[schema(ignore)]
    logprobs: Option<bool>,
    #[schema(ignore)]
    top_logprobs: Option<u32>,
    #[schema(ignore)]
    logit_bias: Option<BTreeMap<String, f64>>,
    #[schema(ignore)]
    audio: Option<Value>,
    #[schema(ignore)]
    modalities: Option<Vec<String>>,
    #[schema(ignore)]
    web_search_options: Option<Value>,
    #[schema(ignore)]
    functions: Option<Vec<Value>>,
}

/// Options of a stream.
#[derive(Debug, Clone, Copy, Default, Deserialize, ToSchema)]
#[schema(as = ChatCompletionStreamOptions)]
pub struct StreamOptions {
    /// Whether the last chunk before `[DONE]` tells the tokens that were used.
    pub include_usage: Option<bool>,
}

/// A checked call.
#[derive(Debug)]
pub struct CheckedCall {
    /// What to answer, in the domain's words.
    pub call: ChatCall,
    /// Whether to stream.
    pub stream: bool,
    /// Whether the stream ends with a usage chunk.
    pub include_usage: bool,
}

impl CreateChatCompletion {
    /// Checks every field.
    pub fn check(self) -> Result<CheckedCall, Error> {
        self.refuse_what_is_not_done()?;
        name("model", &self.model, 256)?;
        count("messages", self.messages.len(), 1..=MAX_MESSAGES)?;
        let tools = tools::check(self.tools.unwrap_or_default())?;
        let options = ChatOptions {
            max_tokens: optional_range("max_completion_tokens", self.max_completion_tokens, 1..=u32::MAX)?
                .or(optional_range("max_tokens", self.max_tokens, 1..=u32::MAX)?),
            temperature: optional_range("temperature", self.temperature, 0.0..=2.0)?,
            top_p: optional_range("top_p", self.top_p, 0.0..=1.0)?,
            stop: check_stop(self.stop)?,
            presence_penalty: optional_range("presence_penalty", self.presence_penalty, -2.0..=2.0)?,
            frequency_penalty: optional_range("frequency_penalty", self.frequency_penalty, -2.0..=2.0)?,
            seed: self.seed,
            tool_choice: tools::check_choice(self.tool_choice, &tools)?,
            tools,
            parallel_tool_calls: self.parallel_tool_calls,
            response_format: tools::check_response_format(self.response_format)?,
            user: end_user(self.safety_identifier, self.user)?,
        };
        let sources = self.data_sources.unwrap_or_default();
        count("data_sources", sources.len(), 0..=1)?;
        let grounding = sources
            .into_iter()
            .next()
            .map(|source| source.read("data_sources[0]"))
            .transpose()?;
        let messages = message::convert(self.messages)?;
        let include_usage = self
            .stream_options
            .and_then(|options| options.include_usage)
            .unwrap_or(false);
        Ok(CheckedCall {
            call: ChatCall {
                model: self.model,
                messages,
                options,
                grounding,
                found: None,
                cache_ttl: None,
            },
            stream: self.stream.unwrap_or(false),
            include_usage,
        })
    }

    fn refuse_what_is_not_done(&self) -> Result<(), Error> {
        optional_range("n", self.n, 1..=1)?;
        let wants_sound = |modalities: &Vec<String>| modalities.iter().any(|modality| modality != "text");
        let asked = [
            (
                "logprobs",
                self.logprobs == Some(true),
                "Returning log probabilities",
            ),
            (
                "top_logprobs",
                self.top_logprobs.is_some_and(|top| top > 0),
                "Returning log probabilities",
            ),
            (
                "logit_bias",
                self.logit_bias.as_ref().is_some_and(|bias| !bias.is_empty()),
                "Biasing tokens",
            ),
            ("audio", self.audio.is_some(), "Audio"),
            (
                "modalities",
                self.modalities.as_ref().is_some_and(wants_sound),
                "Output other than text",
            ),
            (
                "web_search_options",
                self.web_search_options.is_some(),
                "Web search",
            ),
            (
                "functions",
                self.functions.is_some(),
                "The former 'functions'; send 'tools', it",
            ),
        ];
        match asked.into_iter().find(|(_, asked, _)| *asked) {
            Some((param, _, what)) => Err(unsupported(param, what)),
            None => Ok(()),
        }
    }
}

pub(in crate::routes) fn check_stop(stop: Option<OneOrMany>) -> Result<Vec<String>, Error> {
    let stop = stop.map(OneOrMany::into_vec).unwrap_or_default();
    count("stop", stop.len(), 0..=4)?;
    if stop.iter().any(String::is_empty) {
        return Err(Error::invalid(
            "stop",
            "Invalid value for 'stop': a stop text must not be empty.",
        ));
    }
    Ok(stop)
}

pub(in crate::routes) fn end_user(
    safety_identifier: Option<String>,
    user: Option<String>,
) -> Result<Option<String>, Error> {
    for (param, value) in [("safety_identifier", &safety_identifier), ("user", &user)] {
        if let Some(value) = value {
            text(param, value, 512)?;
        }
    }
    Ok(safety_identifier.or(user))
}

#[cfg(test)]
mod tests {
    use super::*;
    use insula_core::model::{ChatMessage, Role};
    use serde_json::json;

    fn check(patch: Value) -> Result<CheckedCall, Error> {
        let mut body = json!({"model": "m", "messages": [{"role": "user", "content": "hi"}]});
        for (key, value) in patch.as_object().unwrap() {
            body[key] = value.clone();
        }
        crate::http::parse_json::<CreateChatCompletion>(body.to_string().as_bytes())?.check()
    }

    fn refused(patch: Value) -> String {
        match check(patch.clone()) {
            Err(Error::Invalid {
                param: Some(param), ..
            }) => param,
            other => panic!("{patch} gave {other:?}"),
        }
    }

    #[test]
    fn every_range_is_kept() {
        for (patch, param) in [
            (json!({"temperature": 2.1}), "temperature"),
            (json!({"temperature": -0.1}), "temperature"),
            (json!({"top_p": 1.01}), "top_p"),
            (json!({"presence_penalty": -2.5}), "presence_penalty"),
            (json!({"frequency_penalty": 3}), "frequency_penalty"),
            (json!({"max_tokens": 0}), "max_tokens"),
            (json!({"max_completion_tokens": 0}), "max_completion_tokens"),
            (json!({"max_tokens": -1}), "max_tokens"),
            (json!({"max_tokens": 1.5}), "max_tokens"),
            (json!({"n": 2}), "n"),
            (json!({"n": 0}), "n"),
            (json!({"stop": ["1", "2", "3", "4", "5"]}), "stop"),
            (json!({"stop": ""}), "stop"),
            (json!({"stop": 5}), "stop"),
            (json!({"messages": []}), "messages"),
            (json!({"messages": null}), "messages"),
            (json!({"model": ""}), "model"),
            (json!({"stream": "yes"}), "stream"),
            (json!({"user": "x".repeat(513)}), "user"),
        ] {
            assert_eq!(refused(patch.clone()), param, "{patch}");
        }
    }

    #[test]
    fn what_would_change_the_answer_is_refused_and_what_would_not_is_ignored() {
        for (patch, param) in [
            (json!({"logprobs": true}), "logprobs"),
            (json!({"top_logprobs": 3}), "top_logprobs"),
            (json!({"logit_bias": {"50256": -100.5}}), "logit_bias"),
            (json!({"audio": {"voice": "x"}}), "audio"),
            (json!({"modalities": ["text", "audio"]}), "modalities"),
            (json!({"web_search_options": {}}), "web_search_options"),
            (json!({"functions": [{"name": "f"}]}), "functions"),
        ] {
            assert_eq!(refused(patch.clone()), param, "{patch}");
        }
        check(json!({
            "logprobs": false, "top_logprobs": 0, "logit_bias": {}, "modalities": ["text"], "n": 1, "stop": null,
            "metadata": {"a": "b"}, "store": true, "service_tier": "auto", "prompt_cache_key": "k",
            "verbosity": "low", "reasoning_effort": "high", "prediction": {"type": "content"},
            "stream_options": {"include_usage": true, "include_obfuscation": false}, "vendor_extra": [1]
        }))
        .unwrap();
    }

    #[test]
    fn options_arrive_in_the_domain() {
        let call = check(json!({
            "max_tokens": 7, "temperature": 0, "stop": "END", "seed": -3, "user": "u", "safety_identifier": "s",
            "stream": true, "stream_options": {"include_usage": true},
        }))
        .unwrap();
        let expected = ChatOptions {
            max_tokens: Some(7),
            temperature: Some(0.0),
            stop: vec!["END".into()],
            seed: Some(-3),
            user: Some("s".into()),
            ..ChatOptions::default()
        };
        assert_eq!(call.call.options, expected);
        assert!(call.stream && call.include_usage);
        assert_eq!(call.call.messages, [ChatMessage::text(Role::User, "hi")]);
        assert_eq!(
            check(json!({"max_tokens": 7, "max_completion_tokens": 9}))
                .unwrap()
                .call
                .options
                .max_tokens,
            Some(9)
        );
    }

    #[test]
    fn a_data_source_becomes_the_grounding() {
        let store = insula_tenancy::VectorStoreId::generate();
        let source = |patch: Value| {
            let mut parameters = json!({"vector_store_ids": [store.to_string()]});
            for (key, value) in patch.as_object().unwrap() {
                parameters[key] = value.clone();
            }
            json!({"data_sources": [{"type": "insula_vector_stores", "parameters": parameters}]})
        };
        let grounding = check(source(json!({"max_num_results": 5})))
            .unwrap()
            .call
            .grounding
            .unwrap();
        assert_eq!(
            (grounding.vector_store_ids, grounding.max_num_results),
            (vec![store], 5)
        );
        for (patch, param) in [
            (
                source(json!({"max_num_results": 51})),
                "data_sources[0].parameters.max_num_results",
            ),
            (
                source(json!({"score_threshold": -1})),
                "data_sources[0].parameters.score_threshold",
            ),
            (
                source(json!({"vector_store_ids": []})),
                "data_sources[0].parameters.vector_store_ids",
            ),
            (
                source(json!({"filters": {"type": "x"}})),
                "data_sources[0].parameters.filters.type",
            ),
            (
                json!({"data_sources": [{"type": "azure_search", "parameters": {"vector_store_ids": []}}]}),
                "data_sources[0].type",
            ),
            (json!({"data_sources": [1]}), "data_sources[0]"),
        ] {
            assert_eq!(refused(patch.clone()), param, "{patch}");
        }
        let unknown = check(source(json!({"vector_store_ids": ["vs_nope"]})));
        assert!(matches!(unknown, Err(Error::NotFound { param: Some(param), .. })
            if param == "data_sources[0].parameters.vector_store_ids[0]"));
    }
}
