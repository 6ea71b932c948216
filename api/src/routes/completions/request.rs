//! The body of `POST /v1/completions`.

use std::collections::BTreeMap;

use insula_core::Error;
use insula_core::model::ChatOptions;
use serde::Deserialize;
use serde_json::Value;
use utoipa::ToSchema;

use crate::http::caching::CacheParam;
use crate::http::validate::{count, name, optional_range, unsupported};
use crate::routes::chat::{StreamOptions, check_stop, end_user};
use crate::routes::embeddings::Input;
use crate::routes::wire::OneOrMany;

/// Most prompts of one call.
const MAX_PROMPTS: usize = 16;
/// What is generated at most unless the call says otherwise, as OpenAI documents it.
const DEFAULT_MAX_TOKENS: u32 = 16;

/// A text to go on from. Fields that are not listed are ignored.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = CreateCompletionRequest)]
pub struct CreateCompletion {
    /// A chat model, or an assistant.
    #[schema(example = "insula/extractive")]
    pub model: String,
    /// A text, up to 16 texts, or the same as tokens of `cl100k_base`.
    pub prompt: Input,
    /// Most tokens to generate; 16 if absent.
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
    /// Whether to answer piece by piece, as server-sent events.
    pub stream: Option<bool>,
    /// Options of a stream.
    pub stream_options: Option<StreamOptions>,
    /// Whether the prompt is given back in front of the answer.
    pub echo: Option<bool>,
    /// Penalty on words that were used.
    #[schema(minimum = -2, maximum = 2)]
    pub presence_penalty: Option<f64>,
    /// Penalty on words that were used often.
    #[schema(minimum = -2, maximum = 2)]
    pub frequency_penalty: Option<f64>,
    /// Same seed, same answer, as far as the model can.
    pub seed: Option<i64>,
    /// Number of answers to a prompt; only 1.
    #[schema(minimum = 1, maximum = 1)]
    pub n: Option<u32>,
    /// The tenant's end user.
    pub user: Option<String>,
    /// Whether an answer may be one that was given before.
    pub insula_cache: Option<CacheParam>,

    // Fields that change the answer, so that ignoring them would be a lie.
    #[schema(ignore)]
    suffix: Option<String>,
    #[schema(ignore)]
    logprobs: Option<u32>,
    #[schema(ignore)]
    best_of: Option<u32>,
    #[schema(ignore)]
    logit_bias: Option<BTreeMap<String, Value>>,
}

/// A checked call.
#[derive(Debug)]
pub(super) struct Checked {
    pub(super) model: String,
    pub(super) prompts: Prompts,
    pub(super) options: ChatOptions,
    pub(super) stream: bool,
    pub(super) include_usage: bool,
    pub(super) echo: bool,
}

/// What to go on from.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Prompts {
    Texts(Vec<String>),
    /// Of `cl100k_base`.
    Tokens(Vec<Vec<u32>>),
}

impl CreateCompletion {
    /// Checks every field.
    pub(super) fn check(self) -> Result<Checked, Error> {
        self.refuse_what_is_not_done()?;
        name("model", &self.model, 256)?;
        self.prompt.check().map_err(about_the_prompt)?;
        let prompts = match self.prompt {
            Input::Text(text) => Prompts::Texts(vec![text]),
            Input::Texts(texts) => Prompts::Texts(texts),
            Input::Tokens(tokens) => Prompts::Tokens(vec![tokens]),
            Input::TokenArrays(arrays) => Prompts::Tokens(arrays),
        };
        let many = match &prompts {
            Prompts::Texts(texts) => texts.len(),
            Prompts::Tokens(arrays) => arrays.len(),
        };
        count("prompt", many, 1..=MAX_PROMPTS)?;
        let options = ChatOptions {
            max_tokens: optional_range("max_tokens", self.max_tokens, 1..=u32::MAX)?
                .or(Some(DEFAULT_MAX_TOKENS)),
            temperature: optional_range("temperature", self.temperature, 0.0..=2.0)?,
            top_p: optional_range("top_p", self.top_p, 0.0..=1.0)?,
            stop: check_stop(self.stop)?,
            presence_penalty: optional_range("presence_penalty", self.presence_penalty, -2.0..=2.0)?,
            frequency_penalty: optional_range("frequency_penalty", self.frequency_penalty, -2.0..=2.0)?,
            seed: self.seed,
            user: end_user(None, self.user)?,
            ..ChatOptions::default()
        };
        Ok(Checked {
            model: self.model,
            prompts,
            options,
            stream: self.stream.unwrap_or(false),
            include_usage: self
                .stream_options
                .and_then(|options| options.include_usage)
                .unwrap_or(false),
            echo: self.echo.unwrap_or(false),
        })
    }

