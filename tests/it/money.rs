//! Amounts against an independent computation with big integers: exact or refused, and repaired only where a double was.

use num_bigint::{BigInt, BigUint};
use paynorm::model::money::{NotAnAmount, Unit, Written};
use proptest::prelude::*;

use crate::harness::cases;

/// A number in JSON's grammar, apart: sign, digits before and behind the point, exponent.
#[derive(Clone, Debug)]
struct Parts {
    negative: bool,
    integer: String,
    fraction: String,
    exponent: i32,
}

impl Parts {
    fn text(&self, exponent: &str) -> String {
        let point = if self.fraction.is_empty() { "" } else { "." };
        format!("{}{}{point}{}{exponent}", if self.negative { "-" } else { "" }, self.integer, self.fraction)
    }

    fn written(&self) -> String {
        self.text(&if self.exponent == 0 { String::new() } else { format!("e{}", self.exponent) })
    }

    /// The value as a fraction: a big number over a power of ten, of which this is the exponent.
    fn value(&self) -> (BigInt, u32) {
        let digits: BigInt = (self.integer.clone() + &self.fraction).parse().unwrap();
        let digits = if self.negative { -digits } else { digits };
        let places = i32::try_from(self.fraction.len()).unwrap() - self.exponent;
        match u32::try_from(places) {
            Ok(places) => (digits, places),
            Err(_) => (digits * BigInt::from(10).pow(places.unsigned_abs()), 0),
        }
    }

    fn significant(&self) -> usize {
        (self.integer.clone() + &self.fraction).trim_start_matches('0').len()
    }
}

/// Ten-thousandths of the major unit, and whether noise was repaired.
fn expected(parts: &Parts, unit: Unit, is_number: bool) -> Result<(i64, bool), NotAnAmount> {
    let (digits, places) = parts.value();
    match exactly(&digits, places, unit) {
        Err(NotAnAmount::TooPrecise) if is_number && parts.significant() >= 15 => {
            // Rounded half-even to 4 places; what is within 1e-8 of that is never half-way.
            let scale = BigInt::from(10).pow(places);
            let doubled: BigInt = (&digits * 20_000 + &scale) / (&scale * 2);
            let rounded = [&doubled - 1, doubled.clone(), doubled + 1];
            let distance = |rounded: &BigInt| {
                let difference: BigInt = &digits * 10_000 - rounded * &scale;
                difference.magnitude().clone()
            };
            let nearest = rounded.into_iter().min_by_key(distance).unwrap();
            let near = distance(&nearest) * BigUint::from(10_000_u32) <= *scale.magnitude();
            if !near {
                return Err(NotAnAmount::TooPrecise);
            }
            exactly(&nearest, 4, unit).map(|(units, _)| (units, true))
        }
        other => other,
    }
}

fn exactly(digits: &BigInt, places: u32, unit: Unit) -> Result<(i64, bool), NotAnAmount> {
    let places = places + if unit == Unit::Cents { 2 } else { 0 };
    let scale = BigInt::from(10).pow(places);
    if *digits.magnitude() >= *(&scale * BigInt::from(10).pow(14)).magnitude() {
        return Err(NotAnAmount::OutOfRange);
    }
    let scaled = digits * 10_000;
    if (&scaled % &scale) != BigInt::ZERO {
        return Err(NotAnAmount::TooPrecise);
    }
    Ok((i64::try_from(scaled / scale).unwrap(), false))
}

fn read(written: Written<'_>, unit: Unit) -> Result<(i64, bool), NotAnAmount> {
    written.amount(unit).map(|read| (read.amount.units(), read.repaired))
}

fn check(parts: &Parts) -> Result<(), TestCaseError> {
    let text = parts.written();
    for unit in [Unit::Major, Unit::Cents] {
        prop_assert_eq!(read(Written::Number(&text), unit), expected(parts, unit, true), "number {} {:?}", text, unit);
        prop_assert_eq!(read(Written::String(&text), unit), expected(parts, unit, false), "string {} {:?}", text, unit);
    }
    Ok(())
}

/// Numbers of all sizes, many at the edges of what fits.
fn parts() -> impl Strategy<Value = Parts> {
    let integer = prop_oneof![
        Just("0".to_owned()),
        "[1-9][0-9]{0,3}",
        "[1-9][0-9]{12,16}",
        "9{13,15}",
        "10{13,15}",
        "[1-9][0-9]{0,30}",
    ];
    let fraction = prop_oneof![
        Just(String::new()),
        "[0-9]{1,5}",
        "[0-9]{1,4}0{1,20}",
        "[0-9]{0,4}0{3,12}[0-9]{1,3}",
        "[0-9]{0,4}9{3,12}[0-9]{0,3}",
        "[0-9]{4}0000000[0-9]{0,2}",
        "[0-9]{4}00010{0,9}",
        "[0-9]{4}99990{0,9}",
        "[0-9]{1,30}",
    ];
    let exponent = prop_oneof![6 => Just(0), 2 => -20..20_i32, 1 => -400..400_i32];
    (any::<bool>(), integer, fraction, exponent).prop_map(|(negative, integer, fraction, exponent)| Parts {
        negative,
        integer,
        fraction,
        exponent,
    })
}

