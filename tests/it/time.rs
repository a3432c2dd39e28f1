//! Times against an independent computation: chrono's calendar, and the zone's offsets looked up from the UTC side.

use chrono::{DateTime, NaiveDate, NaiveDateTime, Offset, TimeDelta, TimeZone};
use chrono_tz::Tz;
use paynorm::model::time::{Timestamp, WrittenTime, Zone};
use proptest::prelude::*;

use crate::harness::cases;

/// Local date-times of the years 1 to 9999, in whole seconds.
fn local() -> impl Strategy<Value = NaiveDateTime> {
    let at = |seconds| DateTime::from_timestamp(seconds, 0).unwrap().naive_utc();
    prop_oneof![(-62_135_596_800..253_402_300_800_i64).prop_map(at), (0..2_000_000_000_i64).prop_map(at)]
}

fn in_range(time: DateTime<chrono::Utc>) -> bool {
    let year = time.format("%Y").to_string();
    year.len() == 4 && year != "0000" && !year.starts_with(['-', '+'])
}

/// The first six digits of a fraction as microseconds.
fn micros(fraction: &str) -> i64 {
    format!("{fraction:0<6}")[..6].parse().unwrap()
}

/// The earliest instant at which the clocks of `zone` show `local`, found by trying every offset around it.
fn earliest(zone: Tz, local: NaiveDateTime) -> Option<i64> {
    let seconds = local.and_utc().timestamp();
    let offset = |utc: NaiveDateTime| i64::from(zone.offset_from_utc_datetime(&utc).fix().local_minus_utc());
    let around = (-30..=30).filter_map(|hours| local.checked_add_signed(TimeDelta::hours(hours)));
    let candidates = around.map(|utc| seconds - offset(utc));
    candidates
        .filter(|utc| DateTime::from_timestamp(*utc, 0).is_some_and(|t| utc + offset(t.naive_utc()) == seconds))
        .min()
}

const ZONES: [&str; 3] = ["Europe/Zurich", "America/Sao_Paulo", "Australia/Lord_Howe"];

#[track_caller]
fn check_local(name: &str, local: NaiveDateTime, fraction: &str) {
    let point = if fraction.is_empty() { "" } else { "." };
    let text = format!("{}{point}{fraction}", local.format("%Y-%m-%dT%H:%M:%S"));
    let found = WrittenTime::parse(&text, Zone::parse(name).unwrap());
    let expected = earliest(name.parse().unwrap(), local).map(|seconds| seconds * 1_000_000 + micros(fraction));
    assert_eq!(found.map(|time| time.instant.micros()), expected, "{text} in {name}");
    assert!(found.is_none_or(|time| time.offset_minutes.is_none()), "no offset was written");
}

