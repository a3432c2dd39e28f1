//! Exact money: the digits of the text decide, and nothing here ever becomes a binary float.
//!
//! An [`Amount`] is a whole number of ten-thousandths of the major unit, so that sums and differences are integer
//! arithmetic. Text that does not fit exactly is an error, with one exception that surprises: a JSON *number* with the
//! trace of an upstream double (`14.719999999999999`) is repaired, see [`Written::amount`].

use std::fmt;

use rust_decimal::Decimal;
use serde::{Deserialize, Serialize};

/// How many digits an amount keeps after the decimal point.
pub const SCALE: u8 = 4;
/// How many digits an amount keeps in all: `DECIMAL(18, 4)`.
pub const PRECISION: u8 = 18;

const FRACTION_DIGITS: i64 = 4;
const INTEGER_DIGITS: i64 = 14;
const LIMIT: i64 = 1_000_000_000_000_000_000;
/// Significant digits from which on a number may be the trace of a double.
const NOISE_DIGITS: usize = 15;
/// Digits up to the fourth after the point that a repaired number may have: in cents, two more than an amount.
const NOISE_KEPT: usize = 20;

/// An exact amount of money in ten-thousandths of the major unit, below 10^14 major units either way.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Amount(i64);

impl Amount {
    /// Nothing.
    pub const ZERO: Self = Self(0);

    /// The amount of `units` ten-thousandths, if it is in range.
    #[must_use]
    pub fn from_units(units: i64) -> Option<Self> {
        (-LIMIT < units && units < LIMIT).then_some(Self(units))
    }

    /// The ten-thousandths.
    #[must_use]
    pub fn units(self) -> i64 {
        self.0
    }

    /// The sum, unless it is out of range.
    #[must_use]
    pub fn plus(self, other: Self) -> Option<Self> {
        Self::from_units(self.0 + other.0)
    }

    /// The difference, unless it is out of range.
    #[must_use]
    pub fn minus(self, other: Self) -> Option<Self> {
        Self::from_units(self.0 - other.0)
    }

    /// The same amount with the other sign.
    #[must_use]
    pub fn negated(self) -> Self {
        Self(-self.0)
    }

    /// The amount as money that goes out: never positive.
    #[must_use]
    pub fn outgoing(self) -> Self {
        Self(-self.0.abs())
    }
}

impl From<Amount> for Decimal {
    fn from(amount: Amount) -> Self {
        Self::new(amount.0, u32::from(SCALE))
    }
}

impl fmt::Display for Amount {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        Decimal::from(*self).fmt(f)
    }
}

/// An ISO 4217 code: three ASCII capital letters.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Currency([u8; 3]);

impl Currency {
    /// US dollars.
    pub const USD: Self = Self(*b"USD");

    /// The currency that `text` names in any case, if it is three ASCII letters.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let code: [u8; 3] = text.as_bytes().try_into().ok()?;
        code.iter().all(u8::is_ascii_alphabetic).then(|| Self(code.map(|b| b.to_ascii_uppercase())))
    }

    /// The code.
    #[must_use]
    pub fn as_str(&self) -> &str {
        std::str::from_utf8(&self.0).expect("a currency is ASCII")
    }

    /// The letters of the code.
    #[must_use]
    pub fn code(self) -> [u8; 3] {
        self.0
    }

    /// A number of its own, of 24 bits and never 0.
    #[must_use]
    pub fn number(self) -> u32 {
        let [a, b, c] = self.0;
        u32::from_be_bytes([0, a, b, c])
    }
}

impl From<Currency> for String {
    fn from(currency: Currency) -> Self {
        currency.as_str().to_owned()
    }
}

impl TryFrom<String> for Currency {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("no currency")
    }
}

impl fmt::Debug for Currency {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// An amount and the currency it is in, which may be unknown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Money {
    /// How much.
    pub amount: Amount,
    /// Of what; `None` when neither the source nor the configuration says.
    pub currency: Option<Currency>,
}

/// Why a text is no amount.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum NotAnAmount {
    /// It is no number in JSON's grammar.
    Malformed,
    /// It has more than four digits after the decimal point.
    TooPrecise,
    /// It has more than fourteen digits before the decimal point.
    OutOfRange,
}

/// The unit in which a source writes its amounts.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Unit {
    /// Whole dollars, euros, …
    Major,
    /// Hundredths of the major unit.
    Cents,
}

impl Unit {
    fn power(self) -> i64 {
        match self {
            Self::Major => 0,
            Self::Cents => -2,
        }
    }
}

/// An amount as it is written in JSON.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Written<'a> {
    /// The text of a JSON number.
    Number(&'a str),
    /// The characters of a JSON string.
    String(&'a str),
}

/// What [`Written::amount`] read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Read {
    /// The exact amount in major units.
    pub amount: Amount,
    /// Whether float noise was repaired.
    pub repaired: bool,
}

