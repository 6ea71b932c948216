//! `/v1/insula/operator/prices`

use std::time::SystemTime;

use axum::extract::State;
use chrono::{DateTime, Utc};
use insula_core::route::{PriceSpan, Route, Target};
use serde::Serialize;
use utoipa::ToSchema;

use crate::app::App;
use crate::http::{ApiResult, Json, Operator};
use crate::routes::wire::{List, seconds};

/// What the tokens of a model cost at a target, for some time.
#[derive(Debug, PartialEq, Eq, Serialize, ToSchema)]
#[schema(as = Price)]
pub struct PriceObject {
    /// `insula.price`
    #[schema(value_type = String)]
    pub object: &'static str,
    /// The name that clients send.
    pub model: String,
    /// Who answers: the provider and its name of the model.
    #[schema(example = "openai/gpt-4o-mini")]
    pub target: String,
    /// The provider's name.
    pub provider: String,
    /// `usd`
    #[schema(value_type = String)]
    pub currency: &'static str,
    /// For a million tokens that are read.
    pub input: String,
    /// For a million tokens that are read from the provider's cache.
    pub cached_input: String,
    /// For a million tokens that are generated.
    pub output: String,
    /// Unix seconds from which it holds; null: from ever.
    #[schema(required)]
    pub valid_from: Option<i64>,
    /// Unix seconds until which it holds; null: as long as nobody changes it.
    #[schema(required)]
    pub valid_until: Option<i64>,
    /// Whether calls are charged with it now.
    pub current: bool,
}

impl PriceObject {
    fn new(route: &Route, target: &Target, span: PriceSpan, at: DateTime<Utc>) -> Self {
        let PriceSpan { price, from, until } = span;
        Self {
            object: "insula.price",
            model: route.name.to_string(),
            target: target.name.to_string(),
            provider: target.provider.to_string(),
            currency: "usd",
            input: price.input.dollars().to_string(),
            cached_input: price.cached_input.dollars().to_string(),
            output: price.output.dollars().to_string(),
            valid_from: from.map(seconds),
            valid_until: until.map(seconds),
            current: span.holds_at(at),
        }
    }
}

/// Lists what tokens cost, by the routes in force on the server that answers.
///
/// Prices come from `routes.toml`. A target without any is free, and has one line that says so.
#[utoipa::path(
    get, path = "/v1/insula/operator/prices", operation_id = "list_prices", tag = "operator",
    responses((status = OK, body = List<PriceObject>))
)]
pub async fn list_prices(_: Operator, State(app): State<App>) -> ApiResult<Json<List<PriceObject>>> {
    let at = SystemTime::now().into();
    let mut prices = Vec::new();
    for route in app.services.routes.list() {
        for target in &*route.targets {
            let spans = target.prices.spans().into_iter();
            prices.extend(spans.map(|span| PriceObject::new(&route, target, span, at)));
        }
    }
    Ok(Json(List::new(prices, false, |price| {
        format!("{}/{}", price.model, price.target)
    })))
}
