//! Exact sums of amounts: a whole number of ten-thousandths of the major unit, in 128 bits, so that no sum of rows that
//! could ever be stored overflows.

use std::fmt;
use std::ops::{AddAssign, SubAssign};

use serde::{Deserialize, Deserializer, Serialize, Serializer, de};

use super::money::{Money, SCALE};

/// A sum of amounts in one currency; as text it has all four digits behind the point.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Sum(i128);

/// Digits that a sum's text may have: no number of rows gives more.
const MAX_DIGITS: usize = 30;

impl Sum {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The sum of `units` ten-thousandths.
    #[must_use]
    pub fn from_units(units: i128) -> Self {
        Self(units)
    }

    /// The ten-thousandths.
    #[must_use]
    pub fn units(self) -> i128 {
        self.0
    }

    /// The difference.
    #[must_use]
    pub fn minus(self, other: Self) -> Self {
        Self(self.0 - other.0)
    }

    /// Reads a sum as it is written: an optional minus, digits, a point and four digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let (negative, digits) = text.strip_prefix('-').map_or((false, text), |rest| (true, rest));
        let (integer, fraction) = digits.split_once('.')?;
        let all_digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if fraction.len() != usize::from(SCALE) || !all_digits(integer) || !all_digits(fraction) {
            return None;
        }
        if integer.len() + fraction.len() > MAX_DIGITS {
            return None;
        }
        let units = format!("{integer}{fraction}").parse::<i128>().ok()?;
        Some(Self(if negative { -units } else { units }))
    }
}

/// A single amount; none counts as nothing.
impl From<Option<Money>> for Sum {
    fn from(money: Option<Money>) -> Self {
        Self(money.map_or(0, |money| money.amount.units().into()))
    }
}

impl AddAssign for Sum {
    fn add_assign(&mut self, other: Self) {
        self.0 += other.0;
    }
}

impl SubAssign for Sum {
    fn sub_assign(&mut self, other: Self) {
        self.0 -= other.0;
    }
}

impl std::iter::Sum for Sum {
    fn sum<I: Iterator<Item = Self>>(sums: I) -> Self {
        sums.fold(Self::ZERO, |all, sum| Self(all.0 + sum.0))
    }
}

impl fmt::Display for Sum {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (sign, units) = (if self.0 < 0 { "-" } else { "" }, self.0.unsigned_abs());
        write!(f, "{sign}{}.{:04}", units / 10_000, units % 10_000)
    }
}

impl Serialize for Sum {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Sum {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::parse(&text).ok_or_else(|| de::Error::custom("no sum"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_sum_is_written_and_read_exactly() {
        for (units, text) in [
            (0, "0.0000"),
            (-1, "-0.0001"),
            (12_345, "1.2345"),
            (-10_000, "-1.0000"),
            (123_456_789_012_345_678_901_234_567_890, "12345678901234567890123456.7890"),
        ] {
            assert_eq!(Sum::from_units(units).to_string(), text);
            assert_eq!(Sum::parse(text), Some(Sum::from_units(units)));
        }
    }

    #[test]
    fn what_is_no_sum_is_not_read() {
        let long = format!("{}.0000", "1".repeat(27));
        for text in ["", "1", "1.", ".0000", "1.000", "1.00000", "+1.0000", "--1.0000", "1.00 0", "1e2.0000", &long] {
            assert_eq!(Sum::parse(text), None, "{text}");
        }
    }
}
