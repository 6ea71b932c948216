//! The `[[provider]]` tables of `routes.toml`.

use std::collections::BTreeMap;
use std::net::IpAddr;
use std::path::Path;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use secrecy::SecretString;
use serde::Deserialize;
use serde_json::{Map, Value};
use toml::Spanned;

use super::file::{FileTimeouts, Reader};
use super::{EXTRACTIVE_PROVIDER, Provider, ProviderKind, RoutesError};
use crate::anthropic::{AnthropicOptions, JsonSchema};
use crate::endpoint::{Endpoint, Wire};
use crate::http::ClientOptions;
use crate::openai::{ChatOption, Flavour, KeyHeader, MODEL, OUR_FIELDS, Quirks, SystemRole, TokenLimitField};
use crate::tokens::Tokenizer;

/// Where Anthropic is, if the file does not say.
const ANTHROPIC: &str = "https://api.anthropic.com/v1";

/// The URL beside a socket, of which only the path matters.
const SOCKET: &str = "http://localhost/v1";

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileProvider {
    pub(super) name: Spanned<String>,
    kind: Spanned<FileKind>,
    flavour: Option<Spanned<Flavour>>,
    base_url: Option<Spanned<String>>,
    socket: Option<Spanned<String>>,
    path: Option<Spanned<String>>,
    embeddings_path: Option<Spanned<String>>,
    #[serde(default)]
    query: BTreeMap<String, String>,
    api_key_env: Option<Spanned<String>>,
    api_key_header: Option<Spanned<String>>,
    #[serde(default)]
    headers: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    timeouts: FileTimeouts,
    http2: Option<bool>,
    local: Option<bool>,
    tokenizer: Option<Spanned<String>>,
    token_limit_field: Option<Spanned<TokenLimitField>>,
    system_role: Option<Spanned<SystemRole>>,
    unsupported: Option<Vec<ChatOption>>,
    stream_usage: Option<Spanned<bool>>,
    extra_body: Option<BTreeMap<Spanned<String>, toml::Value>>,
    max_tokens: Option<Spanned<u32>>,
    json_schema: Option<Spanned<JsonSchema>>,
}

#[derive(Clone, Copy, Deserialize, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum FileKind {
    OpenaiCompatible,
    Local,
    Anthropic,
}

