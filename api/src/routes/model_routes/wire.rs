//! Routes and overrides on the wire.

use chrono::{DateTime, Utc};
use insula_core::route::tenant::{EffectiveRoute, Override};
use insula_core::route::{self, HealthState, Strategy};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use crate::routes::wire::Patch;

/// All models of the tenant.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = ListRoutesResponse)]
pub struct RouteList {
    /// `list`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The operator's models in their order, then the tenant's own names.
    pub data: Vec<RouteObject>,
}

/// A model name, and who answers to it.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = Route)]
pub struct RouteObject {
    /// `insula.route`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The name that clients send.
    pub model: String,
    /// The operator's route behind it.
    pub route: String,
    /// `chat` or `embeddings`
    #[schema(value_type = String)]
    pub kind: &'static str,
    /// How a target is chosen: `ordered`, `weighted` or `least_latency`.
    #[schema(value_type = String)]
    pub strategy: &'static str,
    /// Tokens that prompt and answer may have together, if that is known.
    #[schema(required)]
    pub context_window: Option<u32>,
    /// Most tokens that an answer is expected to have.
    pub max_output_tokens: u32,
    /// What its models can do besides text: `tools`, `json_schema`, `json_object`, `vision`.
    #[schema(value_type = Vec<String>)]
    pub capabilities: Vec<&'static str>,
    /// How long answers may be served from the response cache, in seconds; null: only if a call asks for it.
    #[schema(required)]
    pub cache_ttl: Option<u64>,
    /// Those that may be called.
    pub targets: Vec<TargetObject>,
    /// What the tenant has changed about this name.
    #[schema(required)]
    pub r#override: Option<OverrideObject>,
}

/// A model at a provider.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RouteTarget)]
pub struct TargetObject {
    /// Who serves it.
    pub provider: String,
    /// Whether nothing leaves the machine.
    pub local: bool,
    /// `healthy`; `resting` after failures; `probing` when it is about to be tried again.
    #[schema(value_type = String)]
    pub state: &'static str,
    /// What its tokens cost now.
    pub price: TargetPrice,
}

/// Dollars for a million tokens, as decimal numbers in texts.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RouteTargetPrice)]
pub struct TargetPrice {
    /// Tokens that are read.
    #[schema(example = "0.15")]
    pub input: String,
    /// Tokens that are read from the provider's cache.
    #[schema(example = "0.075")]
    pub cached_input: String,
    /// Tokens that are generated.
    #[schema(example = "0.6")]
    pub output: String,
}

/// What a model name shall mean. Absent fields stay as they are, `null` returns to the default.
#[derive(Debug, Deserialize, ToSchema)]
#[schema(as = SetRouteOverrideRequest)]
pub struct SetOverride {
    /// The route that answers; by default the one of that name.
    #[serde(default)]
    #[schema(value_type = Option<String>, example = "insula/extractive")]
    pub target_model: Patch<String>,
    /// Whether the model does not exist for this tenant.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub disabled: Patch<bool>,
    /// Whether only targets on this machine may be called.
    #[serde(default)]
    #[schema(value_type = Option<bool>)]
    pub local_only: Patch<bool>,
    /// The only providers that may be called; by default all.
    #[serde(default)]
    #[schema(value_type = Option<Vec<String>>)]
    pub providers: Patch<Vec<String>>,
    /// How long answers may be served from the response cache, in seconds; 0: not at all. By default as the operator says.
    #[serde(default)]
    #[schema(value_type = Option<u64>)]
    pub cache_ttl: Patch<u64>,
}

impl SetOverride {
    /// The override after the change.
    pub(super) fn apply(self, change: &mut Override) {
        let settings = &mut change.settings;
        if let Some(target) = self.target_model.into() {
            change.target_model = target;
        }
        self.disabled.apply(&mut settings.disabled, false);
        self.local_only.apply(&mut settings.local_only, false);
        if let Some(providers) = self.providers.into() {
            settings.providers = providers;
        }
        if let Some(ttl) = self.cache_ttl.into() {
            settings.cache_ttl = ttl;
        }
    }
}

/// What the tenant has changed about a model name.
#[derive(Debug, Serialize, ToSchema)]
#[schema(as = RouteOverride)]
pub struct OverrideObject {
    /// `insula.route_override`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The name that clients send; `*` for all.
    pub model: String,
    /// The route that answers.
    #[schema(required)]
    pub target_model: Option<String>,
    /// Whether the model does not exist for this tenant.
    pub disabled: bool,
    /// Whether only targets on this machine may be called.
    pub local_only: bool,
    /// The only providers that may be called.
    #[schema(required)]
    pub providers: Option<Vec<String>>,
    /// How long answers may be served from the response cache, in seconds; 0: not at all.
    #[schema(required)]
    pub cache_ttl: Option<u64>,
}

impl OverrideObject {
    pub(super) fn new(model: String, change: Override) -> Self {
        let settings = change.settings;
        Self {
            object: "insula.route_override",
            model,
            target_model: change.target_model,
            disabled: settings.disabled,
            local_only: settings.local_only,
            providers: settings.providers,
            cache_ttl: settings.cache_ttl,
        }
    }
}

impl RouteObject {
    /// With the prices of the moment `at`.
    pub(in crate::routes) fn new(effective: EffectiveRoute, at: DateTime<Utc>) -> Self {
        let (route, facts) = (&effective.choice.route, &effective.choice.facts);
        let may =
            |target: &&route::Target| facts.allows(&target.provider) && (target.local || !facts.stays_here());
        Self {
            object: "insula.route",
            route: route.name.to_string(),
            kind: route.kind.as_str(),
            strategy: match route.strategy {
                Strategy::Ordered => "ordered",
                Strategy::Weighted => "weighted",
                Strategy::LeastLatency => "least_latency",
            },
            context_window: route.context_window,
            max_output_tokens: route.max_output_tokens,
            capabilities: route.capabilities.names(),
            cache_ttl: effective.choice.cache_ttl.map(|ttl| ttl.as_secs()),
            targets: route
                .targets
                .iter()
                .filter(may)
                .map(|target| TargetObject::new(target, at))
                .collect(),
            r#override: effective
                .changed
                .map(|change| OverrideObject::new(effective.model.clone(), change)),
            model: effective.model,
        }
    }
}

impl TargetObject {
    fn new(target: &route::Target, at: DateTime<Utc>) -> Self {
        let price = target.prices.at(at);
        Self {
            provider: target.provider.to_string(),
            local: target.local,
            // How many calls there were, and how fast they are, would tell a tenant about the others.
            state: match target.health.report(route::now()).state {
                HealthState::Healthy => "healthy",
                HealthState::Resting => "resting",
                HealthState::Probing => "probing",
            },
            price: TargetPrice {
                input: price.input.to_string(),
                cached_input: price.cached_input.to_string(),
                output: price.output.to_string(),
            },
        }
    }
}
