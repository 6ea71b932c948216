//! Reading prices.

use chrono::{DateTime, Utc};
use insula_core::route::{Money, Price, Prices};
use serde::Deserialize;
use toml::Spanned;
use toml::value::Datetime;

use super::RoutesError;
use super::file::Reader;

/// Dollars for a million tokens.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct FilePrice {
    from: Option<Spanned<Datetime>>,
    input: Spanned<String>,
    cached_input: Option<Spanned<String>>,
    output: Option<Spanned<String>>,
}

impl Reader<'_> {
    /// The prices of a list, below `field`.
    pub(super) fn prices(&self, prices: &[FilePrice], field: &str) -> Result<Prices, RoutesError> {
        let mut dated: Vec<(DateTime<Utc>, Price)> = Vec::with_capacity(prices.len());
        for price in prices {
            let from = match &price.from {
                None => DateTime::<Utc>::MIN_UTC,
                Some(from) => moment(from.get_ref()).ok_or_else(|| {
                    let field = format!("{field}.from");
                    self.wrong(
                        from.span(),
                        &field,
                        "must be a date, or a date and a time with an offset",
                    )
                })?,
            };
            if dated.iter().any(|(other, _)| *other == from) {
                let at = price.from.as_ref().map_or(price.input.span(), Spanned::span);
                return Err(self.wrong(at, &format!("{field}.from"), "is given twice"));
            }
            let input = self.dollars(&price.input, &format!("{field}.input"))?;
            let or = |value: &Option<Spanned<String>>, name: &str, default: Money| {
                value.as_ref().map_or(Ok(default), |value| {
                    self.dollars(value, &format!("{field}.{name}"))
                })
            };
            let price = Price {
                input,
                cached_input: or(&price.cached_input, "cached_input", input)?,
                output: or(&price.output, "output", Money::ZERO)?,
            };
            dated.push((from, price));
        }
        Ok(Prices::new(dated))
    }

    fn dollars(&self, value: &Spanned<String>, field: &str) -> Result<Money, RoutesError> {
        let money = value.get_ref().parse::<Money>().ok();
        money.filter(|money| *money >= Money::ZERO).ok_or_else(|| {
            let message = "must be dollars for a million tokens, as in \"0.15\", with at most nine digits after the point";
            self.wrong(value.span(), field, message)
        })
    }
}

/// A date is its first moment in UTC. A time without an offset is of no place in particular, and refused.
fn moment(given: &Datetime) -> Option<DateTime<Utc>> {
    let text = match given.time {
        Some(_) => given.to_string(),
        None => format!("{given}T00:00:00Z"),
    };
    text.parse().ok()
}