    fn refuse_what_is_not_done(&self) -> Result<(), Error> {
        optional_range("n", self.n, 1..=1)?;
        let asked = [
            (
                "suffix",
                self.suffix.as_ref().is_some_and(|suffix| !suffix.is_empty()),
                "Inserting a text",
            ),
            (
                "logprobs",
                self.logprobs.is_some_and(|count| count > 0),
                "Returning log probabilities",
            ),
            (
                "best_of",
                self.best_of.is_some_and(|best_of| best_of != 1),
                "Choosing the best of several",
            ),
            (
                "logit_bias",
                self.logit_bias.as_ref().is_some_and(|bias| !bias.is_empty()),
                "Biasing tokens",
            ),
        ];
        match asked.into_iter().find(|(_, asked, _)| *asked) {
            Some((param, _, what)) => Err(unsupported(param, what)),
            None => Ok(()),
        }
    }
}

/// An error about an `input`, which is what prompts are read as, under the name that it has here.
pub(super) fn about_the_prompt(error: Error) -> Error {
    let (
        Error::Invalid {
            param: Some(param), ..
        },
        prompt,
    ) = (&error, "prompt")
    else {
        return error;
    };
    let place = param.replacen("input", prompt, 1);
    match error {
        Error::Invalid {
            message,
            param: Some(param),
            code,
        } => Error::Invalid {
            message: message.replace(&format!("'{param}'"), &format!("'{place}'")),
            param: Some(place),
            code,
        },
        other => other,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn check(patch: Value) -> Result<Checked, Error> {
        let mut body = json!({"model": "m", "prompt": "hi"});
        for (key, value) in patch.as_object().unwrap() {
            body[key] = value.clone();
        }
        crate::http::parse_json::<CreateCompletion>(body.to_string().as_bytes())?.check()
    }

    #[test]
    fn the_defaults_are_those_that_openai_documents() {
        let checked =
            check(json!({"suffix": null, "logprobs": null, "best_of": 1, "n": 1, "logit_bias": {}})).unwrap();
        assert_eq!(checked.options.max_tokens, Some(16));
        assert!(!checked.stream && !checked.echo);
        assert_eq!(checked.prompts, Prompts::Texts(vec!["hi".into()]));
        let tokens = check(json!({"prompt": [[15339], [1917]]})).unwrap();
        assert_eq!(tokens.prompts, Prompts::Tokens(vec![vec![15339], vec![1917]]));
    }

    #[test]
    fn what_is_wrong_or_would_change_the_answer_is_refused_at_its_place() {
        for (patch, wanted) in [
            (json!({"suffix": "x"}), "suffix"),
            (json!({"logprobs": 2}), "logprobs"),
            (json!({"best_of": 3}), "best_of"),
            (json!({"n": 2}), "n"),
            (json!({"logit_bias": {"1": 5}}), "logit_bias"),
            (json!({"prompt": ""}), "prompt"),
            (json!({"prompt": ["a", ""]}), "prompt[1]"),
            (json!({"prompt": vec!["a"; 17]}), "prompt"),
            (json!({"prompt": null}), "prompt"),
            (json!({"max_tokens": 0}), "max_tokens"),
            (json!({"temperature": 2.5}), "temperature"),
            (json!({"stop": ["1", "2", "3", "4", "5"]}), "stop"),
        ] {
            match check(patch.clone()) {
                Err(Error::Invalid {
                    param: Some(param),
                    message,
                    ..
                }) => {
                    assert_eq!(param, wanted, "{patch}");
                    assert!(!message.contains("input'"), "{message}");
                }
                other => panic!("{patch} gave {other:?}"),
            }
        }
    }
}
