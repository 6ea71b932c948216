//! Reading `[[route]]`.

use std::sync::Arc;
use std::time::Duration;

use insula_core::model::EmbedderCard;
use insula_core::route::{
    Capabilities, Condition, Cooldown, DEFAULT_MAX_OUTPUT_TOKENS, Detour, Retries, RouteKind, Strategy,
    Targets,
};
use insula_core::text::language;
use serde::Deserialize;
use toml::Spanned;

use super::file::{FileTimeouts, Reader};
use super::price::FilePrice;
use super::{EmbeddingOptions, ProviderKind, Route, Routes, RoutesError, Target, TimeoutOverrides};
use crate::endpoint::Wire;

/// Candidates of the 1-bit scan of an embedding model that nobody measured: enough for every model that was.
const DEFAULT_OVERSAMPLE: i64 = 400;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FileRoute {
    pub(super) model: Spanned<String>,
    #[serde(default)]
    kind: FileKind,
    #[serde(default)]
    strategy: FileStrategy,
    provider: Option<Spanned<String>>,
    upstream_model: Option<Spanned<String>>,
    #[serde(default)]
    target: Vec<Spanned<FileTarget>>,
    retries: Option<Spanned<u32>>,
    longest_pause: Option<Spanned<f64>>,
    cooldown: Option<FileCooldown>,
    context_window: Option<Spanned<u32>>,
    max_output_tokens: Option<Spanned<u32>>,
    capabilities: Option<Vec<FileCapability>>,
    #[serde(default)]
    fallbacks: Vec<Spanned<String>>,
    #[serde(default)]
    context_window_fallbacks: Vec<Spanned<String>>,
    #[serde(default, rename = "match")]
    detours: Vec<FileDetour>,
    #[serde(default)]
    price: Vec<FilePrice>,
    cache_ttl: Option<Spanned<f64>>,
    owned_by: Option<String>,
    dimensions: Option<Spanned<usize>>,
    max_tokens: Option<Spanned<usize>>,
    languages: Option<Vec<Spanned<String>>>,
    oversample: Option<Spanned<i64>>,
    batch: Option<Spanned<usize>>,
    send_dimensions: Option<bool>,
}

#[derive(Deserialize, Default, Clone, Copy, PartialEq, Eq)]
#[serde(rename_all = "snake_case")]
enum FileKind {
    #[default]
    Chat,
    Embeddings,
    Rerank,
    Moderations,
}

#[derive(Deserialize, Default)]
#[serde(rename_all = "snake_case")]
enum FileStrategy {
    #[default]
    Ordered,
    Weighted,
    LeastLatency,
}

