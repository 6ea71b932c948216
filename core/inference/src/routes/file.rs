//! Reading `routes.toml`.

use std::collections::{BTreeMap, HashMap};
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use reqwest::Url;
use reqwest::header::{HeaderName, HeaderValue};
use serde::Deserialize;
use toml::Spanned;

use super::route_entry::{FileNames, FileRoute};
use super::{EXTRACTIVE_PROVIDER, Endpoint, Provider, ProviderKind, Routes, RoutesError, TimeoutOverrides};
use crate::openai::{Timeouts, TokenLimitField};

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    provider: Vec<FileProvider>,
    #[serde(default)]
    route: Vec<FileRoute>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileProvider {
    name: Spanned<String>,
    kind: FileKind,
    base_url: Spanned<String>,
    api_key_env: Option<Spanned<String>>,
    #[serde(default)]
    headers: BTreeMap<Spanned<String>, Spanned<String>>,
    #[serde(default)]
    timeouts: FileTimeouts,
    token_limit_field: Option<TokenLimitField>,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileKind {
    OpenaiCompatible,
}

/// In seconds.
#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
pub(super) struct FileTimeouts {
    connect: Option<Spanned<f64>>,
    first_token: Option<Spanned<f64>>,
    between_chunks: Option<Spanned<f64>>,
    total: Option<Spanned<f64>>,
}

pub(super) fn parse(text: &str) -> Result<Routes, RoutesError> {
    let reader = Reader(text);
    let file: File = toml::from_str(text).map_err(|error| reader.syntax(&error))?;
    let mut routes = Routes::builtin();
    routes.lines = text.lines().count().max(1);
    let mut lines = HashMap::new();
    for provider in file.provider {
        reader.unused(&mut lines, &provider.name, "provider.name")?;
        routes.providers.push(reader.provider(provider)?);
    }
    let mut lines = HashMap::new();
    let names: Vec<FileNames> = file.route.iter().map(FileNames::of).collect();
    for route in file.route {
        reader.unused(&mut lines, &route.model, "route.model")?;
        let route = reader.route(route, &routes)?;
        // Naming a built-in model takes it over.
        routes.routes.retain(|existing| existing.model != route.model);
        routes.routes.push(route);
    }
    reader.check_names(&names, &routes)?;
    Ok(routes)
}

/// The text, for turning positions into lines.
pub(super) struct Reader<'a>(&'a str);

