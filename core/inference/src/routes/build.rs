//! From what the file says to routes that can be called.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use insula_core::model::{ChatModel, TokenCounter};
use insula_core::route::{self, Health, RouteKind, TargetModel, Timeouts};

use super::{ProviderKind, Routes};
use crate::endpoint::{ConnectError, Connection, Endpoint};
use crate::openai::RemoteModel;

/// What routes are made of besides the file.
pub struct Parts<'a> {
    /// The model that answers from the documents alone.
    pub extractive: Arc<dyn ChatModel>,
    /// Counts its tokens.
    pub extractive_counter: Arc<dyn TokenCounter>,
    /// Looks up an environment variable.
    pub variable: &'a dyn Fn(&str) -> Option<String>,
}

/// A route that cannot be made, though the file can be read.
#[derive(Debug, thiserror::Error)]
#[error("routes.toml, line {line}: route '{model}': {cause}")]
pub struct BuildError {
    line: usize,
    model: String,
    cause: ConnectError,
}

impl Routes {
    /// The routes, ready to be called. Nothing is connected to yet.
    ///
    /// # Errors
    /// When the key of a provider that some route uses is not set or cannot be sent, or a tokenizer cannot be read.
    pub fn build(&self, parts: &Parts<'_>) -> Result<Vec<route::Route>, BuildError> {
        let mut builder = Builder {
            routes: self,
            parts,
            connections: HashMap::new(),
        };
        let mut built = Vec::with_capacity(self.routes.len());
        for route in &self.routes {
            built.push(builder.route(route).map_err(|cause| BuildError {
                line: route.line,
                model: route.model.clone(),
                cause,
            })?);
        }
        Ok(built)
    }
}

struct Builder<'a> {
    routes: &'a Routes,
    parts: &'a Parts<'a>,
    /// By provider and the time that a connection may take, which is the client's and not the call's.
    connections: HashMap<(&'a str, Duration), Connection>,
}

impl<'a> Builder<'a> {
    fn route(&mut self, route: &super::Route) -> Result<route::Route, ConnectError> {
        let targets = route.targets.iter().map(|target| self.target(route, target));
        let targets = targets.collect::<Result<Vec<_>, _>>()?;
        let mut built = route::Route::new(route.model.as_str(), route.kind.clone(), targets);
        built.strategy = route.strategy;
        built.retries = route.retries;
        built.cooldown = route.cooldown;
        built.context_window = route.context_window;
        built.max_output_tokens = route.max_output_tokens;
        built.capabilities = route.capabilities;
        built.detours = route.detours.clone();
        built.fallbacks = route.fallbacks.clone();
        built.context_window_fallbacks = route.context_window_fallbacks.clone();
        built.owned_by = route.owned_by.as_str().into();
        built.cache_ttl = route.cache_ttl;
        Ok(built)
    }

    fn target(
        &mut self,
        route: &super::Route,
        target: &super::Target,
    ) -> Result<route::Target, ConnectError> {
        let provider = self.routes.provider(&target.provider);
        let provider = provider.ok_or_else(|| ConnectError::NoProvider(target.provider.clone()))?;
        let (model, timeouts, counter) = match &provider.kind {
            ProviderKind::Extractive => (
                TargetModel::Chat(Arc::clone(&self.parts.extractive)),
                Timeouts::default(),
                Arc::clone(&self.parts.extractive_counter),
            ),
            ProviderKind::Http(endpoint) => {
                let timeouts = target.timeouts.over(endpoint.timeouts);
                let connection = self.connection(&provider.name, endpoint, timeouts)?;
                let model = match &route.kind {
                    RouteKind::Chat => TargetModel::Chat(connection.chat()),
                    RouteKind::Embeddings(card) => {
                        let model = RemoteModel {
                            upstream_model: target.upstream_model.clone(),
                            card: card.clone(),
                            counter: connection.counter(&target.upstream_model),
                            batch: route.embedding.batch,
                            send_dimensions: route.embedding.send_dimensions,
                        };
                        TargetModel::Embeddings(Arc::new(connection.embedder(model)?))
                    }
                    RouteKind::Rerank => {
                        TargetModel::Rerank(Arc::new(connection.judge(&target.upstream_model, "/rerank")?))
                    }
                    RouteKind::Moderations => {
                        let judge = connection.judge(&target.upstream_model, "/moderations")?;
                        TargetModel::Moderations(Arc::new(judge))
                    }
                };
                (model, timeouts, connection.counter(&target.upstream_model))
            }
        };
        Ok(route::Target {
            name: format!("{}/{}", target.provider, target.upstream_model).into(),
            provider: target.provider.as_str().into(),
            upstream_model: target.upstream_model.as_str().into(),
            local: match &provider.kind {
                ProviderKind::Extractive => true,
                ProviderKind::Http(endpoint) => endpoint.local,
            },
            weight: target.weight,
            timeouts,
            condition: target.condition.clone(),
            prices: target.prices.clone(),
            counter,
            // Secrets do not appear in it: they are hidden from Debug.
            origin: format!(
                "{:?} {} {provider:?}",
                std::mem::discriminant(&route.kind),
                target.upstream_model
            )
            .into(),
            health: Arc::new(Health::default()),
            model,
        })
    }

    /// Each provider once, so that its routes share connections.
    fn connection(
        &mut self,
        provider: &'a str,
        endpoint: &Endpoint,
        timeouts: Timeouts,
    ) -> Result<Connection, ConnectError> {
        if let Some(connection) = self.connections.get(&(provider, timeouts.connect)) {
            return Ok(connection.with_timeouts(timeouts));
        }
        let mut endpoint = endpoint.clone();
        endpoint.http.connect_timeout = timeouts.connect;
        endpoint.timeouts = timeouts;
        let connection = endpoint.connect(provider, self.parts.variable)?;
        self.connections
            .insert((provider, timeouts.connect), connection.clone());
        Ok(connection)
    }
}