#[derive(Deserialize)]
#[serde(rename_all = "snake_case")]
enum FileCapability {
    Tools,
    JsonSchema,
    JsonObject,
    Vision,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileTarget {
    provider: Spanned<String>,
    upstream_model: Option<Spanned<String>>,
    weight: Option<Spanned<u32>>,
    #[serde(default)]
    timeouts: FileTimeouts,
    #[serde(default)]
    price: Vec<FilePrice>,
    #[serde(default, rename = "match")]
    condition: FileCondition,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileCooldown {
    failures: Option<Spanned<u32>>,
    seconds: Option<Spanned<f64>>,
}

#[derive(Deserialize, Default)]
#[serde(deny_unknown_fields)]
struct FileCondition {
    #[serde(default)]
    language: Vec<Spanned<String>>,
    local_only: Option<bool>,
    personal_data: Option<bool>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct FileDetour {
    #[serde(default)]
    language: Vec<Spanned<String>>,
    local_only: Option<bool>,
    personal_data: Option<bool>,
    route: Spanned<String>,
}

impl Reader<'_> {
    pub(super) fn route(&self, route: FileRoute, routes: &Routes) -> Result<Route, RoutesError> {
        let model = self.text(&route.model, "route.model")?;
        let targets = self.targets(&route, &model, routes)?;
        let kind = self.kind(&route, &model, &targets[0].provider)?;
        let strategy = match route.strategy {
            FileStrategy::Ordered => Strategy::Ordered,
            FileStrategy::Weighted => Strategy::Weighted,
            FileStrategy::LeastLatency => Strategy::LeastLatency,
        };
        if strategy == Strategy::Weighted && targets.iter().all(|target| target.weight == 0) {
            return Err(self.wrong(route.model.span(), "route.target.weight", "is 0 everywhere"));
        }
        let retries = Retries {
            rounds: self.number(&route.retries, 0..=10, "route.retries", Retries::default().rounds)?,
            longest_pause: self.seconds(
                &route.longest_pause,
                "route.longest_pause",
                Retries::default().longest_pause,
            )?,
        };
        let cooldown = match &route.cooldown {
            None => Cooldown::default(),
            Some(file) => Cooldown {
                failures: self.number(
                    &file.failures,
                    1..=1_000_000,
                    "route.cooldown.failures",
                    Cooldown::default().failures,
                )?,
                rest: self.seconds(&file.seconds, "route.cooldown.seconds", Cooldown::default().rest)?,
            },
        };
        let window = route.context_window.as_ref();
        let context_window = window
            .map(|_| self.number(&route.context_window, 1..=u32::MAX, "route.context_window", 0))
            .transpose()?;
        let max_output_tokens = self.number(
            &route.max_output_tokens,
            1..=u32::MAX,
            "route.max_output_tokens",
            DEFAULT_MAX_OUTPUT_TOKENS,
        )?;
        let cache_ttl = route.cache_ttl.as_ref();
        let cache_ttl = cache_ttl
            .map(|_| self.seconds(&route.cache_ttl, "route.cache_ttl", Duration::ZERO))
            .transpose()?;
        let default = EmbeddingOptions::default();
        let embedding = EmbeddingOptions {
            batch: self.number(&route.batch, 1..=2048, "route.batch", default.batch)?,
            send_dimensions: route.send_dimensions.unwrap_or(default.send_dimensions),
        };
        let detours = route.detours.iter().map(|detour| {
            Ok(Detour {
                condition: Condition {
                    languages: self.languages(&detour.language, "route.match.language")?,
                    local_only: detour.local_only,
                    personal_data: detour.personal_data,
                },
                to: self.text(&detour.route, "route.match.route")?.into(),
            })
        });
        let names = |names: &[Spanned<String>], field: &str| {
            let names = names.iter().map(|name| Ok(self.text(name, field)?.into()));
            names.collect::<Result<Vec<Arc<str>>, RoutesError>>()
        };
        let line = self.line(route.model.span().start);
        Ok(Route {
            owned_by: route.owned_by.unwrap_or_else(|| targets[0].provider.clone()),
            kind,
            strategy,
            retries,
            cooldown,
            context_window,
            max_output_tokens,
            capabilities: route.capabilities.map_or(Capabilities::ALL, capabilities),
            detours: detours.collect::<Result<_, RoutesError>>()?,
            fallbacks: names(&route.fallbacks, "route.fallbacks")?,
            context_window_fallbacks: names(
                &route.context_window_fallbacks,
                "route.context_window_fallbacks",
            )?,
            cache_ttl,
            embedding,
            model,
            targets,
            line,
        })
    }

    /// Refuses names of routes that do not exist, in the order of the file.
    pub(super) fn check_names(&self, files: &[FileNames], routes: &Routes) -> Result<(), RoutesError> {
        for (field, name, model) in files.iter().flat_map(FileNames::all) {
            let known = routes.find(name.get_ref());
            let message = match known {
                _ if name.get_ref() == model => "is the route itself".to_owned(),
                None => format!("there is no [[route]] of the model '{}'", name.get_ref()),
                Some(route) if matches!(route.kind, RouteKind::Embeddings(_)) => {
                    format!("'{}' is an embedding model", name.get_ref())
                }
                Some(route) if route.kind != RouteKind::Chat => {
                    let kind = route.kind.as_str();
                    format!("'{}' is of kind \"{kind}\"", name.get_ref())
                }
                Some(_) => continue,
            };
            return Err(self.wrong(name.span(), field, message));
        }
        Ok(())
    }

    fn kind(&self, route: &FileRoute, model: &str, provider: &str) -> Result<RouteKind, RoutesError> {
        let at = route.model.span();
        if route.kind != FileKind::Embeddings {
            let embeds = route.dimensions.is_some()
                || route.max_tokens.is_some()
                || route.oversample.is_some()
                || route.batch.is_some()
                || route.send_dimensions.is_some()
                || route.languages.is_some();
            if embeds {
                let message = "has settings of an embedding model, which need kind = \"embeddings\"";
                return Err(self.wrong(at, "route.kind", message));
            }
            if route.kind == FileKind::Chat {
                return Ok(RouteKind::Chat);
            }
        }
        let chats = !route.fallbacks.is_empty()
            || !route.context_window_fallbacks.is_empty()
            || !route.detours.is_empty()
            || route.capabilities.is_some()
            || route.context_window.is_some()
            || route.max_output_tokens.is_some();
        if chats {
            let message = match route.kind {
                FileKind::Embeddings => {
                    "an embedding model has no other that could take its place, and no settings of conversations"
                }
                _ => {
                    "a model that does not chat has no other that could take its place, and no settings of conversations"
                }
            };
            return Err(self.wrong(at, "route.kind", message));
        }
        match route.kind {
            FileKind::Rerank => return Ok(RouteKind::Rerank),
            FileKind::Moderations => return Ok(RouteKind::Moderations),
            FileKind::Chat | FileKind::Embeddings => {}
        }
        let missing = |field: &str| self.wrong(at.clone(), field, "is missing for an embedding model");
        let dimensions = route
            .dimensions
            .as_ref()
            .ok_or_else(|| missing("route.dimensions"))?;
        if !(1..=4000).contains(dimensions.get_ref()) {
            return Err(self.wrong(
                dimensions.span(),
                "route.dimensions",
                "must be between 1 and 4000",
            ));
        }
        let max_tokens = route
            .max_tokens
            .as_ref()
            .ok_or_else(|| missing("route.max_tokens"))?;
        if !(16..=1_000_000).contains(max_tokens.get_ref()) {
            return Err(self.wrong(
                max_tokens.span(),
                "route.max_tokens",
                "must be between 16 and 1000000",
            ));
        }
        let languages = self.languages(route.languages.as_deref().unwrap_or_default(), "route.languages")?;
        Ok(RouteKind::Embeddings(EmbedderCard {
            id: model.to_owned(),
            dimensions: *dimensions.get_ref(),
            max_tokens: *max_tokens.get_ref(),
            languages: languages.into_iter().map(str::to_owned).collect(),
            oversample: self.number(
                &route.oversample,
                1..=100_000,
                "route.oversample",
                DEFAULT_OVERSAMPLE,
            )?,
            owned_by: route.owned_by.clone().unwrap_or_else(|| provider.to_owned()),
        }))
    }

    fn targets(&self, route: &FileRoute, model: &str, routes: &Routes) -> Result<Vec<Target>, RoutesError> {
        let at = route.model.span();
        match (&route.provider, &*route.target) {
            (Some(provider), []) => {
                let target = Target {
                    provider: self.provider_of(provider, route.kind, routes, "route.provider")?,
                    upstream_model: self.upstream(&route.upstream_model, model, "route.upstream_model")?,
                    prices: self.prices(&route.price, "route.price")?,
                    weight: 1,
                    timeouts: TimeoutOverrides::default(),
                    condition: Condition::default(),
                };
                Ok(vec![target])
            }
            (None, []) => Err(self.wrong(at, "route.provider", "is missing, and so is [[route.target]]")),
            (None, targets) if targets.len() > Targets::MOST => {
                let message = format!("a route has at most {} targets", Targets::MOST);
                Err(self.wrong(targets[Targets::MOST].span(), "route.target", message))
            }
            (None, targets) => {
                if let Some(name) = &route.upstream_model {
                    let message = "belongs into each [[route.target]]";
                    return Err(self.wrong(name.span(), "route.upstream_model", message));
                }
                let targets = targets
                    .iter()
                    .map(|target| self.target(target.get_ref(), route, model, routes));
                targets.collect()
            }
            (Some(provider), _) => {
                let message = "stands beside [[route.target]], which takes its place";
                Err(self.wrong(provider.span(), "route.provider", message))
            }
        }
    }

    fn target(
        &self,
        target: &FileTarget,
        route: &FileRoute,
        model: &str,
        routes: &Routes,
    ) -> Result<Target, RoutesError> {
        let price = if target.price.is_empty() {
            self.prices(&route.price, "route.price")?
        } else {
            self.prices(&target.price, "route.target.price")?
        };
        Ok(Target {
            provider: self.provider_of(&target.provider, route.kind, routes, "route.target.provider")?,
            upstream_model: self.upstream(&target.upstream_model, model, "route.target.upstream_model")?,
            weight: self.number(&target.weight, 0..=1_000_000, "route.target.weight", 1)?,
            timeouts: self.timeout_overrides(&target.timeouts, "route.target.timeouts")?,
            condition: Condition {
                languages: self.languages(&target.condition.language, "route.target.match.language")?,
                local_only: target.condition.local_only,
                personal_data: target.condition.personal_data,
            },
            prices: price,
        })
    }

    fn provider_of(
        &self,
        name: &Spanned<String>,
        kind: FileKind,
        routes: &Routes,
        field: &str,
    ) -> Result<String, RoutesError> {
        let text = self.text(name, field)?;
        let Some(provider) = routes.provider(&text) else {
            let message = format!("there is no [[provider]] named '{text}'");
            return Err(self.wrong(name.span(), field, message));
        };
        let embeds = match &provider.kind {
            ProviderKind::Extractive => false,
            ProviderKind::Http(endpoint) => matches!(endpoint.wire, Wire::OpenAi(_)),
        };
        if kind != FileKind::Chat && !embeds {
            let message = format!("the provider '{text}' has models that chat and no others");
            return Err(self.wrong(name.span(), field, message));
        }
        Ok(text)
    }

    fn upstream(
        &self,
        name: &Option<Spanned<String>>,
        model: &str,
        field: &str,
    ) -> Result<String, RoutesError> {
        name.as_ref()
            .map_or_else(|| Ok(model.to_owned()), |name| self.text(name, field))
    }

    fn languages(&self, names: &[Spanned<String>], field: &str) -> Result<Vec<&'static str>, RoutesError> {
        let code = |name: &Spanned<String>| {
            language::code_of(name.get_ref()).ok_or_else(|| {
                self.wrong(
                    name.span(),
                    field,
                    "is no ISO 639 code of a language that is known here",
                )
            })
        };
        names.iter().map(code).collect()
    }
}

/// Names of other routes in a route, with their places.
pub(super) struct FileNames {
    model: String,
    fallbacks: Vec<Spanned<String>>,
    larger: Vec<Spanned<String>>,
    detours: Vec<Spanned<String>>,
}

impl FileNames {
    pub(super) fn of(route: &FileRoute) -> Self {
        Self {
            model: route.model.get_ref().clone(),
            fallbacks: route.fallbacks.clone(),
            larger: route.context_window_fallbacks.clone(),
            detours: route.detours.iter().map(|detour| detour.route.clone()).collect(),
        }
    }

    fn all(&self) -> impl Iterator<Item = (&'static str, &Spanned<String>, &str)> {
        let lists = [
            ("route.match.route", &self.detours),
            ("route.fallbacks", &self.fallbacks),
            ("route.context_window_fallbacks", &self.larger),
        ];
        lists
            .into_iter()
            .flat_map(move |(field, names)| names.iter().map(move |name| (field, name, self.model.as_str())))
    }
}

fn capabilities(names: Vec<FileCapability>) -> Capabilities {
    let mut can = Capabilities::NONE;
    for name in names {
        match name {
            FileCapability::Tools => can.tools = true,
            FileCapability::JsonSchema => {
                can.json_schema = true;
                can.json_object = true;
            }
            FileCapability::JsonObject => can.json_object = true,
            FileCapability::Vision => can.vision = true,
        }
    }
    can
}
