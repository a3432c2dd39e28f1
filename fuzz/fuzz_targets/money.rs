//! Amounts are exact or refused, as big integers compute them.
//!
//! At most 4 digits behind the point and 14 before it fit, in major units; a JSON number of at least 15 significant
//! digits within 1e-8 of its value rounded to 4 digits is float noise and becomes that value; a string never is.
//! Everything that is no number in JSON's grammar is malformed.
//!
//! Every input is tried as text, and as digits in runs, which come to the edges of these rules faster.

#![no_main]

use libfuzzer_sys::fuzz_target;
use num_bigint::BigInt;
use paynorm::model::money::{Amount, NotAnAmount, Unit, Written};
use paynorm_fuzz::{Number, ten_to};

fuzz_target!(|bytes: &[u8]| {
    if let Ok(text) = std::str::from_utf8(bytes) {
        check(text);
    }
    let runs: String = bytes.iter().map(|byte| run(*byte)).collect();
    check(&runs);
    check(runs.trim_start_matches('0'));
});

/// The low half of a byte is a character, the high half how often it stands here.
fn run(byte: u8) -> String {
    let character = char::from(b"0123456789.e-+09"[usize::from(byte & 15)]);
    character.to_string().repeat(1 + usize::from(byte >> 4))
}

fn check(text: &str) {
    let number = Number::parse(text);
    for unit in [Unit::Major, Unit::Cents] {
        for (written, repairs) in [(Written::Number(text), true), (Written::String(text), false)] {
            let expected = number.as_ref().map_or(Err(NotAnAmount::Malformed), |number| amount(number, unit, repairs));
            let found = written.amount(unit);
            assert_eq!(found.map(|read| (read.amount.units(), read.repaired)), expected, "{written:?} in {unit:?}");
            if let Ok(read) = found {
                shown(read.amount);
            }
        }
    }
}

/// Ten-thousandths of the major unit, and whether noise was repaired.
fn amount(number: &Number, unit: Unit, repairs: bool) -> Result<(i64, bool), NotAnAmount> {
    let (value, scale) = number.times(10_000);
    let exact = fitting(&value, &scale, unit);
    if exact != Err(NotAnAmount::TooPrecise) || !repairs || number.significant < 15 {
        return exact.map(|units| (units, false));
    }
    // Behind the fourth digit stands no more than 1e-8 when that is not a ten-thousandth of the fourth digit's place.
    let floor = (&value - modulo(&value, &scale)) / &scale;
    let near = |whole: &BigInt| ((&value - whole * &scale) * 10_000_u32).magnitude() <= scale.magnitude();
    let rounded = [floor.clone(), floor + 1].into_iter().find(near).ok_or(NotAnAmount::TooPrecise)?;
    fitting(&rounded, &1.into(), unit).map(|units| (units, true))
}

fn modulo(value: &BigInt, scale: &BigInt) -> BigInt {
    ((value % scale) + scale) % scale
}

/// `value / scale` ten-thousandths, if that is a whole number below 10^18 either way.
fn fitting(value: &BigInt, scale: &BigInt, unit: Unit) -> Result<i64, NotAnAmount> {
    let scale = scale * if unit == Unit::Cents { 100 } else { 1 };
    let limit: BigInt = ten_to(18) * &scale;
    if value.magnitude() >= limit.magnitude() {
        return Err(NotAnAmount::OutOfRange);
    }
    if value % &scale != BigInt::ZERO {
        return Err(NotAnAmount::TooPrecise);
    }
    Ok(i64::try_from(value / scale).expect("below 10^18"))
}

/// An amount is shown with all its digits, and reads back.
fn shown(amount: Amount) {
    let text = amount.to_string();
    let read = Written::String(&text).amount(Unit::Major).expect("it was an amount");
    assert_eq!((read.amount, text.split_once('.').map(|parts| parts.1.len())), (amount, Some(4)), "{text}");
}