impl Written<'_> {
    /// The exact amount, in major units.
    ///
    /// A number of at least 15 significant digits that lies within 1e-8 of its value rounded to four digits is what a
    /// double leaves behind; it is read as the rounded value. A string never is.
    ///
    /// # Errors
    /// When the text is no JSON number, or does not fit `DECIMAL(18, 4)` exactly.
    pub fn amount(self, unit: Unit) -> Result<Read, NotAnAmount> {
        let (Self::Number(text) | Self::String(text)) = self;
        if let Some(units) = short(text.as_bytes(), unit) {
            return Ok(Read { amount: Amount(units), repaired: false });
        }
        let number = Number::parse(text).ok_or(NotAnAmount::Malformed)?;
        let exact = number.units(unit.power());
        if exact == Err(NotAnAmount::TooPrecise)
            && matches!(self, Self::Number(_))
            && let Some(rounded) = number.without_noise()
        {
            return rounded.units(unit.power()).map(|amount| Read { amount, repaired: true });
        }
        exact.map(|amount| Read { amount, repaired: false })
    }
}

/// The fast path: `-?digits[.d{1,4}]` of at most 15 bytes, the way nearly every amount is written.
fn short(text: &[u8], unit: Unit) -> Option<i64> {
    let (negative, digits) = match text {
        [b'-', rest @ ..] => (true, rest),
        _ => (false, text),
    };
    if digits.len() > 15 || (digits.len() > 1 && digits[0] == b'0' && digits[1] != b'.') {
        return None;
    }
    let mut value = 0_i64;
    let mut point = None;
    for (i, &byte) in digits.iter().enumerate() {
        match byte {
            b'0'..=b'9' => value = value * 10 + i64::from(byte - b'0'),
            b'.' if point.is_none() && i > 0 => point = Some(i),
            _ => return None,
        }
    }
    let fraction = match point {
        Some(point) => digits.len() - point - 1,
        None if digits.is_empty() => return None,
        None => 0,
    };
    let units = match (unit, fraction) {
        (Unit::Major, 0) if point.is_none() => value.checked_mul(10_000)?,
        (Unit::Major, 1) => value.checked_mul(1_000)?,
        (Unit::Major, 2) => value.checked_mul(100)?,
        (Unit::Major, 3) => value.checked_mul(10)?,
        (Unit::Major, 4) => value,
        (Unit::Cents, 0) if point.is_none() => value.checked_mul(100)?,
        _ => return None,
    };
    (units < LIMIT).then_some(if negative { -units } else { units })
}

/// A decimal number taken apart: `±digits × 10^exponent`, the digits without zeros at either end.
struct Number {
    negative: bool,
    digits: Vec<u8>,
    exponent: i64,
    /// Digits from the first that is not zero, as written.
    significant: usize,
}

impl Number {
    /// Reads JSON's number grammar, and nothing else.
    fn parse(text: &str) -> Option<Self> {
        let bytes = text.as_bytes();
        let (negative, rest) = match bytes {
            [b'-', rest @ ..] => (true, rest),
            _ => (false, bytes),
        };
        let (integer, rest) = split_digits(rest);
        if integer.is_empty() || (integer.len() > 1 && integer[0] == b'0') {
            return None;
        }
        let (fraction, rest) = match rest {
            [b'.', rest @ ..] => {
                let (fraction, rest) = split_digits(rest);
                (!fraction.is_empty()).then_some((fraction, rest))?
            }
            _ => (&[][..], rest),
        };
        let written_exponent = match rest {
            [] => 0,
            [b'e' | b'E', rest @ ..] => parse_exponent(rest)?,
            _ => return None,
        };
        let mut digits: Vec<u8> = integer.iter().chain(fraction).copied().collect();
        let leading = digits.iter().take_while(|&&b| b == b'0').count();
        digits.drain(..leading);
        let significant = digits.len();
        let mut exponent = written_exponent.saturating_sub(i64::try_from(fraction.len()).ok()?);
        while digits.last() == Some(&b'0') {
            digits.pop();
            exponent = exponent.saturating_add(1);
        }
        Some(Self { negative, digits, exponent, significant })
    }

    /// The number times `10^power`, in ten-thousandths.
    fn units(&self, power: i64) -> Result<Amount, NotAnAmount> {
        if self.digits.is_empty() {
            return Ok(Amount::ZERO);
        }
        let exponent = self.exponent.saturating_add(power);
        let count = i64::try_from(self.digits.len()).map_err(|_| NotAnAmount::OutOfRange)?;
        if count.saturating_add(exponent) > INTEGER_DIGITS {
            return Err(NotAnAmount::OutOfRange);
        }
        if exponent < -FRACTION_DIGITS {
            return Err(NotAnAmount::TooPrecise);
        }
        let zeros = u32::try_from(exponent + FRACTION_DIGITS).map_err(|_| NotAnAmount::OutOfRange)?;
        let units = digits_value(&self.digits) * 10_i64.pow(zeros);
        Ok(Amount(if self.negative { -units } else { units }))
    }

