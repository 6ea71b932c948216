//! Amounts of money, exact.

use std::fmt;
use std::iter::Sum;
use std::ops::{Add, AddAssign, Sub, SubAssign};
use std::str::FromStr;

use rust_decimal::Decimal;
use rust_decimal::prelude::ToPrimitive;
use serde::{Deserialize, Serialize};

use crate::{Error, Result};

/// An amount in nano-dollars (10⁻⁹ US dollars). One embedding token costs some ten of them, and 64 bits reach to nine
/// billion dollars. Arithmetic saturates: a sum that is out of range stays at the end of the range.
#[derive(
    Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord, Hash, sqlx::Type, Serialize, Deserialize,
)]
#[sqlx(transparent)]
#[serde(transparent)]
pub struct Money(i64);

impl Money {
    /// Nothing.
    pub const ZERO: Self = Self(0);
    /// More than anything costs.
    pub const MAX: Self = Self(i64::MAX);

    /// So many nano-dollars.
    pub const fn from_nanos(nanos: i64) -> Self {
        Self(nanos)
    }

    /// In nano-dollars.
    pub const fn nanos(self) -> i64 {
        self.0
    }

    /// In dollars, all nine digits after the point kept.
    pub fn dollars(self) -> Decimal {
        Decimal::new(self.0, 9).normalize()
    }

    /// What is left of this after `other`; never below nothing.
    pub const fn less(self, other: Self) -> Self {
        let left = self.0.saturating_sub(other.0);
        Self(if left > 0 { left } else { 0 })
    }
}

/// What a cost is multiplied by, in millionths: `1` is the whole price, `0.5` half of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct PriceFactor(u32);

impl PriceFactor {
    /// The whole price.
    pub const WHOLE: Self = Self(1_000_000);

    /// The cost at this factor, rounded up to the nano-dollar.
    pub fn of(self, cost: Money) -> Money {
        let millionths = i128::from(cost.0) * i128::from(self.0);
        let nanos = millionths.div_euclid(1_000_000) + i128::from(millionths.rem_euclid(1_000_000) > 0);
        i64::try_from(nanos).map_or(Money::MAX, Money)
    }
}

impl Default for PriceFactor {
    fn default() -> Self {
        Self::WHOLE
    }
}

impl fmt::Display for PriceFactor {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal::new(self.0.into(), 6).normalize().fmt(f)
    }
}

/// As in `0.5`: from 0 to 10, with at most six digits after the point.
impl FromStr for PriceFactor {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Invalid("must be a number from 0 to 10, as in 0.5".into());
        let factor = Decimal::from_str_exact(text).map_err(|_| wrong())?;
        let millionths = factor.checked_mul(Decimal::from(1_000_000)).ok_or_else(wrong)?;
        match millionths.to_u32() {
            Some(whole) if whole <= 10_000_000 && millionths.fract().is_zero() => Ok(Self(whole)),
            _ => Err(wrong()),
        }
    }
}

impl Add for Money {
    type Output = Self;

    fn add(self, other: Self) -> Self {
        Self(self.0.saturating_add(other.0))
    }
}

impl Sub for Money {
    type Output = Self;

    fn sub(self, other: Self) -> Self {
        Self(self.0.saturating_sub(other.0))
    }
}

impl AddAssign for Money {
    fn add_assign(&mut self, other: Self) {
        *self = *self + other;
    }
}

impl SubAssign for Money {
    fn sub_assign(&mut self, other: Self) {
        *self = *self - other;
    }
}

impl Sum for Money {
    fn sum<I: Iterator<Item = Self>>(amounts: I) -> Self {
        amounts.fold(Self::ZERO, Add::add)
    }
}

/// Dollars, as in `12.5`.
impl fmt::Display for Money {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.dollars().fmt(f)
    }
}

/// Dollars, as in `12.5`; at most nine digits after the point.
impl FromStr for Money {
    type Err = Error;

    fn from_str(text: &str) -> Result<Self> {
        let wrong = || Error::Invalid("is no amount of dollars; write it as in 12.50".into());
        let dollars = Decimal::from_str_exact(text).map_err(|_| wrong())?;
        let nanos = dollars
            .checked_mul(Decimal::from(1_000_000_000))
            .ok_or_else(wrong)?;
        if !nanos.fract().is_zero() {
            return Err(wrong());
        }
        nanos.to_i64().map(Self).ok_or_else(wrong)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn dollars_are_read_and_written_exactly() {
        for (text, nanos) in [
            ("0", 0),
            ("0.000000001", 1),
            ("12.5", 12_500_000_000),
            ("-1", -1_000_000_000),
        ] {
            let money: Money = text.parse().unwrap();
            assert_eq!((money.nanos(), money.to_string()), (nanos, text.to_owned()));
        }
        for bad in ["", "x", "0.0000000001", "1e30", "9223372037"] {
            assert!(bad.parse::<Money>().is_err(), "{bad}");
        }
    }

    #[test]
    fn a_factor_is_exact_and_rounds_up() {
        let factor = |text: &str| text.parse::<PriceFactor>().unwrap();
        for (text, nanos, expected) in [
            ("1", 7, 7),
            ("0.5", 7, 4),
            ("0.5", 8, 4),
            ("0", 7, 0),
            ("0.000001", 1, 1),
            ("1.25", 100, 125),
            ("10", i64::MAX, i64::MAX),
        ] {
            assert_eq!(
                factor(text).of(Money::from_nanos(nanos)).nanos(),
                expected,
                "{text}"
            );
            assert_eq!(factor(text).to_string(), text);
        }
        for bad in ["", "x", "-0.5", "10.1", "0.0000001", "1e3"] {
            assert!(bad.parse::<PriceFactor>().is_err(), "{bad}");
        }
    }

    #[test]
    fn sums_do_not_wrap() {
        assert_eq!(Money::MAX + Money::from_nanos(1), Money::MAX);
        assert_eq!(Money::from_nanos(3).less(Money::from_nanos(5)), Money::ZERO);
    }
}