impl Reader<'_> {
    pub(super) fn provider(&self, file: FileProvider) -> Result<Provider, RoutesError> {
        let name = self.text(&file.name, "provider.name")?;
        if name == EXTRACTIVE_PROVIDER {
            return Err(self.wrong(
                file.name.span(),
                "provider.name",
                "is the name of the built-in provider",
            ));
        }
        let kind = *file.kind.get_ref();
        let base_url = self.address(&file)?;
        let socket = file.socket.as_ref().map(|path| self.socket(path)).transpose()?;
        if kind == FileKind::Local && socket.is_none() && !is_here(&base_url) {
            let at = file.base_url.as_ref().unwrap_or(&file.name).span();
            let message = "must be on this machine for kind = \"local\"; otherwise say \"openai_compatible\"";
            return Err(self.wrong(at, "provider.base_url", message));
        }
        let timeouts = self.timeouts(&file.timeouts)?;
        let default = ClientOptions::default();
        let http = ClientOptions {
            connect_timeout: timeouts.connect,
            http2: file.http2.unwrap_or(default.http2),
            tls: base_url.scheme() == "https",
            socket,
            ..default
        };
        let api_key_env = file
            .api_key_env
            .as_ref()
            .map(|value| self.variable(value))
            .transpose()?;
        let tokenizer = file
            .tokenizer
            .as_ref()
            .map(|value| self.tokenizer(value))
            .transpose()?;
        let key_header = self.key_header(&file, kind)?;
        let local = file.local.unwrap_or(kind == FileKind::Local);
        let wire = match kind {
            FileKind::Anthropic => Wire::Anthropic(self.anthropic(&file)?),
            FileKind::OpenaiCompatible | FileKind::Local => Wire::OpenAi(self.quirks(&file, &base_url)?),
        };
        let endpoint = Endpoint {
            wire,
            base_url,
            query: file.query.into_iter().collect(),
            http,
            api_key_env,
            key_header,
            headers: self.headers(file.headers)?,
            timeouts,
            tokenizer,
            local,
        };
        Ok(Provider {
            name,
            kind: ProviderKind::Http(Box::new(endpoint)),
        })
    }

    fn address(&self, file: &FileProvider) -> Result<Url, RoutesError> {
        let default = match (&file.base_url, &file.socket, file.kind.get_ref()) {
            (Some(value), _, _) => return self.base_url(value),
            (None, Some(_), _) => SOCKET,
            (None, None, FileKind::Anthropic) => ANTHROPIC,
            (None, None, _) => {
                return Err(self.wrong(file.name.span(), "provider", "missing field `base_url`"));
            }
        };
        Url::parse(default)
            .map_err(|error| self.wrong(file.name.span(), "provider.base_url", error.to_string()))
    }

    fn base_url(&self, value: &Spanned<String>) -> Result<Url, RoutesError> {
        let wrong = |message: &str| self.wrong(value.span(), "provider.base_url", message);
        let url = Url::parse(value.get_ref()).map_err(|error| wrong(&format!("is no URL: {error}")))?;
        if !matches!(url.scheme(), "http" | "https") {
            return Err(wrong("must begin with http:// or https://"));
        }
        if !url.username().is_empty() || url.password().is_some() {
            return Err(wrong("must not hold credentials; use api_key_env"));
        }
        if url.query().is_some() || url.fragment().is_some() {
            return Err(wrong("must not have a query or a fragment; use query"));
        }
        Ok(url)
    }

    fn socket(&self, value: &Spanned<String>) -> Result<std::path::PathBuf, RoutesError> {
        let path = Path::new(value.get_ref());
        if !path.is_absolute() {
            return Err(self.wrong(value.span(), "provider.socket", "must be an absolute path"));
        }
        Ok(path.to_owned())
    }

    fn headers(
        &self,
        headers: BTreeMap<Spanned<String>, Spanned<String>>,
    ) -> Result<Vec<(String, SecretString)>, RoutesError> {
        let header = |(name, value): (Spanned<String>, Spanned<String>)| {
            let valid = HeaderName::try_from(name.get_ref()).is_ok()
                && HeaderValue::from_str(value.get_ref()).is_ok();
            if !valid {
                let message = "cannot be sent as an HTTP header";
                return Err(self.wrong(name.span(), "provider.headers", message));
            }
            Ok((name.into_inner(), value.into_inner().into()))
        };
        headers.into_iter().map(header).collect()
    }

    fn key_header(&self, file: &FileProvider, kind: FileKind) -> Result<KeyHeader, RoutesError> {
        if let Some(value) = &file.api_key_header {
            let name = HeaderName::try_from(value.get_ref()).map_err(|_| {
                let message = "cannot be the name of an HTTP header";
                self.wrong(value.span(), "provider.api_key_header", message)
            })?;
            return Ok(KeyHeader::Named(name));
        }
        let flavour = file.flavour.as_ref().map(|flavour| *flavour.get_ref());
        Ok(match (kind, flavour) {
            (FileKind::Anthropic, _) => KeyHeader::Named(HeaderName::from_static("x-api-key")),
            (_, Some(Flavour::Azure)) => KeyHeader::Named(HeaderName::from_static("api-key")),
            _ => KeyHeader::Bearer,
        })
    }

    fn variable(&self, value: &Spanned<String>) -> Result<String, RoutesError> {
        let name = value.get_ref();
        let shape = !name.starts_with(|c: char| c.is_ascii_digit())
            && !name.is_empty()
            && name.chars().all(|c| c.is_ascii_alphanumeric() || c == '_');
        if !shape {
            let message = "must be the name of an environment variable, not a key";
            return Err(self.wrong(value.span(), "provider.api_key_env", message));
        }
        Ok(name.clone())
    }

    fn tokenizer(&self, value: &Spanned<String>) -> Result<Tokenizer, RoutesError> {
        Tokenizer::named(value.get_ref()).ok_or_else(|| {
            let message = "must be o200k_base, cl100k_base or the path of a tokenizer.json";
            self.wrong(value.span(), "provider.tokenizer", message)
        })
    }

    fn quirks(&self, file: &FileProvider, base_url: &Url) -> Result<Quirks, RoutesError> {
        let foreign = [
            ("max_tokens", file.max_tokens.as_ref().map(Spanned::span)),
            ("json_schema", file.json_schema.as_ref().map(Spanned::span)),
        ];
        self.only_for(foreign, "anthropic")?;
        let openai = base_url
            .host_str()
            .is_some_and(|host| host == "openai.com" || host.ends_with(".openai.com"));
        let by_host = if openai { Flavour::Openai } else { Flavour::Generic };
        let mut quirks = Quirks::of(file.flavour.as_ref().map_or(by_host, |given| *given.get_ref()));
        if let Some(path) = &file.path {
            quirks.path = self.path(path, "provider.path")?;
        }
        if let Some(path) = &file.embeddings_path {
            quirks.embeddings_path = self.path(path, "provider.embeddings_path")?;
        }
        if let Some(given) = &file.token_limit_field {
            quirks.token_limit_field = *given.get_ref();
        }
        if let Some(given) = &file.system_role {
            quirks.system_role = *given.get_ref();
        }
        if let Some(given) = &file.unsupported {
            quirks.unsupported.clone_from(given);
        }
        if let Some(given) = &file.stream_usage {
            quirks.stream_usage = *given.get_ref();
        }
        quirks.extra_body = self.extra_body(file)?;
        Ok(quirks)
    }

    fn anthropic(&self, file: &FileProvider) -> Result<AnthropicOptions, RoutesError> {
        let foreign = [
            ("flavour", file.flavour.as_ref().map(Spanned::span)),
            ("path", file.path.as_ref().map(Spanned::span)),
            (
                "embeddings_path",
                file.embeddings_path.as_ref().map(Spanned::span),
            ),
            (
                "token_limit_field",
                file.token_limit_field.as_ref().map(Spanned::span),
            ),
            ("system_role", file.system_role.as_ref().map(Spanned::span)),
            ("stream_usage", file.stream_usage.as_ref().map(Spanned::span)),
        ];
        self.only_for(foreign, "openai_compatible")?;
        let mut options = AnthropicOptions::default();
        if let Some(max_tokens) = &file.max_tokens {
            if *max_tokens.get_ref() == 0 {
                return Err(self.wrong(max_tokens.span(), "provider.max_tokens", "must be at least 1"));
            }
            options.max_tokens = *max_tokens.get_ref();
        }
        if let Some(json_schema) = &file.json_schema {
            options.json_schema = *json_schema.get_ref();
        }
        options.unsupported = file.unsupported.clone().unwrap_or_default();
        options.extra_body = self.extra_body(file)?;
        Ok(options)
    }

    fn only_for<const N: usize>(
        &self,
        fields: [(&str, Option<std::ops::Range<usize>>); N],
        kind: &str,
    ) -> Result<(), RoutesError> {
        for (field, span) in fields {
            if let Some(span) = span {
                let message = format!("is only for kind = \"{kind}\"");
                return Err(self.wrong(span, &format!("provider.{field}"), message));
            }
        }
        Ok(())
    }

    fn path(&self, value: &Spanned<String>, field: &str) -> Result<String, RoutesError> {
        let path = value.get_ref();
        let gaps = path.replace(MODEL, "");
        if !path.starts_with('/') || gaps.contains(['{', '}', '?', '#', ' ']) {
            let message = "must begin with / and have no gap but {model}; parameters belong in query";
            return Err(self.wrong(value.span(), field, message));
        }
        Ok(path.clone())
    }

    fn extra_body(&self, file: &FileProvider) -> Result<Map<String, Value>, RoutesError> {
        let mut fields = Map::new();
        for (name, value) in file.extra_body.iter().flatten() {
            let field = format!("provider.extra_body.{}", name.get_ref());
            if OUR_FIELDS.contains(&name.get_ref().as_str()) {
                return Err(self.wrong(name.span(), &field, "is set by this server"));
            }
            let value = serde_json::to_value(value)
                .map_err(|_| self.wrong(name.span(), &field, "cannot be sent as JSON"))?;
            fields.insert(name.get_ref().clone(), value);
        }
        Ok(fields)
    }
}

/// Whether an address is on this machine.
fn is_here(url: &Url) -> bool {
    let host = url.host_str().unwrap_or_default();
    let ip = host
        .trim_start_matches('[')
        .trim_end_matches(']')
        .parse::<IpAddr>();
    host == "localhost" || ip.is_ok_and(|ip| ip.is_loopback())
}