    /// The number rounded to four digits after the point, if it is within 1e-8 of that and long enough to be noise.
    fn without_noise(&self) -> Option<Self> {
        if self.significant < NOISE_DIGITS {
            return None;
        }
        // How many digits lie behind the fourth after the point; the tail is read as the fraction 0.t1t2t3….
        let behind = usize::try_from(-FRACTION_DIGITS - self.exponent).ok()?;
        let kept = self.digits.len().saturating_sub(behind);
        let zeros = behind.saturating_sub(self.digits.len());
        let tail = |i: usize| {
            if i < zeros { b'0' } else { self.digits.get(kept + i - zeros).copied().unwrap_or(b'0') }
        };
        let up = (0..4).all(|i| tail(i) == b'9');
        let down = (0..3).all(|i| tail(i) == b'0')
            && (tail(3) == b'0' || (tail(3) == b'1' && self.digits.len() - kept + zeros == 4));
        if (!up && !down) || kept > NOISE_KEPT {
            return None;
        }
        let value = self.digits[..kept].iter().fold(0, |n, b| n * 10 + i128::from(b - b'0')) + i128::from(up);
        let text = value.to_string();
        let digits = text.trim_matches('0').as_bytes().to_vec();
        let exponent = -FRACTION_DIGITS + i64::try_from(text.len() - text.trim_end_matches('0').len()).ok()?;
        Some(Self { negative: self.negative, digits, exponent, significant: 0 })
    }
}

fn split_digits(bytes: &[u8]) -> (&[u8], &[u8]) {
    bytes.split_at(bytes.iter().take_while(|b| b.is_ascii_digit()).count())
}

/// An exponent, cut off at a size that no amount reaches.
fn parse_exponent(bytes: &[u8]) -> Option<i64> {
    let (negative, rest) = match bytes {
        [b'-', rest @ ..] => (true, rest),
        [b'+', rest @ ..] => (false, rest),
        _ => (false, bytes),
    };
    let (digits, after) = split_digits(rest);
    if digits.is_empty() || !after.is_empty() {
        return None;
    }
    let size = digits.iter().fold(0_i64, |n, b| n.saturating_mul(10).saturating_add(i64::from(b - b'0')));
    Some(if negative { -size } else { size })
}

/// The value of at most 18 digits.
fn digits_value(digits: &[u8]) -> i64 {
    digits.iter().fold(0, |n, b| n * 10 + i64::from(b - b'0'))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(written: Written<'_>) -> String {
        match written.amount(Unit::Major) {
            Ok(Read { amount, repaired }) => format!("{amount}{}", if repaired { " repaired" } else { "" }),
            Err(error) => format!("{error:?}"),
        }
    }

    #[test]
    fn exact_or_refused() {
        for (text, expect) in [
            ("12.34", "12.3400"),
            ("-0", "0.0000"),
            ("0.0001", "0.0001"),
            ("1.50000000", "1.5000"),
            ("1.5e3", "1500.0000"),
            ("15E-1", "1.5000"),
            ("99999999999999.9999", "99999999999999.9999"),
            ("100000000000000", "OutOfRange"),
            ("1e999999", "OutOfRange"),
            ("1e99999999999999999999", "OutOfRange"),
            ("0e999999", "0.0000"),
            ("1e-999999", "TooPrecise"),
            ("12.34567", "TooPrecise"),
            ("1,000", "Malformed"),
            (" 1", "Malformed"),
            ("+1", "Malformed"),
            (".5", "Malformed"),
            ("1.", "Malformed"),
            ("-", "Malformed"),
            ("", "Malformed"),
            ("01", "Malformed"),
            ("-01", "Malformed"),
            ("NaN", "Malformed"),
            ("1e", "Malformed"),
            ("1e+", "Malformed"),
            ("1.2.3", "Malformed"),
        ] {
            assert_eq!(read(Written::String(text)), expect, "{text}");
        }
    }

    #[test]
    fn float_noise_is_repaired_in_numbers_alone() {
        for (text, expect) in [
            ("14.719999999999999", "14.7200 repaired"),
            ("-14.719999999999999", "-14.7200 repaired"),
            ("0.30000000000000004", "0.3000 repaired"),
            ("1.4719999999999999e1", "14.7200 repaired"),
            ("99.999999999999999", "100.0000 repaired"),
            ("1.23456789012345e-9", "0.0000 repaired"),
            ("1.000000010000000", "1.0000 repaired"),
            ("1.00000001000001", "TooPrecise"),
            ("14.7199999", "TooPrecise"),
            ("14.712345678901234", "TooPrecise"),
            ("99999999999999.99999999", "OutOfRange"),
        ] {
            assert_eq!(read(Written::Number(text)), expect, "{text}");
        }
        assert_eq!(read(Written::String("14.719999999999999")), "TooPrecise");
    }

    #[test]
    fn cents_keep_fractions_that_fit() {
        let cents = |text| Written::Number(text).amount(Unit::Cents).map(|read| read.amount.to_string());
        assert_eq!(cents("100").as_deref(), Ok("1.0000"));
        assert_eq!(cents("0.25").as_deref(), Ok("0.0025"));
        assert_eq!(cents("9999999999999999").as_deref(), Ok("99999999999999.9900"));
        assert_eq!(cents("1471.9999999999998").as_deref(), Ok("14.7200"));
        assert_eq!(cents("0.001"), Err(NotAnAmount::TooPrecise));
        assert_eq!(cents("10000000000000000"), Err(NotAnAmount::OutOfRange));
    }
}
