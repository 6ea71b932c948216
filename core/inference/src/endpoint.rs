//! A provider as it is configured, and as it is called.

use std::fmt;
use std::sync::Arc;

use insula_core::model::{ChatModel, TokenCounter};
use reqwest::Url;
use reqwest::header::HeaderName;
use secrecy::SecretString;

use crate::anthropic::{self, Anthropic, AnthropicOptions};
use crate::http::{self, ClientError, ClientOptions};
use crate::openai::{Address, OpenAiCompatible, Quirks, RemoteEmbedder, RemoteJudge, RemoteModel};
use crate::tokens::{self, Tokenizer, TokenizerError};
use crate::upstream::{HeaderError, KeyHeader, Timeouts, Upstream};

/// What is spoken.
#[derive(Debug, Clone)]
pub enum Wire {
    /// OpenAI's format.
    OpenAi(Quirks),
    /// Anthropic's Messages.
    Anthropic(AnthropicOptions),
}

/// Where a provider is and how it is spoken to.
#[derive(Debug, Clone)]
pub struct Endpoint {
    /// What is spoken.
    pub wire: Wire,
    /// The part before `/chat/completions` or `/messages`. Beside a socket only its path matters.
    pub base_url: Url,
    /// Parameters of every address.
    pub query: Vec<(String, String)>,
    /// How connections are made.
    pub http: ClientOptions,
    /// The environment variable that holds the key.
    pub api_key_env: Option<String>,
    /// How the key is sent.
    pub key_header: KeyHeader,
    /// Further headers, by name; their values are treated as secrets.
    pub headers: Vec<(String, SecretString)>,
    /// Bounds in time.
    pub timeouts: Timeouts,
    /// What counts its tokens. `None`: by the model's name.
    pub tokenizer: Option<Tokenizer>,
    /// Whether what is sent there stays with the operator: it is on this machine, or the operator says so.
    pub local: bool,
}

