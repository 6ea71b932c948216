//! Reading `routes.toml`.

use std::collections::HashMap;
use std::ops::Range;

use serde::Deserialize;
use toml::Spanned;

use super::provider::FileProvider;
use super::{Route, Routes, RoutesError, Target};

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
struct FileRoute {
    model: Spanned<String>,
    provider: Spanned<String>,
    upstream_model: Option<Spanned<String>>,
    context_window: Option<Spanned<u32>>,
    owned_by: Option<String>,
}

pub(super) fn parse(text: &str) -> Result<Routes, RoutesError> {
    let reader = Reader(text);
    let file: File = toml::from_str(text).map_err(|error| reader.syntax(&error))?;
    let mut routes = Routes::builtin();
    let mut lines = HashMap::new();
    for provider in file.provider {
        reader.unused(&mut lines, &provider.name, "provider.name")?;
        routes.providers.push(reader.provider(provider)?);
    }
    let mut lines = HashMap::new();
    for route in file.route {
        reader.unused(&mut lines, &route.model, "route.model")?;
        let route = reader.route(route, &routes)?;
        // Naming a built-in model takes it over.
        routes.routes.retain(|existing| existing.model != route.model);
        routes.routes.push(route);
    }
    Ok(routes)
}

/// The text, for turning positions into lines.
pub(super) struct Reader<'a>(&'a str);

impl Reader<'_> {
    fn line(&self, at: usize) -> usize {
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

    fn route(&self, route: FileRoute, routes: &Routes) -> Result<Route, RoutesError> {
        let model = self.text(&route.model, "route.model")?;
        let provider = self.text(&route.provider, "route.provider")?;
        if routes.provider(&provider).is_none() {
            let message = format!("there is no [[provider]] named '{provider}'");
            return Err(self.wrong(route.provider.span(), "route.provider", message));
        }
        let upstream_model = match &route.upstream_model {
            Some(name) => self.text(name, "route.upstream_model")?,
            None => model.clone(),
        };
        if let Some(window) = route
            .context_window
            .as_ref()
            .filter(|window| *window.get_ref() == 0)
        {
            return Err(self.wrong(window.span(), "route.context_window", "must be at least 1"));
        }
        Ok(Route {
            model,
            owned_by: route.owned_by.unwrap_or_else(|| provider.clone()),
            targets: vec![Target {
                provider,
                upstream_model,
            }],
            context_window: route.context_window.map(Spanned::into_inner),
        })
    }
}
