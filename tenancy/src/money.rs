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
    fn sums_do_not_wrap() {
        assert_eq!(Money::MAX + Money::from_nanos(1), Money::MAX);
        assert_eq!(Money::from_nanos(3).less(Money::from_nanos(5)), Money::ZERO);
    }
}