/// A provider that cannot be used, though the file is right.
#[derive(Debug, thiserror::Error)]
pub enum ConnectError {
    /// The variable with its key is not set.
    #[error("provider '{provider}' takes its key from the environment variable {variable}, which is not set")]
    NoKey {
        /// The provider.
        provider: String,
        /// The variable.
        variable: String,
    },
    /// A header or the key has characters that HTTP does not allow.
    #[error(transparent)]
    Header(#[from] HeaderError),
    /// The HTTP client could not be made.
    #[error(transparent)]
    Client(#[from] ClientError),
    /// A route names a provider that is not there, which no file that was read does.
    #[error("there is no provider '{0}'")]
    NoProvider(String),
    /// Its tokenizer cannot be read.
    #[error(transparent)]
    Tokenizer(#[from] TokenizerError),
    /// Anthropic serves no models that score texts.
    #[error("provider '{provider}' does not serve models that score texts")]
    NoJudges {
        /// The provider.
        provider: String,
    },
    /// Anthropic serves no embedding models.
    #[error("provider '{provider}' does not serve embedding models")]
    NoEmbeddings {
        /// The provider.
        provider: String,
    },
}

impl Endpoint {
    /// One with nothing special: no key, the usual bounds.
    pub fn new(wire: Wire, base_url: Url) -> Self {
        let key_header = match &wire {
            Wire::OpenAi(_) => KeyHeader::Bearer,
            Wire::Anthropic(_) => KeyHeader::Named(HeaderName::from_static("x-api-key")),
        };
        Self {
            wire,
            base_url,
            query: Vec::new(),
            http: ClientOptions::default(),
            api_key_env: None,
            key_header,
            headers: Vec::new(),
            timeouts: Timeouts::default(),
            tokenizer: None,
            local: false,
        }
    }

    /// Makes the client and puts the key in its place; connects to nothing yet. `variable` looks up an environment
    /// variable; `provider` is the name for messages.
    pub fn connect(
        &self,
        provider: &str,
        variable: impl Fn(&str) -> Option<String>,
    ) -> Result<Connection, ConnectError> {
        let client = http::client(self.http.clone())?;
        let mut headers = self.headers.clone();
        if matches!(self.wire, Wire::Anthropic(_)) && !has(&headers, "anthropic-version") {
            headers.push(("anthropic-version".into(), anthropic::VERSION.into()));
        }
        let mut upstream = Upstream::new(
            provider.to_owned(),
            client,
            &headers,
            self.key_header.clone(),
            self.timeouts,
        )?;
        if let Some(name) = &self.api_key_env {
            let key = variable(name)
                .map(|key| key.trim().to_owned())
                .filter(|key| !key.is_empty())
                .ok_or_else(|| ConnectError::NoKey {
                    provider: provider.to_owned(),
                    variable: name.clone(),
                })?;
            upstream = upstream.with_key(&key.into())?;
        }
        let address = |path: &str| Address::new(&self.base_url, path, &self.query);
        let wire = match &self.wire {
            Wire::OpenAi(quirks) => ConnectedWire::OpenAi {
                chat: address(&quirks.path),
                embeddings: address(&quirks.embeddings_path),
                base: Arc::new(Base {
                    url: self.base_url.clone(),
                    query: self.query.clone(),
                }),
                quirks: Arc::new(quirks.clone()),
            },
            Wire::Anthropic(options) => ConnectedWire::Anthropic {
                messages: address("/messages"),
                options: Arc::new(options.clone()),
            },
        };
        let counter = self.tokenizer.as_ref().map(Tokenizer::counter).transpose()?;
        Ok(Connection {
            upstream,
            wire,
            counter,
        })
    }
}

fn has(headers: &[(String, SecretString)], name: &str) -> bool {
    headers
        .iter()
        .any(|(header, _)| header.eq_ignore_ascii_case(name))
}

/// A provider ready to be called. Cheap to clone; clones share connections.
#[derive(Clone)]
pub struct Connection {
    upstream: Upstream,
    wire: ConnectedWire,
    counter: Option<Arc<dyn TokenCounter>>,
}

impl fmt::Debug for Connection {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Connection")
            .field("upstream", &self.upstream)
            .finish_non_exhaustive()
    }
}

#[derive(Clone)]
enum ConnectedWire {
    OpenAi {
        chat: Address,
        embeddings: Address,
        base: Arc<Base>,
        quirks: Arc<Quirks>,
    },
    Anthropic {
        messages: Address,
        options: Arc<AnthropicOptions>,
    },
}

/// Where further addresses of a provider are.
struct Base {
    url: Url,
    query: Vec<(String, String)>,
}

impl Base {
    fn at(&self, path: &str) -> Address {
        Address::new(&self.url, path, &self.query)
    }
}

impl Connection {
    /// The same with another key, such as a tenant's own.
    pub fn with_api_key(&self, key: &SecretString) -> Result<Self, HeaderError> {
        let upstream = self.upstream.with_key(key)?;
        Ok(Self {
            upstream,
            ..self.clone()
        })
    }

    /// The same with other bounds in time, such as a target's own.
    pub fn with_timeouts(&self, timeouts: Timeouts) -> Self {
        Self {
            upstream: self.upstream.with_timeouts(timeouts),
            ..self.clone()
        }
    }

    /// Its chat models; a request says which.
    pub fn chat(&self) -> Arc<dyn ChatModel> {
        let upstream = self.upstream.clone();
        match &self.wire {
            ConnectedWire::OpenAi { chat, quirks, .. } => {
                Arc::new(OpenAiCompatible::new(upstream, chat.clone(), Arc::clone(quirks)))
            }
            ConnectedWire::Anthropic { messages, options } => {
                Arc::new(Anthropic::new(upstream, messages.clone(), Arc::clone(options)))
            }
        }
    }

    /// One of its embedding models.
    pub fn embedder(&self, model: RemoteModel) -> Result<RemoteEmbedder, ConnectError> {
        match &self.wire {
            ConnectedWire::OpenAi { embeddings, .. } => Ok(RemoteEmbedder::new(
                self.upstream.clone(),
                embeddings.clone(),
                model,
            )),
            ConnectedWire::Anthropic { .. } => Err(ConnectError::NoEmbeddings {
                provider: self.upstream.provider().name().to_owned(),
            }),
        }
    }

    /// One of its models that score texts, at `path` behind the base URL.
    pub(crate) fn judge(&self, upstream_model: &str, path: &str) -> Result<RemoteJudge, ConnectError> {
        match &self.wire {
            ConnectedWire::OpenAi { base, .. } => Ok(RemoteJudge::new(
                self.upstream.clone(),
                base.at(path),
                upstream_model.to_owned(),
                self.counter(upstream_model),
            )),
            ConnectedWire::Anthropic { .. } => Err(ConnectError::NoJudges {
                provider: self.upstream.provider().name().to_owned(),
            }),
        }
    }

    /// What counts the tokens of one of its models: the tokenizer that was configured, or the one that suits the
    /// name.
    pub fn counter(&self, upstream_model: &str) -> Arc<dyn TokenCounter> {
        match &self.counter {
            Some(counter) => Arc::clone(counter),
            None => tokens::of_model(upstream_model),
        }
    }
}