proptest! {
    #![proptest_config(cases(2000))]

    #[test]
    fn rfc_3339_with_offsets_and_fractions(
        local in local(), minutes in -1439..=1439_i16, fraction in "[0-9]{0,12}", separator in "[Tt ]",
        spaced in any::<bool>(), colon in any::<bool>(), word in 0..4_usize,
    ) {
        let (hours, rest) = (minutes.unsigned_abs() / 60, minutes.unsigned_abs() % 60);
        let sign = if minutes < 0 { "-" } else { "+" };
        let offset = match word {
            0 => ["Z", "z", " Z", " UTC"][usize::from(minutes.unsigned_abs()) % 4].to_owned(),
            _ => format!("{}{sign}{hours:02}{}{rest:02}", if spaced { " " } else { "" }, if colon { ":" } else { "" }),
        };
        let minutes = if word == 0 { 0 } else { minutes };
        let point = if fraction.is_empty() { "" } else { "." };
        let text = format!("{}{separator}{}{point}{fraction}{offset}", local.date(), local.format("%H:%M:%S"));
        let utc = local.and_utc() - TimeDelta::minutes(i64::from(minutes));
        let expected = in_range(utc).then(|| utc.timestamp() * 1_000_000 + micros(&fraction));
        // A time with an offset is the same in every zone.
        for zone in ["UTC", "America/Sao_Paulo"] {
            let found = WrittenTime::parse(&text, Zone::parse(zone).unwrap());
            prop_assert_eq!(found.map(|time| time.instant.micros()), expected, "{}", text);
            if let Some(time) = found {
                prop_assert_eq!(time.offset_minutes, Some(minutes));
                prop_assert_eq!(time.date.to_days(), days(local.date()));
            }
        }
    }

    #[test]
    fn local_times_in_zones(local in local(), fraction in "[0-9]{0,7}", zone in prop::sample::select(ZONES.to_vec())) {
        check_local(zone, local, &fraction);
    }

    #[test]
    fn local_times_beside_changes_of_the_clock(
        year in 1986..2019_i32, change in any::<prop::sample::Index>(), minutes in -150..150_i64,
        seconds in 0..60_i64, zone in prop::sample::select(ZONES.to_vec()),
    ) {
        let changes = changes(zone, year);
        let near = changes[change.index(changes.len())] + TimeDelta::minutes(minutes) + TimeDelta::seconds(seconds);
        check_local(zone, near, "");
    }

    #[test]
    fn bare_dates_are_their_midnight(local in local(), zone in prop::sample::select(ZONES.to_vec())) {
        let midnight = local.date().and_hms_opt(0, 0, 0).unwrap();
        let expected = earliest(zone.parse().unwrap(), midnight).and_then(|utc| DateTime::from_timestamp(utc, 0));
        let expected = expected.filter(|utc| in_range(*utc)).map(|utc| utc.timestamp() * 1_000_000);
        let found = WrittenTime::parse(&local.date().to_string(), Zone::parse(zone).unwrap());
        prop_assert_eq!(found.map(|time| time.instant.micros()), expected, "{} in {}", local.date(), zone);
    }

    #[test]
    fn unix_seconds(seconds in -70_000_000_000..260_000_000_000_i64, fraction in "[0-9]{0,9}") {
        let point = if fraction.is_empty() { "" } else { "." };
        let text = format!("{seconds}{point}{fraction}");
        let size = seconds.unsigned_abs().cast_signed() * 1_000_000 + micros(&fraction);
        let expected = if text.starts_with('-') { -size } else { size };
        let expected = (-62_135_596_800_000_000..253_402_300_800_000_000).contains(&expected).then_some(expected);
        prop_assert_eq!(Timestamp::from_unix(&text).map(Timestamp::micros), expected, "{}", text);
        if fraction.is_empty() {
            let shifted = format!("{}e-2", i128::from(seconds) * 100);
            prop_assert_eq!(Timestamp::from_unix(&shifted).map(Timestamp::micros), expected, "{}", shifted);
        }
    }

    #[test]
    fn what_chrono_refuses_is_refused(text in "(19|20)[0-9]{2}-[01][0-9]-[0-3][0-9]([T ][0-2][0-9]:[0-6][0-9]:[0-6][0-9](\\.[0-9]{1,3})?)?") {
        let seconds_of_60 = text.len() > 10 && &text[17..19] == "60";
        let date = NaiveDate::parse_from_str(&text[..10], "%Y-%m-%d").ok();
        let clock = text.get(11..).map(|clock| chrono::NaiveTime::parse_from_str(clock, "%H:%M:%S%.f").is_ok());
        let expected = date.is_some() && clock.unwrap_or(true);
        prop_assume!(!seconds_of_60);
        prop_assert_eq!(WrittenTime::parse(&text, Zone::Utc).is_some(), expected, "{}", text);
    }

    #[test]
    fn a_second_60_is_the_next_second(local in local()) {
        let last = local.date().and_hms_opt(23, 59, 59).unwrap();
        prop_assume!(last.and_utc().timestamp() < 253_402_300_799);
        let found = WrittenTime::parse(&format!("{}T23:59:60Z", local.date()), Zone::Utc).unwrap();
        prop_assert_eq!(found.instant.micros(), (last.and_utc().timestamp() + 1) * 1_000_000);
        prop_assert_eq!(found.date.to_days(), days(local.date()));
    }

    #[test]
    fn any_text_is_a_time_or_not(text in ".{0,30}|[0-9TZ:. +-]{0,35}") {
        let _ = (WrittenTime::parse(&text, Zone::Utc), Timestamp::from_unix(&text));
    }
}

/// The local times, in a year, around which the offset of a zone changes.
fn changes(name: &str, year: i32) -> Vec<NaiveDateTime> {
    let zone: Tz = name.parse().unwrap();
    let first = NaiveDate::from_ymd_opt(year, 1, 1).unwrap().and_hms_opt(0, 0, 0).unwrap();
    let offset = |utc: &NaiveDateTime| zone.offset_from_utc_datetime(utc).fix().local_minus_utc();
    let hours: Vec<_> = (0..366 * 24).map(|hour| first + TimeDelta::hours(hour)).collect();
    let changed = hours.windows(2).filter(|pair| offset(&pair[0]) != offset(&pair[1]));
    changed.map(|pair| pair[1] + TimeDelta::seconds(i64::from(offset(&pair[0])))).collect()
}

fn days(date: NaiveDate) -> i64 {
    date.signed_duration_since(NaiveDate::default()).num_days()
}

trait ToDays {
    fn to_days(self) -> i64;
}

impl ToDays for paynorm::model::time::Date {
    fn to_days(self) -> i64 {
        i64::from(self.days())
    }
}

#[test]
fn gaps_and_second_passes_are_met() {
    let at = |text: &str| NaiveDateTime::parse_from_str(text, "%Y-%m-%dT%H:%M:%S").unwrap();
    for (zone, text, expected) in [
        ("Europe/Zurich", "2021-03-28T02:30:00", None),
        ("Europe/Zurich", "2021-10-31T02:30:00", Some("2021-10-31T00:30:00")),
        ("America/Sao_Paulo", "2018-11-04T00:00:00", None),
        ("America/Sao_Paulo", "2018-02-17T23:30:00", Some("2018-02-18T01:30:00")),
        ("Australia/Lord_Howe", "2021-10-03T02:15:00", None),
        ("Australia/Lord_Howe", "2021-04-04T01:45:00", Some("2021-04-03T14:45:00")),
    ] {
        let found = WrittenTime::parse(text, Zone::parse(zone).unwrap()).map(|time| time.instant.micros());
        assert_eq!(found, expected.map(|utc| at(utc).and_utc().timestamp_micros()), "{text} in {zone}");
        check_local(zone, at(text), "");
    }
}