/// Cents as a JSON number would be written exactly.
fn exact(cents: i64) -> i64 {
    cents * 100
}

#[allow(clippy::cast_precision_loss, reason = "doubles are what is tried here")]
fn dollars(cents: i64) -> f64 {
    cents as f64 / 100.0
}

proptest! {
    #![proptest_config(cases(4000))]

    #[test]
    fn amounts_are_exact_or_refused(parts in parts()) {
        check(&parts)?;
    }

    #[test]
    fn every_way_to_write_an_exponent_is_the_same(parts in parts()) {
        let size = parts.exponent.abs();
        let sign = if parts.exponent < 0 { "-" } else { "+" };
        let expected = expected(&parts, Unit::Major, true);
        for exponent in [format!("e{sign}{size}"), format!("E{sign}{size:03}")] {
            prop_assert_eq!(read(Written::Number(&parts.text(&exponent)), Unit::Major), expected);
        }
    }

    #[test]
    fn what_is_no_json_number_is_malformed(text in "[-+]?[0-9]{0,3}[.,]?[0-9]{0,3}([eE][-+]?[0-9]{0,2})?[ x]?|[ -+.0-9eE,NainfI]{0,6}") {
        let json = text.starts_with(|first: char| first == '-' || first.is_ascii_digit())
            && text.ends_with(|last: char| last.is_ascii_digit())
            && serde_json::from_str::<serde::de::IgnoredAny>(&text).is_ok();
        for unit in [Unit::Major, Unit::Cents] {
            let malformed = read(Written::String(&text), unit) == Err(NotAnAmount::Malformed);
            prop_assert_eq!(malformed, !json, "{:?}", text);
        }
    }

    #[test]
    fn what_doubles_leave_behind_is_repaired(a in -500_000_000..500_000_000_i64, b in -500_000_000..500_000_000_i64) {
        let sum = format!("{}", dollars(a) + dollars(b));
        let result = read(Written::Number(&sum), Unit::Major);
        prop_assert_eq!(result.map(|read| read.0), Ok(exact(a + b)), "{}", sum);
        // A string is taken by the letter.
        let by_the_letter = read(Written::String(&sum), Unit::Major);
        match result {
            Ok((_, true)) => prop_assert_eq!(by_the_letter, Err(NotAnAmount::TooPrecise)),
            other => prop_assert_eq!(by_the_letter, other),
        }
    }

    #[test]
    fn long_sums_of_doubles_are_repaired(all in prop::collection::vec(1..1_000_000_i64, 2..40)) {
        let sum: f64 = all.iter().map(|cents| dollars(*cents)).sum();
        let text = format!("{sum}");
        let result = read(Written::Number(&text), Unit::Major);
        prop_assert_eq!(result.map(|read| read.0), Ok(exact(all.iter().sum())), "{}", text);
    }

    #[test]
    fn fees_as_differences_of_doubles_are_repaired(gross in 1..10_000_000_i64, fee in 1..100_000_i64) {
        for text in [format!("{}", dollars(gross) - dollars(fee)), format!("{:e}", dollars(gross) - dollars(fee))] {
            prop_assert_eq!(read(Written::Number(&text), Unit::Major).map(|read| read.0), Ok(exact(gross - fee)), "{}", text);
        }
    }
}

#[test]
fn the_edges() {
    let parts = |integer: &str, fraction: &str| Parts {
        negative: false,
        integer: integer.to_owned(),
        fraction: fraction.to_owned(),
        exponent: 0,
    };
    let most = "99999999999999";
    for (integer, fraction) in [
        ("0", ""),
        ("0", "0000"),
        (most, "9999"),
        (most, "99990"),
        (most, "99991"),
        (most, "99999999"),
        ("100000000000000", ""),
        ("9999999999999999", ""),
        ("1", "000000010000000"),
        ("1", "00000001000001"),
        ("1", "00000000000000"),
        ("10", "999900000000000"),
        ("10", "99989999000000"),
        ("10", "9998999899999999"),
        ("0", "00009999999999999999"),
        ("0", "000000009999999999999999"),
        ("0", "00000000123456789012345"),
    ] {
        check(&parts(integer, fraction)).unwrap();
        check(&Parts { negative: true, ..parts(integer, fraction) }).unwrap();
    }
    // The expectation itself, by hand.
    assert_eq!(expected(&parts("14", "719999999999999"), Unit::Major, true), Ok((147_200, true)));
    assert_eq!(expected(&parts("14", "719999999999999"), Unit::Major, false), Err(NotAnAmount::TooPrecise));
    assert_eq!(expected(&parts("14", "7199999"), Unit::Major, true), Err(NotAnAmount::TooPrecise));
    assert_eq!(expected(&parts(most, "9999"), Unit::Major, true), Ok((999_999_999_999_999_999, false)));
    assert_eq!(expected(&parts("1999", "5"), Unit::Cents, true), Ok((199_950, false)));
    assert_eq!(expected(&parts("1", "00000001000001"), Unit::Major, true), Err(NotAnAmount::TooPrecise));
}
