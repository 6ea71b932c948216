//! How servers that speak OpenAI's format differ.

use serde::Deserialize;
use serde_json::{Map, Value};

/// The name under which a provider takes the upper bound of generated tokens.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TokenLimitField {
    /// What nearly everybody understands.
    MaxTokens,
    /// What OpenAI's own newer models insist on.
    MaxCompletionTokens,
}

/// The name under which a provider takes instructions.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum SystemRole {
    /// What everybody understands.
    System,
    /// What OpenAI calls it for its reasoning models, which take `system` too.
    Developer,
}

/// An option of a call that a server may not know; it is then left out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum ChatOption {
    /// Randomness.
    Temperature,
    /// Nucleus sampling.
    TopP,
    /// Strings that end generation.
    Stop,
    /// Penalty for words that occurred.
    PresencePenalty,
    /// Penalty for words by how often they occurred.
    FrequencyPenalty,
    /// Best-effort determinism.
    Seed,
    /// Which tool to call.
    ToolChoice,
    /// Whether several tools may be called at once.
    ParallelToolCalls,
    /// JSON, or JSON of a schema.
    ResponseFormat,
    /// Who the end user is.
    User,
}

/// A server, or service, whose differences are known.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Flavour {
    /// Nothing special; what most services understand.
    #[default]
    Generic,
    /// OpenAI's own API.
    Openai,
    /// Azure OpenAI with deployments in the path. Its `/openai/v1` API is [`Flavour::Openai`] with
    /// `api_key_header = "api-key"`.
    Azure,
    /// vLLM.
    Vllm,
    /// Ollama's `/v1`.
    Ollama,
    /// llama.cpp's `llama-server`.
    LlamaServer,
    /// Hugging Face's text-generation-inference.
    Tgi,
}

/// How one server differs.
#[derive(Debug, Clone, PartialEq)]
pub struct Quirks {
    /// What follows the base URL for chat. `{model}` stands for the model's name.
    pub path: String,
    /// What follows the base URL for embeddings. `{model}` stands for the model's name.
    pub embeddings_path: String,
    /// How the token limit is sent.
    pub token_limit_field: TokenLimitField,
    /// How instructions are sent.
    pub system_role: SystemRole,
    /// What is left out.
    pub unsupported: Vec<ChatOption>,
    /// Whether streams are asked for usage. Servers that refuse `stream_options` are rare and old.
    pub stream_usage: bool,
    /// Whether `top_p` must be below 1; 1 means the same as nothing and is left out.
    pub top_p_below_one: bool,
    /// Fields that every chat request carries besides.
    pub extra_body: Map<String, Value>,
}

/// Fields of a request that are ours to set, and not `extra_body`'s.
pub(crate) const OUR_FIELDS: [&str; 20] = [
    "dimensions",
    "encoding_format",
    "frequency_penalty",
    "input",
    "max_completion_tokens",
    "max_tokens",
    "messages",
    "model",
    "parallel_tool_calls",
    "presence_penalty",
    "response_format",
    "seed",
    "stop",
    "stream",
    "stream_options",
    "temperature",
    "tool_choice",
    "tools",
    "top_p",
    "user",
];

impl Default for Quirks {
    fn default() -> Self {
        Self {
            path: "/chat/completions".into(),
            embeddings_path: "/embeddings".into(),
            token_limit_field: TokenLimitField::MaxTokens,
            system_role: SystemRole::System,
            unsupported: Vec::new(),
            stream_usage: true,
            top_p_below_one: false,
            extra_body: Map::new(),
        }
    }
}

impl Quirks {
    /// What is known of a server.
    pub fn of(flavour: Flavour) -> Self {
        let default = Self::default();
        match flavour {
            Flavour::Generic | Flavour::Vllm | Flavour::LlamaServer => default,
            Flavour::Openai => Self {
                token_limit_field: TokenLimitField::MaxCompletionTokens,
                ..default
            },
            Flavour::Azure => Self {
                path: "/openai/deployments/{model}/chat/completions".into(),
                embeddings_path: "/openai/deployments/{model}/embeddings".into(),
                token_limit_field: TokenLimitField::MaxCompletionTokens,
                ..default
            },
            // Neither is among the fields that it documents.
            Flavour::Ollama => Self {
                unsupported: vec![ChatOption::ParallelToolCalls, ChatOption::User],
                ..default
            },
            Flavour::Tgi => Self {
                unsupported: vec![ChatOption::ParallelToolCalls, ChatOption::User],
                top_p_below_one: true,
                ..default
            },
        }
    }

    /// Whether an option is sent.
    pub(super) fn sends(&self, option: ChatOption) -> bool {
        !self.unsupported.contains(&option)
    }
}
