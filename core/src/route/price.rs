//! What tokens cost.

use chrono::{DateTime, Utc};
use insula_tenancy::Money;

use crate::model::TokenUsage;

/// Prices are given per so many tokens.
const PER: u128 = 1_000_000;

/// Prices of a model, each for a million tokens.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Price {
    /// Of tokens that are read.
    pub input: Money,
    /// Of tokens that are read from the provider's cache.
    pub cached_input: Money,
    /// Of tokens that are generated, reasoning included.
    pub output: Money,
}

impl Price {
    /// Nothing costs anything.
    pub const FREE: Self = Self {
        input: Money::ZERO,
        cached_input: Money::ZERO,
        output: Money::ZERO,
    };

    /// What a call costs, rounded up to the nano-dollar once, at the end. A cost beyond all bounds is [`Money::MAX`].
    pub fn cost(&self, usage: &TokenUsage) -> Money {
        let cached = usage.cached_tokens.min(usage.prompt_tokens);
        let part =
            |tokens: u64, price: Money| u128::from(tokens) * u128::from(price.nanos().max(0).unsigned_abs());
        let sum = part(usage.prompt_tokens - cached, self.input)
            .saturating_add(part(cached, self.cached_input))
            .saturating_add(part(usage.completion_tokens, self.output));
        i64::try_from(sum.div_ceil(PER)).map_or(Money::MAX, Money::from_nanos)
    }
}

/// A price and its time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceSpan {
    /// What tokens cost.
    pub price: Price,
    /// From when; `None`: from ever.
    pub from: Option<DateTime<Utc>>,
    /// Until when; `None`: for ever, as far as is known.
    pub until: Option<DateTime<Utc>>,
}

impl PriceSpan {
    /// Whether it is the price of a moment.
    pub fn holds_at(&self, moment: DateTime<Utc>) -> bool {
        self.from.is_none_or(|from| from <= moment) && self.until.is_none_or(|until| moment < until)
    }
}

/// The prices of a model over time.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Prices(Box<[(DateTime<Utc>, Price)]>);

impl Prices {
    /// Prices with the moments from which they hold, in any order.
    pub fn new(mut dated: Vec<(DateTime<Utc>, Price)>) -> Self {
        dated.sort_by_key(|(from, _)| *from);
        Self(dated.into())
    }

    /// The price at a moment. Before the first date the first price holds, because nothing is free by oversight; without
    /// any price all is free.
    pub fn at(&self, moment: DateTime<Utc>) -> Price {
        let begun = self.0.partition_point(|(from, _)| *from <= moment);
        self.0
            .get(begun.saturating_sub(1))
            .map_or(Price::FREE, |(_, price)| *price)
    }

    /// Each price with the moments from which and until which it holds, the earliest first. The first holds before its
    /// date too, and so has no beginning; without any price all is free for ever.
    pub fn spans(&self) -> Vec<PriceSpan> {
        let begins = self.0.iter().skip(1).map(|(from, _)| Some(*from));
        let ends = begins.clone().chain([None]);
        let prices = self.0.iter().map(|(_, price)| *price);
        let prices = prices.chain(self.0.is_empty().then_some(Price::FREE));
        let times = [None].into_iter().chain(begins).zip(ends);
        let span = |(price, (from, until))| PriceSpan { price, from, until };
        prices.zip(times).map(span).collect()
    }

    /// Whether nothing is ever charged.
    pub fn is_free(&self) -> bool {
        self.0.iter().all(|(_, price)| *price == Price::FREE)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn usage(prompt: u64, cached: u64, completion: u64) -> TokenUsage {
        TokenUsage {
            prompt_tokens: prompt,
            cached_tokens: cached,
            completion_tokens: completion,
            reasoning_tokens: 0,
        }
    }

    fn price(input: &str, cached: &str, output: &str) -> Price {
        let money = |text: &str| text.parse().unwrap();
        Price {
            input: money(input),
            cached_input: money(cached),
            output: money(output),
        }
    }

    #[test]
    fn costs_are_exact_and_rounded_up_once() {
        let mini = price("0.15", "0.075", "0.60");
        for (usage, nanos) in [
            (usage(0, 0, 0), 0),
            (usage(1, 0, 0), 150),
            (usage(1000, 400, 100), 600 * 150 + 400 * 75 + 100 * 600),
            // More cached than read is a provider's slip, and not paid twice.
            (usage(1, 5, 0), 75),
        ] {
            assert_eq!(mini.cost(&usage).nanos(), nanos, "{usage:?}");
        }
        let tiny = price("0.000001", "0", "0.000001");
        assert_eq!(
            tiny.cost(&usage(1, 0, 1)).nanos(),
            1,
            "two halves of nothing are one"
        );
        assert_eq!(
            price("9000000000", "0", "0").cost(&usage(u64::MAX, 0, 0)),
            Money::MAX
        );
    }

    #[test]
    fn the_price_of_a_day_is_the_last_that_has_begun() {
        let day = |text: &str| format!("{text}T00:00:00Z").parse::<DateTime<Utc>>().unwrap();
        let (old, new) = (price("2", "2", "2"), price("1", "1", "1"));
        let prices = Prices::new(vec![(day("2026-06-01"), new), (day("2026-01-01"), old)]);
        for (at, expected) in [
            ("2025-01-01", old),
            ("2026-01-01", old),
            ("2026-05-31", old),
            ("2026-06-01", new),
            ("2030-01-01", new),
        ] {
            assert_eq!(prices.at(day(at)), expected, "{at}");
        }
        assert_eq!(Prices::default().at(day("2026-01-01")), Price::FREE);

        let spans = prices.spans();
        let turn = Some(day("2026-06-01"));
        let times: Vec<_> = spans.iter().map(|span| (span.from, span.until)).collect();
        assert_eq!(times, [(None, turn), (turn, None)]);
        for at in ["2025-01-01", "2026-05-31", "2026-06-01"] {
            let holding: Vec<_> = spans.iter().filter(|span| span.holds_at(day(at))).collect();
            assert_eq!(
                holding.iter().map(|span| span.price).collect::<Vec<_>>(),
                [prices.at(day(at))]
            );
        }
        let free = PriceSpan {
            price: Price::FREE,
            from: None,
            until: None,
        };
        assert_eq!(Prices::default().spans(), [free]);
    }

    proptest! {
        #[test]
        fn more_tokens_never_cost_less(
            prompt in 0u64..10_000_000, completion in 0u64..10_000_000, input in 0i64..10_000_000_000, output in 0i64..10_000_000_000,
        ) {
            let price = Price {
                input: Money::from_nanos(input),
                cached_input: Money::from_nanos(input / 2),
                output: Money::from_nanos(output),
            };
            let cost = price.cost(&usage(prompt, 0, completion));
            prop_assert!(cost <= price.cost(&usage(prompt + 1, 0, completion)));
            prop_assert!(cost <= price.cost(&usage(prompt, 0, completion + 1)));
            prop_assert!(price.cost(&usage(prompt, prompt / 2, completion)) <= cost);
        }
    }
}
