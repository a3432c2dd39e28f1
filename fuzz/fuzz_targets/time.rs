//! No text is read as another time than the one it says.
//!
//! What reads as a time is what chrono reads there, and what chrono reads in the forms and years that the schema allows
//! reads as a time. Local times agree with the zone's offsets looked up from the UTC side: none in a gap, the earlier of
//! two. Unix seconds agree with big integers.
//!
//! The first two bytes choose the zone.

#![no_main]

use chrono::{DateTime, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::{TZ_VARIANTS, Tz};
use libfuzzer_sys::{Corpus, fuzz_target};
use num_bigint::BigInt;
use paynorm::model::time::{Timestamp, WrittenTime, Zone};
use paynorm_fuzz::Number;

/// 0001-01-01T00:00:00Z and 10000-01-01T00:00:00Z in microseconds.
const YEARS: std::ops::Range<i64> = -62_135_596_800_000_000..253_402_300_800_000_000;

fuzz_target!(|input: &[u8]| -> Corpus {
    let Some((zone, text)) = input.split_first_chunk() else { return Corpus::Reject };
    let Ok(text) = std::str::from_utf8(text) else { return Corpus::Reject };
    let zone = TZ_VARIANTS[usize::from(u16::from_le_bytes(*zone)) % TZ_VARIANTS.len()];
    assert_eq!(Timestamp::from_unix(text).map(Timestamp::micros), unix_micros(text));
    for zone in [zone, Tz::UTC] {
        let found = WrittenTime::parse(text, Zone::parse(zone.name()).expect("its own name"));
        let found = found.map(|time| (time.instant.micros(), time.offset_minutes, i64::from(time.date.days())));
        assert_eq!(found, written(text, zone), "in {zone}");
        if let Some((micros, ..)) = found {
            shown(Timestamp::from_unix(&format!("{micros}e-6")).expect("in range"));
        }
    }
    Corpus::Keep
});

/// The microseconds, cut and not rounded.
fn unix_micros(text: &str) -> Option<i64> {
    let (value, scale) = Number::parse(text)?.times(1_000_000);
    let micros: BigInt = value / scale;
    i64::try_from(micros).ok().filter(|micros| YEARS.contains(micros))
}

/// The instant, the offset in minutes, and the date as days since 1970.
fn written(text: &str, zone: Tz) -> Option<(i64, Option<i16>, i64)> {
    let (date, rest) = text.split_at_checked(10)?;
    let date = if shape(date) == "0000-00-00" { date.parse::<NaiveDate>().ok()? } else { return None };
    let days = date.signed_duration_since(NaiveDate::default()).num_days();
    let in_years = |micros: i64| (days >= -719_162 && YEARS.contains(&micros)).then_some(micros);
    if rest.is_empty() {
        let micros = in_years(earliest(zone, date.and_hms_opt(0, 0, 0)?)? * 1_000_000)?;
        return Some((micros, None, days));
    }
    let rest = rest.strip_prefix(['T', 't', ' '])?;
    let clock_end = rest.find(|c: char| !c.is_ascii_digit() && c != ':' && c != '.').unwrap_or(rest.len());
    let (clock, offset) = rest.split_at(clock_end);
    let fraction = shape(clock).strip_prefix("00:00:00")?.to_owned();
    if !fraction.is_empty() && fraction.trim_end_matches('0') != "." || fraction == "." {
        return None;
    }
    let local: NaiveDateTime = format!("{date}T{clock}").parse().ok()?;
    // As chrono has it, a second 60 is a second 59 with a fraction above 1.
    let micros = local.and_utc().timestamp_micros();
    if offset.is_empty() {
        let seconds = DateTime::from_timestamp(micros.div_euclid(1_000_000), 0)?.naive_utc();
        let micros = earliest(zone, seconds)? * 1_000_000 + micros.rem_euclid(1_000_000);
        return Some((in_years(micros)?, None, days));
    }
    let offset = match offset {
        " UTC" => "Z",
        _ => offset.strip_prefix(' ').unwrap_or(offset),
    };
    if !offset.starts_with(['Z', 'z', '+', '-']) {
        return None;
    }
    let colon =
        if shape(offset)[1..] == *"0000" { format!("{}:{}", &offset[..3], &offset[3..]) } else { offset.into() };
    let time = DateTime::parse_from_rfc3339(&format!("{date}T{clock}{colon}")).ok()?;
    let minutes = i16::try_from(time.offset().local_minus_utc() / 60).ok()?;
    Some((in_years(time.timestamp_micros())?, Some(minutes), days))
}

/// The text with every digit as 0.
fn shape(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

/// The earliest second at which the clocks of `zone` show `local`, found by trying every offset around it.
fn earliest(zone: Tz, local: NaiveDateTime) -> Option<i64> {
    let seconds = local.and_utc().timestamp();
    let offset = |utc: NaiveDateTime| i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
    let around = (-30..=30).filter_map(|hours| local.checked_add_signed(TimeDelta::hours(hours)));
    let candidates = around.map(|utc| seconds - offset(utc));
    candidates
        .filter(|utc| DateTime::from_timestamp(*utc, 0).is_some_and(|t| utc + offset(t.naive_utc()) == seconds))
        .min()
}

/// A time is shown as chrono reads it.
fn shown(time: Timestamp) {
    let read = DateTime::parse_from_rfc3339(&time.to_string()).expect("RFC 3339");
    assert_eq!(read.timestamp_micros(), time.micros(), "{time}");
}