impl Reader<'_> {
    pub(super) fn line(&self, at: usize) -> usize {
        1 + self.0.bytes().take(at).filter(|&byte| byte == b'\n').count()
    }

    pub(super) fn wrong(&self, at: Range<usize>, field: &str, message: impl Into<String>) -> RoutesError {
        RoutesError::Invalid {
            line: self.line(at.start),
            field: field.to_owned(),
            message: message.into(),
        }
    }

    /// An error of the TOML reader, which knows where but not which field.
    fn syntax(&self, error: &toml::de::Error) -> RoutesError {
        let at = error.span().unwrap_or_default();
        let line = self.0.lines().nth(self.line(at.start) - 1).unwrap_or_default();
        let key = line
            .split_once('=')
            .map_or(line, |(key, _)| key)
            .trim()
            .trim_matches(['[', ']']);
        let name_like = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let field = if !key.is_empty() && key.chars().all(name_like) {
            key
        } else {
            "file"
        };
        // Only the first line, and no value: some messages quote what they found.
        let message = error.message().lines().next().unwrap_or("not valid");
        let message = match message
            .split_once("invalid type: ")
            .and_then(|(_, rest)| rest.rsplit_once(", expected "))
        {
            Some((_, expected)) => format!("has the wrong type, expected {expected}"),
            None => message.to_owned(),
        };
        self.wrong(at, field, message)
    }

    /// Text that is not blank.
    pub(super) fn text(&self, value: &Spanned<String>, field: &str) -> Result<String, RoutesError> {
        let text = value.get_ref();
        if text.trim().is_empty() || text.trim() != text {
            return Err(self.wrong(value.span(), field, "must not be empty or have blanks around it"));
        }
        Ok(text.clone())
    }

    fn unused(
        &self,
        seen: &mut HashMap<String, usize>,
        name: &Spanned<String>,
        field: &str,
    ) -> Result<(), RoutesError> {
        let line = self.line(name.span().start);
        match seen.insert(name.get_ref().clone(), line) {
            Some(first) => Err(self.wrong(name.span(), field, format!("is already used in line {first}"))),
            None => Ok(()),
        }
    }

    fn provider(&self, provider: FileProvider) -> Result<Provider, RoutesError> {
        let name = self.text(&provider.name, "provider.name")?;
        if name == EXTRACTIVE_PROVIDER {
            return Err(self.wrong(
                provider.name.span(),
                "provider.name",
                "is the name of the built-in provider",
            ));
        }
        let api_key_env = provider
            .api_key_env
            .as_ref()
            .map(|value| self.variable(value))
            .transpose()?;
        let FileKind::OpenaiCompatible = provider.kind;
        let mut headers = Vec::new();
        for (header, value) in provider.headers {
            let at = header.span();
            let valid = HeaderName::try_from(header.get_ref()).is_ok()
                && HeaderValue::from_str(value.get_ref()).is_ok();
            if !valid {
                return Err(self.wrong(at, "provider.headers", "cannot be sent as an HTTP header"));
            }
            headers.push((header.into_inner(), value.into_inner().into()));
        }
        let endpoint = Endpoint {
            base_url: self.base_url(&provider.base_url)?,
            api_key_env,
            headers,
            timeouts: self.timeouts(&provider.timeouts)?,
            token_limit_field: provider.token_limit_field,
        };
        Ok(Provider {
            name,
            kind: ProviderKind::OpenAiCompatible(endpoint),
        })
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
            return Err(wrong("must not have a query or a fragment"));
        }
        Ok(url)
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

    /// A number within bounds, or its default.
    pub(super) fn number<T: PartialOrd + Copy + std::fmt::Display>(
        &self,
        value: &Option<Spanned<T>>,
        bounds: RangeInclusive<T>,
        field: &str,
        default: T,
    ) -> Result<T, RoutesError> {
        let Some(value) = value else { return Ok(default) };
        if bounds.contains(value.get_ref()) {
            return Ok(*value.get_ref());
        }
        let message = format!("must be between {} and {}", bounds.start(), bounds.end());
        Err(self.wrong(value.span(), field, message))
    }

    /// Seconds, or their default.
    pub(super) fn seconds(
        &self,
        value: &Option<Spanned<f64>>,
        field: &str,
        default: Duration,
    ) -> Result<Duration, RoutesError> {
        Ok(self.some_seconds(value, field)?.unwrap_or(default))
    }

    /// Seconds, if any are given.
    pub(super) fn some_seconds(
        &self,
        value: &Option<Spanned<f64>>,
        field: &str,
    ) -> Result<Option<Duration>, RoutesError> {
        let Some(value) = value else { return Ok(None) };
        let time = Duration::try_from_secs_f64(*value.get_ref()).ok();
        time.filter(|time| (Duration::from_millis(1)..=Duration::from_secs(86_400)).contains(time))
            .map(Some)
            .ok_or_else(|| {
                let message = "must be seconds, more than 0 and at most a day";
                self.wrong(value.span(), field, message)
            })
    }

    /// The timeouts that a table names, below `field`.
    pub(super) fn timeout_overrides(
        &self,
        file: &FileTimeouts,
        field: &str,
    ) -> Result<TimeoutOverrides, RoutesError> {
        let seconds = |value, name: &str| self.some_seconds(value, &format!("{field}.{name}"));
        Ok(TimeoutOverrides {
            connect: seconds(&file.connect, "connect")?,
            first_token: seconds(&file.first_token, "first_token")?,
            between_chunks: seconds(&file.between_chunks, "between_chunks")?,
            total: seconds(&file.total, "total")?,
        })
    }

    fn timeouts(&self, file: &FileTimeouts) -> Result<Timeouts, RoutesError> {
        let given = self.timeout_overrides(file, "provider.timeouts")?;
        Ok(given.over(Timeouts::default()))
    }
}
