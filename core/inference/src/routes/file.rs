//! Reading `routes.toml`.

use std::collections::HashMap;
use std::ops::{Range, RangeInclusive};
use std::time::Duration;

use serde::Deserialize;
use toml::Spanned;

use super::provider::FileProvider;
use super::route_entry::{FileNames, FileRoute};
use super::{Routes, RoutesError, TimeoutOverrides};
use crate::upstream::Timeouts;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct File {
    #[serde(default)]
    provider: Vec<FileProvider>,
    #[serde(default)]
    route: Vec<FileRoute>,
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
        let field = self.field(at.start).unwrap_or("file");
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

    /// The field that a position belongs to: the key that begins there, or the one whose value it is, or the line's.
    fn field(&self, at: usize) -> Option<&str> {
        let name_like = |c: char| c.is_ascii_alphanumeric() || matches!(c, '_' | '-' | '.');
        let (before, after) = self.0.split_at_checked(at)?;
        let begins = after.find(|c| !name_like(c)).unwrap_or(after.len());
        if begins > 0 && after[begins..].trim_start().starts_with('=') {
            return Some(&after[..begins]);
        }
        let start = before.rfind('\n').map_or(0, |end| end + 1);
        let last_key = before[start..].rsplit_once('=').map(|(key, _)| key.trim_end());
        let line = self.0[start..].lines().next().unwrap_or_default();
        let key = last_key.unwrap_or_else(|| line.split_once('=').map_or(line, |(key, _)| key).trim());
        let key = key.trim_matches(['[', ']']);
        let name = key.rfind(|c| !name_like(c)).map_or(key, |end| &key[end + 1..]);
        Some(name).filter(|name| !name.is_empty())
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

    /// The timeouts of a provider.
    pub(super) fn timeouts(&self, file: &FileTimeouts) -> Result<Timeouts, RoutesError> {
        let given = self.timeout_overrides(file, "provider.timeouts")?;
        Ok(given.over(Timeouts::default()))
    }
}
